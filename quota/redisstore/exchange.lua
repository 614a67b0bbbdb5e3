-- One report of one holder: see quota.Store.Exchange, whose rules quota.Books states in Go.
--
-- Figures are micro-neurons. A Lua number is a double, exact below 2^53: what would reach that is refused before
-- anything is written. Nothing is written before all is known, and the first write is one that a full server refuses,
-- so that a report is kept whole or not at all.
--
--   holder  seq left                                                    what the last report was
--   row     limit spent held reserved waiting granted seq               of a holder and pot; granted by the report seq
--   sum     spent held                                                  of a pot, over all holders, those who are gone included
--   external  spent released at billed                                   of the day, beyond what its holders say; at in Unix seconds
--   hour    spent                                                   of a holder, among its records, or over all
--   record  calls reported priced estimated peak usual                  of a holder, or over all; the last two are not summed: the largest holds
--   silent  silent table paid                                           likewise; apart from the record, whose form a former version relies on

local epoch_key, latch_key, days_key, holders_key, seen_key, rows_key, sums_key, records_key, history_key, external_key, hours_key, silent_key = unpack(KEYS)
local most = 9007199254740992 -- 2^53

local at = 0
local function text()
	at = at + 1
	return ARGV[at]
end
local function number() return tonumber(text()) end

local id, unknown, events, day, holder, seq, leave = text(), text() == '1', text(), text(), text(), number(), text() == '1'
local answered, known = number(), number() -- the last report that was answered, and the epoch, as the asking process knows them
local latch_change, latch_at, latch_until = text(), text(), text()
local settle, timeout, day_ttl, history_ttl, epoch_ttl = number(), number(), number(), number(), number()
local external = {number(), number(), number(), number()}
local num_claims, num_records, num_hours = number(), number(), number()

