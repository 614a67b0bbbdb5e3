-- What some days count against a limit of more than a day, summed by budget: id, budget, neurons, budget,
-- neurons, and so on. The keys are three of each day: sums, external, history. ARGV[3] is the separator in names.
local id, separator = ARGV[1], ARGV[3]

local function numbers(line)
	local all = {}
	for word in string.gmatch(line, '%S+') do all[#all + 1] = tonumber(word) end
	return all
end

local total = {}
local function add(budget, n) total[budget] = (total[budget] or 0) + n end

for i = 1, #KEYS, 3 do
	local sums, external = redis.call('HGETALL', KEYS[i]), redis.call('GET', KEYS[i + 1])
	local lost = 0
	for j = 1, #sums, 2 do
		local sum = numbers(sums[j + 1])
		add(sums[j], sum[1] + sum[2])
		if sums[j] == 'account' then lost = sum[2] end
	end
	if #sums == 0 then
		-- A former version kept the sums of a day for a week. Its records say what was spent, but not what was lost.
		local history = redis.call('HGETALL', KEYS[i + 2])
		for j = 1, #history, 2 do
			local record = numbers(history[j + 1])
			local spent = record[2] + record[3] + record[4]
			local at = string.find(history[j], separator, 1, true)
			add('account', spent)
			if at and at < #history[j] then add('client:' .. string.sub(history[j], at + 1), spent) end
		end
	end
	if external then
		local figures = numbers(external)
		add('account', figures[1] - math.min(figures[2], lost))
	end
end

local answer = {id}
for budget, n in pairs(total) do
	answer[#answer + 1], answer[#answer + 2] = budget, string.format('%.0f', n)
end
return answer
