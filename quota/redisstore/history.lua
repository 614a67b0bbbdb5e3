-- The records of one day, over all replicas, or its hours: id, name, figures, name, figures, and so on. What the second
-- key has of them follows, its names with a zero byte appended.
local records = redis.call('HGETALL', KEYS[1])
local more = KEYS[2] and redis.call('HGETALL', KEYS[2]) or {}
for i = 1, #more, 2 do
	records[#records + 1], records[#records + 2] = more[i] .. '\0', more[i + 1]
end
table.insert(records, 1, ARGV[1])
return records
