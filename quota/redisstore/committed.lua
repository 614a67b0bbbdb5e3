-- What each of some days counts against a limit of more than a day: id, then for each day how many values follow, and
-- budget, neurons, budget, neurons, and so on. The keys are three of each day: sums, external, history. ARGV[4] is the
-- separator in names.
local id, separator = ARGV[1], ARGV[4]

local exact = 9007199254740992 -- 2^53

-- The figures of line: zeros where one cannot be, or as_many are not there. sync.lua tells of them.
local function numbers(line, as_many, min)
	local all, good = {}, true
	for word in string.gmatch(line, '%S+') do
		local n = string.find(word, '^%-?%d+$') and tonumber(word)
		good = good and n and n >= min and n < exact
		all[#all + 1] = n or 0
	end
	if good and #all >= as_many then return all end
	return {0, 0, 0, 0}
end

local answer = {id}
for i = 1, #KEYS, 3 do
	local total = {}
	local function add(budget, n) total[budget] = (total[budget] or 0) + n end
	local sums, external = redis.call('HGETALL', KEYS[i]), redis.call('GET', KEYS[i + 1])
	local lost = 0
	for j = 1, #sums, 2 do
		local sum = numbers(sums[j + 1], 2, 0)
		add(sums[j], sum[1] + sum[2])
		if sums[j] == 'account' then lost = sum[2] end
	end
	if #sums == 0 then
		-- A former version kept the sums of a day for a week. Its records say what was spent, but not what was lost.
		local history = redis.call('HGETALL', KEYS[i + 2])
		for j = 1, #history, 2 do
			local record = numbers(history[j + 1], 4, -exact)
			local spent = record[2] + record[3] + record[4]
			local at = string.find(history[j], separator, 1, true)
			add('account', spent)
			if at and at < #history[j] then add('client:' .. string.sub(history[j], at + 1), spent) end
		end
	end
	if external then
		local figures = numbers(external, 2, 0)
		add('account', figures[1] - math.min(figures[2], lost))
	end
	answer[#answer + 1] = ''
	local head = #answer
	for budget, n in pairs(total) do
		answer[#answer + 1], answer[#answer + 2] = budget, string.format('%.0f', n)
	end
	answer[head] = tostring(#answer - head)
end
return answer
