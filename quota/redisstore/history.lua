-- The records of one day, over all replicas, or its hours: id, name, figures, name, figures, and so on. What the second
-- key has of them follows, its names with a zero byte appended, then what the third has, with two of them.
local records = redis.call('HGETALL', KEYS[1])
for k = 2, #KEYS do
	local more = redis.call('HGETALL', KEYS[k])
	for i = 1, #more, 2 do
		records[#records + 1], records[#records + 2] = more[i] .. string.rep('\0', k - 1), more[i + 1]
	end
end
table.insert(records, 1, ARGV[1])
return records
