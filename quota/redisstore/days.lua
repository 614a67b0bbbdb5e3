-- The days from ARGV[2] to ARGV[3] that have records.
local days = redis.call('ZRANGEBYSCORE', KEYS[1], ARGV[2], ARGV[3])
table.insert(days, 1, ARGV[1])
return days
