-- The records of one day, over all holders, or its hours: name, figures, name, figures, and so on.
local records = redis.call('HGETALL', KEYS[1])
table.insert(records, 1, ARGV[1])
return records
