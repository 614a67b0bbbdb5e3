-- One report of one replica: see quota.Store.Sync. The store in memory (quota/memstore) has the same rules in Go.
--
-- Figures are micro-neurons. A Lua number is a double, exact below 2^53: what would reach that is refused before
-- anything is written. Nothing is written before all is known, and the first write is one that a full server refuses,
-- so that a report is kept whole or not at all.
--
--   replica   seq left                                            its last report
--   row       limit spent held reserved waiting granted seq month of a replica and budget; granted by the report seq
--   sum       spent held less                                     of a budget, over all replicas, also those that left;
--                                                                 less: of the rows that take back what another spent
--   external  spent released at billed                            of the day, outside of all replicas; at: Unix seconds
--   hour      spent                                               of a replica, among its records, or over all
--   record    calls reported priced estimated peak usual          of a replica, or over all, where the last two are not
--                                                                 summed: the largest counts
--   silent    silent table paid                                   likewise; apart from the record, whose form former
--                                                                 versions rely on; their usual is 0 by now
--   learned   prompt output by_default undocumented calls         over all replicas: the largest counts

local epoch_key, block_key, days_key, replicas_key, seen_key, rows_key, sums_key, records_key, history_key,
	external_key, hours_key, silent_key, learned_key = unpack(KEYS)
local exact = 9007199254740992 -- 2^53

local at = 0
local function text()
	at = at + 1
	return ARGV[at]
end
local function number() return tonumber(text()) end

