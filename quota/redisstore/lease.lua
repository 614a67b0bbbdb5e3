-- Takes a lease that nobody has: {request, 1}.
if redis.call('SET', KEYS[1], ARGV[3], 'NX', 'PX', ARGV[4]) then return {ARGV[1], '1'} end
return {ARGV[1], '0'}
