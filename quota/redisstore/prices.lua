-- What neurons of each day cost: id, day, price, and so on, where a price is "nanodollars since", since in Unix
-- milliseconds. That of the day ARGV[3] is kept first, if ARGV[5], its since, is not 0 and none that is later is kept.
-- Days before ARGV[6] are forgotten.
local key, day, since = KEYS[1], ARGV[3], tonumber(ARGV[5])
local kind = redis.call('TYPE', key).ok
if kind ~= 'hash' and kind ~= 'none' then redis.call('RENAME', key, key .. ':aside') end -- it was not made here
if since > 0 then
	local kept = redis.call('HGET', key, day)
	if since >= (tonumber(kept and string.match(kept, '^%d+ (%d+)$')) or 0) then
		redis.call('HSET', key, day, ARGV[4] .. ' ' .. ARGV[5])
	end
	redis.call('PEXPIRE', key, ARGV[7])
end
local all, answer = redis.call('HGETALL', key), {ARGV[1]}
for i = 1, #all, 2 do
	if since > 0 and (tonumber(all[i]) or 0) < tonumber(ARGV[6]) then
		redis.call('HDEL', key, all[i])
	else
		answer[#answer + 1], answer[#answer + 2] = all[i], all[i + 1]
	end
end
return answer
