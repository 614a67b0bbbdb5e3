-- Takes a lease if nobody has it: {id, '1'}, else {id, '0'}.
if redis.call('SET', KEYS[1], ARGV[3], 'NX', 'PX', ARGV[4]) then return {ARGV[1], '1'} end
return {ARGV[1], '0'}