local formats = {}
for i = 1, 8 do formats[i] = string.sub(string.rep(' %.0f', i), 2) end
local function digits(...) return string.format(formats[select('#', ...)], ...) end
local function numbers(line)
	local all = {}
	for word in string.gmatch(line, '%S+') do all[#all + 1] = tonumber(word) end
	return all
end
local fits = true
local function add(a, b)
	local sum = a + b
	if sum >= most or sum <= -most then fits = false end
	return sum
end

-- unpack has room for some thousands.
local portion = 1000
local function fetch(key, fields)
	local all = {}
	for from = 1, #fields, portion do
		local part = redis.call('HMGET', key, unpack(fields, from, math.min(from + portion - 1, #fields)))
		for i = 1, #part do all[#all + 1] = part[i] end
	end
	return all
end
local grew = false
local function put(key, values)
	for from = 1, #values, portion do
		if redis.call('HSET', key, unpack(values, from, math.min(from + portion - 1, #values))) > 0 then grew = true end
	end
end

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local kept = redis.call('MGET', epoch_key, latch_key, external_key)
local epoch, grants_from = 0, 0
if kept[1] then epoch, grants_from = unpack(numbers(kept[1])) end
local latch = kept[2] or ''
local kept_external = kept[3] and numbers(kept[3]) or {0, 0, 0, 0}
kept_external[4] = kept_external[4] or 0 -- written before billed was kept

local me = redis.call('HGET', holders_key, holder)
local last, left = 0, 0
if me then last, left = unpack(numbers(me)) end
if seq < last then return {id, 'stale'} end
local repeated = me and seq == last
if not repeated then left = leave and 1 or 0 end

-- A server that lacks the epoch, is before it, did not have this script, or does not know what it answered, may have
-- lost rows: it was flushed, restarted from an older copy, or is another one. Whoever lives writes its rows again within
-- a heartbeat. One whose clock was set back would grant nothing until it is as late again.
local lost = answered > last
local renewed = epoch == 0 or unknown or known > epoch or (lost and known == epoch) or grants_from > now + settle
if renewed then
	epoch = math.max(now, known + 1, epoch + 1)
	grants_from = now + settle
end

local claims, fields, pots = {}, {}, {}
for i = 1, num_claims do
	local c = {
		pot = text(), limit = number(), spent = number(), held = number(), reserved = number(),
		min = number(), want = number(), waiting = number(),
	}
	claims[i], fields[i], pots[i] = c, holder .. '\0' .. c.pot, c.pot
end
local others = {}
for _, name in ipairs(redis.call('ZRANGEBYSCORE', seen_key, '(' .. digits(now - timeout), '+inf')) do
	if name ~= holder then
		others[#others + 1] = name
		for _, c in ipairs(claims) do fields[#fields + 1] = name .. '\0' .. c.pot end
	end
end
local found, found_sums = fetch(rows_key, fields), fetch(sums_key, pots)

local rows, sums, alive = {}, {}, {}
for i, c in ipairs(claims) do
	rows[c.pot] = found[i] and numbers(found[i]) or {0, 0, 0, 0, 0, 0, 0}
	sums[c.pot] = found_sums[i] and numbers(found_sums[i]) or {0, 0}
	local held, reserved, waiting = 0, 0, 0
	for j = 1, #others do
		local line = found[j * num_claims + i]
		if line then
			local row = numbers(line)
			held, reserved, waiting = add(held, row[3]), add(reserved, row[4]), add(waiting, row[5])
		end
	end
	alive[c.pot] = {held, reserved, waiting}
end

local function less(pot, lost)
	if pot ~= 'account' then return 0 end
	return external[1] - math.min(external[2], lost)
end
if repeated or kept_external[3] >= external[3] then external = kept_external end
local wanted, returned, latched = false, false, false
if not repeated then
	for _, c in ipairs(claims) do
		local old, sum = rows[c.pot], sums[c.pot]
		sum[1], sum[2] = add(sum[1] - old[2], c.spent), add(sum[2] - old[3], c.held)
		local free, granted = c.limit - add(sum[1], sum[2]) - less(c.pot, sum[2] - c.held - alive[c.pot][1]), 0
		if now >= grants_from and c.want > 0 and c.limit > 0 and free > 0 and free >= c.min then
			granted = math.min(c.want, free)
			sum[2] = sum[2] + granted
		end
		local held = add(c.held, granted)
		rows[c.pot] = {c.limit, c.spent, held, c.reserved, c.waiting, granted, seq}
		if c.spent + held < old[2] + old[3] and alive[c.pot][3] > 0 then returned = true end
		if c.waiting > 0 and granted < c.min then wanted = true end
	end
end

-- The records of all holders are summed as they change, so that they outlive the holders' own.
local new_records, new_history, new_silent = {}, {}, {}
if not repeated and num_records > 0 then
	local names, own, own_silent, values, silent = {}, {}, {}, {}, {}
	for i = 1, num_records do
		names[i] = text()
		own[i] = holder .. '\0' .. names[i]
		own_silent[i] = own[i] .. '\0'
		values[i] = {number(), number(), number(), number(), number(), number()}
		silent[i] = {number(), number(), number()}
	end
	local mine, all = fetch(records_key, own), fetch(history_key, names)
	local mine_silent, all_silent = fetch(records_key, own_silent), fetch(silent_key, names)
	for i, name in ipairs(names) do
		local old = mine[i] and numbers(mine[i]) or {0, 0, 0, 0}
		local sum = all[i] and numbers(all[i]) or {0, 0, 0, 0}
		for k = 1, 4 do sum[k] = add(sum[k] - old[k], values[i][k]) end
		for k = 5, 6 do sum[k] = math.max(sum[k] or 0, values[i][k]) end
		new_records[#new_records + 1], new_records[#new_records + 2] = own[i], digits(unpack(values[i]))
		new_history[2 * i - 1], new_history[2 * i] = name, digits(unpack(sum, 1, 6))
		if mine_silent[i] or silent[i][1] ~= 0 or silent[i][2] ~= 0 or silent[i][3] ~= 0 then
			old = mine_silent[i] and numbers(mine_silent[i]) or {0, 0}
			sum = all_silent[i] and numbers(all_silent[i]) or {0, 0, 0}
			for k = 1, 2 do sum[k] = add(sum[k] - old[k], silent[i][k]) end
			sum[3] = math.max(sum[3], silent[i][3])
			new_records[#new_records + 1], new_records[#new_records + 2] = own_silent[i], digits(unpack(silent[i]))
			new_silent[#new_silent + 1], new_silent[#new_silent + 2] = name, digits(unpack(sum))
		end
	end
end

-- So are the hours. A holder's own are among its records, whose names have a second zero byte.
local new_hours = {}
if not repeated and num_hours > 0 then
	local names, own, values = {}, {}, {}
	for i = 1, num_hours do
		names[i] = text()
		own[i] = holder .. '\0' .. names[i]
		values[i] = number()
	end
	local mine, all = fetch(records_key, own), fetch(hours_key, names)
	for i, name in ipairs(names) do
		local sum = add((tonumber(all[i]) or 0) - (tonumber(mine[i]) or 0), values[i])
		new_records[#new_records + 1], new_records[#new_records + 2] = own[i], digits(values[i])
		new_hours[2 * i - 1], new_hours[2 * i] = name, digits(sum)
	end
end
if not fits then return {id, 'beyond'} end

if not repeated then
	if latch_change == 'set' then
		if latch_at == '' then latch_at = string.format('%s.%06d000', time[1], time[2]) end
		latched = latch ~= latch_at .. ' ' .. latch_until
		latch = latch_at .. ' ' .. latch_until
	elseif latch_change == 'open' then
		latched = latch ~= ''
		latch = ''
	end

	local new_rows, new_sums = {}, {}
	for i, c in ipairs(claims) do
		new_rows[2 * i - 1], new_rows[2 * i] = holder .. '\0' .. c.pot, digits(unpack(rows[c.pot]))
		new_sums[2 * i - 1], new_sums[2 * i] = c.pot, digits(unpack(sums[c.pot]))
	end
	put(holders_key, {holder, digits(seq, left)})
	if external[3] ~= kept_external[3] then redis.call('SET', external_key, digits(unpack(external)), 'PX', day_ttl) end
	put(rows_key, new_rows)
	put(sums_key, new_sums)
	put(records_key, new_records)
	put(history_key, new_history)
	put(silent_key, new_silent)
	put(hours_key, new_hours)
	if latched and latch ~= '' then
		redis.call('SET', latch_key, latch, 'PX', day_ttl)
	elseif latched then
		redis.call('DEL', latch_key)
	end
end
if not me then
	redis.call('ZADD', days_key, day, day)
	redis.call('PEXPIRE', days_key, epoch_ttl)
end
if renewed or not me then redis.call('SET', epoch_key, digits(epoch, grants_from), 'PX', epoch_ttl) end
if left == 1 then
	redis.call('ZREM', seen_key, holder)
else
	redis.call('ZADD', seen_key, now, holder)
end
-- Together, so that none of a day's keys outlives another that it is counted with.
if grew then
	for _, key in ipairs({holders_key, seen_key, rows_key, sums_key, records_key}) do redis.call('PEXPIRE', key, day_ttl) end
	redis.call('PEXPIRE', history_key, history_ttl)
	redis.call('PEXPIRE', silent_key, history_ttl)
	redis.call('PEXPIRE', hours_key, history_ttl)
end

-- Whoever may not publish is heard at the next heartbeat.
if latched then redis.pcall('PUBLISH', events, '1 ' .. holder) end
if wanted then redis.pcall('PUBLISH', events, '2 ' .. holder) end
if returned then redis.pcall('PUBLISH', events, '3 ' .. holder) end

local answer = {
	id, 'kept', time[1], time[2], digits(epoch), (lost or not me) and '1' or '0', digits(#others + 1 - left), latch, digits(unpack(external)),
}
for _, c in ipairs(claims) do
	local row, sum, living = rows[c.pot], sums[c.pot], alive[c.pot]
	local held, reserved = living[1], living[2]
	if left == 0 then held, reserved = held + row[3], reserved + row[4] end
	local free = 0
	if c.limit > 0 then free = c.limit - sum[1] - sum[2] - less(c.pot, sum[2] - held) end
	local granted = 0
	if row[7] == seq then granted = row[6] end
	answer[#answer + 1] = digits(granted, c.limit, sum[1], held, reserved, sum[2] - held, free, living[3])
end
return answer
