-- Takes a lease that nobody has: {request, 1}.
if redis.call('SET', KEYS[1], ARGV[2], 'NX', 'PX', ARGV[3]) then return {ARGV[1], '1'} end
return {ARGV[1], '0'}
