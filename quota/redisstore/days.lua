-- The days from ARGV[3] to ARGV[4] that have records.
local days = redis.call('ZRANGEBYSCORE', KEYS[1], ARGV[3], ARGV[4])
table.insert(days, 1, ARGV[1])
return days
