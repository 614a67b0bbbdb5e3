-- The records of some days, over all replicas, or their hours: id, then for each day how many values follow, and name,
-- figures, name, figures, and so on. Each day has ARGV[3] keys. What the second of them has follows, its names with a
-- zero byte appended, then what the third has, with two of them.
local answer, each = {ARGV[1]}, tonumber(ARGV[3])
for from = 1, #KEYS, each do
	answer[#answer + 1] = ''
	local head = #answer
	for k = 0, each - 1 do
		local more = redis.call('HGETALL', KEYS[from + k])
		for i = 1, #more, 2 do
			answer[#answer + 1], answer[#answer + 2] = more[i] .. string.rep('\0', k), more[i + 1]
		end
	end
	answer[head] = tostring(#answer - head)
end
return answer