-- What another program wrote here is not believed, nor what a fault of the server left: a figure is a whole number that
-- this script can have written. It is told, and what is known otherwise counts.
local doubts = {}
local function doubt(key, field, value)
	if #doubts < 8 then
		doubts[#doubts + 1] = table.concat({key, string.sub(field, 1, 200), string.sub(value or '', 1, 64)}, '\1')
	end
end
-- The figures of line, of which there must be as many and none below min, but for the one at signed; nil if there are
-- none to believe.
local function figures(key, field, line, as_many, min, signed)
	if not line then return nil end
	local all = {}
	for word in string.gmatch(line, '%S+') do
		local n = string.find(word, '^%-?%d+$') and tonumber(word)
		if not n or n < min and #all + 1 ~= signed or n >= exact or n <= -exact then
			doubt(key, field, line)
			return nil
		end
		all[#all + 1] = n
	end
	if #all >= as_many then return all end
	doubt(key, field, line)
	return nil
end

local id, unknown, events, day = text(), text() == '1', text(), text()
local replica, seq, leave = text(), number(), text() == '1'
local answered, known = number(), number() -- the last answered report and the epoch that the process knows
local block_change, block_at, block_until = text(), text(), text()
local settle, timeout, day_ttl, history_ttl, epoch_ttl = number(), number(), number(), number(), number()
local external = {number(), number(), number(), number()}
local num_requests, num_records, num_hours = number(), number(), number()
local repair = number() == 1

-- What is of another type was not made here. It is put aside. Rows, sums and last reports belong together: without one
-- of them the replicas begin anew, as on a server that was emptied.
if repair then
	local function misplaced(key, want)
		local kind = redis.call('TYPE', key).ok
		return kind ~= want and kind ~= 'none' and kind
	end
	local function aside(key)
		if redis.call('EXISTS', key) == 1 then redis.call('RENAME', key, key .. ':aside') end
	end
	local rows_too = false
	for i, key in ipairs(KEYS) do
		local want = 'hash'
		if key == epoch_key or key == block_key or key == external_key then want = 'string' end
		if key == days_key or key == seen_key then want = 'zset' end
		local kind = misplaced(key, want)
		if kind then
			doubt(key, '', 'a ' .. kind)
			aside(key)
			if key == replicas_key or key == rows_key or key == sums_key then rows_too = true end
		end
	end
	if rows_too then
		for _, key in ipairs({replicas_key, rows_key, sums_key}) do aside(key) end
	end
end

local formats = {}
for i = 1, 8 do formats[i] = string.sub(string.rep(' %.0f', i), 2) end
local function digits(...) return string.format(formats[select('#', ...)], ...) end
local fits = true
local function add(a, b)
	local sum = a + b
	if sum >= exact or sum <= -exact then fits = false end
	return sum
end

-- unpack takes some thousands of values at most.
local chunk = 1000
local function fetch(key, fields)
	local all = {}
	for from = 1, #fields, chunk do
		local part = redis.call('HMGET', key, unpack(fields, from, math.min(from + chunk - 1, #fields)))
		for i = 1, #part do all[#all + 1] = part[i] end
	end
	return all
end
local grew = false
local function put(key, values)
	for from = 1, #values, chunk do
		local added = redis.call('HSET', key, unpack(values, from, math.min(from + chunk - 1, #values)))
		if added > 0 then grew = true end
	end
end

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local kept = redis.call('MGET', epoch_key, block_key, external_key)
local epoch, grants_from, primary = 0, 0, 0
local kept_epoch = figures(epoch_key, '', kept[1], 2, 0)
if kept_epoch then epoch, grants_from, primary = unpack(kept_epoch) end

-- The first 52 bits of the server's replication id, which is another one after a failover, and how many replicas it
-- has; 0 if it is not told.
local info = redis.pcall('INFO', 'replication')
if type(info) ~= 'string' then info = '' end
local here = tonumber(string.sub(string.match(info, 'master_replid:(%x+)') or '0', 1, 13), 16)
local copies = string.match(info, 'connected_slaves:(%d+)') or '0'
primary = primary or 0 -- written before it was kept
if here == 0 then here = primary end -- who is not told does not hide a failover from others
local block = kept[2] or ''
local kept_external = figures(external_key, '', kept[3], 3, 0) or {0, 0, 0, 0}
if kept_external[3] > (day + 2) * 86400 then -- the figure of a day is read on that day
	doubt(external_key, '', kept[3])
	kept_external = {0, 0, 0, 0}
end
kept_external[4] = kept_external[4] or 0 -- written before billed was kept

local me = figures(replicas_key, replica, redis.call('HGET', replicas_key, replica), 2, 0)
local last, left = 0, 0
if me then last, left = unpack(me) end
if seq < last then return {id, 'stale'} end
local repeated = me and seq == last
if not repeated then left = leave and 1 or 0 end

-- A server may have lost rows if it has no epoch or an older one, did not have this script, or does not know what it
-- answered: it was flushed, restarted from an older copy, or is another server. One that has taken the place of its
-- primary may have missed the last writes. Replicas that are alive write their rows again within a heartbeat. If
-- grants_from is too far ahead, the server's clock was set back.
local lost = answered > last
-- A server that evicts keys may have forgotten the rows alone. Their sums are no use then: the same would be added again.
local evicted = me and redis.call('EXISTS', rows_key) == 0 and redis.call('EXISTS', sums_key) == 1
local renewed = epoch == 0 or unknown or known > epoch or (lost and known == epoch) or grants_from > now + settle or
	primary ~= 0 and primary ~= here or evicted
if renewed then
	epoch = math.max(now, known + 1, epoch + 1)
	grants_from = now + settle
end

local requests, fields, budgets = {}, {}, {}
for i = 1, num_requests do
	local r = {
		budget = text(), limit = number(), spent = number(), held = number(), reserved = number(),
		min = number(), want = number(), waiting = number(), month = number(),
	}
	requests[i], fields[i], budgets[i] = r, replica .. '\0' .. r.budget, r.budget
end
local others = {}
for _, name in ipairs(redis.call('ZRANGEBYSCORE', seen_key, '(' .. digits(now - timeout), digits(now + timeout))) do
	if name ~= replica then
		others[#others + 1] = name
		for _, r in ipairs(requests) do fields[#fields + 1] = name .. '\0' .. r.budget end
	end
end
local found, found_sums = fetch(rows_key, fields), evicted and {} or fetch(sums_key, budgets)

-- While nothing is granted, a replica whose row of the account is gone is to report all its budgets again.
local forgotten = now < grants_from and me and budgets[1] == 'account' and not found[1]

-- A sum that is not believed is made anew of the rows, also of those that left.
local function sum_up(budget)
	local sum, all, ending = {0, 0, 0}, redis.call('HGETALL', rows_key), '\0' .. budget
	for i = 1, #all, 2 do
		local row = string.sub(all[i], -#ending) == ending and figures(rows_key, all[i], all[i + 1], 7, 0, 2)
		if row then
			sum[1], sum[2], sum[3] = add(sum[1], row[2]), add(sum[2], row[3]), add(sum[3], math.max(-row[2], 0))
		end
	end
	return sum
end

local rows, sums, alive = {}, {}, {}
for i, r in ipairs(requests) do
	local mine = figures(rows_key, fields[i], found[i], 7, 0, 2)
	local sum = figures(sums_key, r.budget, found_sums[i], 2, 0, 1)
	rows[r.budget] = mine or {0, 0, 0, 0, 0, 0, 0}
	local held, reserved, waiting = 0, 0, 0
	r.lowest = r.limit
	for j = 1, #others do
		local line = found[j * num_requests + i]
		if line then
			local row = figures(rows_key, fields[j * num_requests + i], line, 7, 0, 2)
			if row then
				held, reserved, waiting = add(held, row[3]), add(reserved, row[4]), add(waiting, row[5])
				if row[8] == 1 then r.lowest = math.min(r.lowest, row[1]) end
			end
		end
	end
	-- A sum is never below its parts.
	local mine_held = mine and mine[3] or 0
	if sum then sum[3] = sum[3] or 0 end -- written before less was kept
	if sum and (mine and sum[1] + sum[3] < mine[2] or sum[2] < mine_held + held) then
		doubt(sums_key, r.budget, found_sums[i])
		sum = nil
	end
	if found[i] and not mine or not sum and (mine or found_sums[i] or held > 0) then sum = sum_up(r.budget) end
	sums[r.budget] = sum or {0, 0, 0}
	alive[r.budget] = {held, reserved, waiting}
end

local function less(budget, lost)
	if budget ~= 'account' then return 0 end
	return external[1] - math.min(external[2], lost)
end
if repeated or kept_external[3] >= external[3] then external = kept_external end
local wanted, returned, block_changed = false, false, false
if not repeated then
	for _, r in ipairs(requests) do
		local old, sum = rows[r.budget], sums[r.budget]
		sum[1], sum[2] = add(sum[1] - old[2], r.spent), add(sum[2] - old[3], r.held)
		sum[3] = add(sum[3] - math.max(-old[2], 0), math.max(-r.spent, 0))
		local lost_here = sum[2] - r.held - alive[r.budget][1]
		local free, granted = r.lowest - add(sum[1], sum[2]) - less(r.budget, lost_here), 0
		if now >= grants_from and r.want > 0 and r.limit > 0 and free > 0 and free >= r.min then
			granted = math.min(r.want, free)
			sum[2] = sum[2] + granted
		end
		local held = add(r.held, granted)
		rows[r.budget] = {r.limit, r.spent, held, r.reserved, r.waiting, granted, seq, r.month}
		if r.spent + held < old[2] + old[3] and alive[r.budget][3] > 0 then returned = true end
		if r.waiting > 0 and granted < r.min then wanted = true end
	end
end

-- The records of all replicas are summed as they change, so that the sums outlive the replicas' own records.
local new_records, new_history, new_silent, new_learned = {}, {}, {}, {}
if not repeated and num_records > 0 then
	local names, own, own_silent, values, silent, learned = {}, {}, {}, {}, {}, {}
	for i = 1, num_records do
		names[i] = text()
		own[i] = replica .. '\0' .. names[i]
		own_silent[i] = own[i] .. '\0'
		values[i] = {number(), number(), number(), number(), number(), number()}
		silent[i] = {number(), number(), number()}
		learned[i] = {number(), number(), number(), number(), number()}
	end
	local mine, all = fetch(records_key, own), fetch(history_key, names)
	local mine_silent, all_silent = fetch(records_key, own_silent), fetch(silent_key, names)
	local all_learned = fetch(learned_key, names)
	for i, name in ipairs(names) do
		local old = figures(records_key, own[i], mine[i], 4, -exact) or {0, 0, 0, 0}
		local sum = figures(history_key, name, all[i], 4, -exact) or {0, 0, 0, 0}
		for k = 1, 4 do sum[k] = add(sum[k] - old[k], values[i][k]) end
		for k = 5, 6 do sum[k] = math.max(sum[k] or 0, values[i][k]) end
		new_records[#new_records + 1], new_records[#new_records + 2] = own[i], digits(unpack(values[i]))
		new_history[2 * i - 1], new_history[2 * i] = name, digits(unpack(sum, 1, 6))
		if mine_silent[i] or silent[i][1] ~= 0 or silent[i][2] ~= 0 or silent[i][3] ~= 0 then
			old = figures(records_key, own_silent[i], mine_silent[i], 2, -exact) or {0, 0}
			sum = figures(silent_key, name, all_silent[i], 3, -exact) or {0, 0, 0}
			for k = 1, 2 do sum[k] = add(sum[k] - old[k], silent[i][k]) end
			sum[3] = math.max(sum[3], silent[i][3])
			new_records[#new_records + 1], new_records[#new_records + 2] = own_silent[i], digits(unpack(silent[i]))
			new_silent[#new_silent + 1], new_silent[#new_silent + 2] = name, digits(unpack(sum))
		end
		if math.max(unpack(learned[i])) > 0 then
			sum = figures(learned_key, name, all_learned[i], 5, 0) or {0, 0, 0, 0, 0}
			for k = 1, 5 do sum[k] = math.max(sum[k], learned[i][k]) end
			new_learned[#new_learned + 1], new_learned[#new_learned + 2] = name, digits(unpack(sum, 1, 5))
		end
	end
end

-- So are the hours. A replica's own are among its records, whose names have a second zero byte.
local new_hours = {}
if not repeated and num_hours > 0 then
	local names, own, values = {}, {}, {}
	for i = 1, num_hours do
		names[i] = text()
		own[i] = replica .. '\0' .. names[i]
		values[i] = number()
	end
	local mine, all = fetch(records_key, own), fetch(hours_key, names)
	for i, name in ipairs(names) do
		local sum = figures(hours_key, name, all[i], 1, -exact) or {0}
		local old = figures(records_key, own[i], mine[i], 1, -exact) or {0}
		sum = add(sum[1] - old[1], values[i])
		new_records[#new_records + 1], new_records[#new_records + 2] = own[i], digits(values[i])
		new_hours[2 * i - 1], new_hours[2 * i] = name, digits(sum)
	end
end
if not fits then return {id, 'beyond'} end

if not repeated then
	if block_change == 'set' then
		if block_at == '' then block_at = string.format('%s.%06d000', time[1], time[2]) end
		block_changed = block ~= block_at .. ' ' .. block_until
		block = block_at .. ' ' .. block_until
	elseif block_change == 'open' then
		block_changed = block ~= ''
		block = ''
	end

	local new_rows, new_sums = {}, {}
	for i, r in ipairs(requests) do
		new_rows[2 * i - 1], new_rows[2 * i] = replica .. '\0' .. r.budget, digits(unpack(rows[r.budget]))
		new_sums[2 * i - 1], new_sums[2 * i] = r.budget, digits(unpack(sums[r.budget]))
	end
	put(replicas_key, {replica, digits(seq, left)})
	if evicted then redis.call('DEL', sums_key) end
	if external[3] ~= kept_external[3] then
		redis.call('SET', external_key, digits(unpack(external)), 'PX', history_ttl)
	end
	put(rows_key, new_rows)
	put(sums_key, new_sums)
	put(records_key, new_records)
	put(history_key, new_history)
	put(silent_key, new_silent)
	put(learned_key, new_learned)
	put(hours_key, new_hours)
	if block_changed and block ~= '' then
		redis.call('SET', block_key, block, 'PX', day_ttl)
	elseif block_changed then
		redis.call('DEL', block_key)
	end
end
if not me then
	redis.call('ZADD', days_key, day, day)
	redis.call('PEXPIRE', days_key, epoch_ttl)
end
if renewed or not me or primary ~= here then
	redis.call('SET', epoch_key, digits(epoch, grants_from, here), 'PX', epoch_ttl)
end
if left == 1 then
	redis.call('ZREM', seen_key, replica)
else
	redis.call('ZADD', seen_key, now, replica)
end
-- All keys of the replicas of a day expire together, since they are counted together. The sums outlive them: they count
-- against limits of the month.
if grew then
	for _, key in ipairs({replicas_key, seen_key, rows_key, records_key, hours_key}) do redis.call('PEXPIRE', key, day_ttl) end
	for _, key in ipairs({sums_key, history_key, silent_key, learned_key}) do redis.call('PEXPIRE', key, history_ttl) end
end

-- A user that may not publish does no harm: others learn of it with their next heartbeat.
if block_changed then redis.pcall('PUBLISH', events, '1 ' .. replica) end
if wanted then redis.pcall('PUBLISH', events, '2 ' .. replica) end
if returned then redis.pcall('PUBLISH', events, '3 ' .. replica) end

local answer = {
	id, 'kept', time[1], time[2], digits(epoch), (lost or not me or forgotten) and '1' or '0', digits(#others + 1 - left),
	block, digits(unpack(external)), copies,
}
for _, r in ipairs(requests) do
	local row, sum, living = rows[r.budget], sums[r.budget], alive[r.budget]
	local held, reserved = living[1], living[2]
	if left == 0 then held, reserved = held + row[3], reserved + row[4] end
	local free = 0
	if r.limit > 0 then free = r.lowest - sum[1] - sum[2] - less(r.budget, sum[2] - held) end
	local granted = 0
	if row[7] == seq then granted = row[6] end
	answer[#answer + 1] = digits(granted, r.lowest, sum[1], held, reserved, sum[2] - held, free, living[3])
end
for i = 1, #doubts do answer[#answer + 1] = doubts[i] end
return answer
