-- The batches of an account, in a hash for each day: id to whether it is open ('+') or settled ('-'), and JSON.
local id, op, batch = ARGV[1], ARGV[3], ARGV[4]
if op == 'put' then
	local json, max, ttl = ARGV[5], tonumber(ARGV[6]), ARGV[7]
	if redis.call('HLEN', KEYS[1]) >= max then return {id, 'full'} end
	redis.call('HSET', KEYS[1], batch, '+' .. json)
	redis.call('PEXPIRE', KEYS[1], ttl)
	return {id, 'kept'}
end
for i, key in ipairs(KEYS) do
	local value = redis.call('HGET', key, batch)
	if value then
		if op == 'settle' and string.sub(value, 1, 1) == '+' then
			redis.call('HSET', key, batch, '-' .. string.sub(value, 2))
		end
		return {id, tostring(i), value}
	end
end
return {id}
