package quota

// measured is what models were seen to cost, as a multiple of the table, where
// that is more: the larger one bounds. Each comes from a note in the table.
var measured = map[string]float64{
	// 172.80 for 1024x1024 in 4 steps, where the table makes 57.60.
	"@cf/black-forest-labs/flux-1-schnell": 3,
	// 3904.69 for one image of default size; the table makes 2,844 with 25 steps and 3,144 with the 50 that bound it.
	"@cf/leonardo/lucid-origin": 3904.69 / 2844,
	// 3,120 for 1024x1024; the table makes 2,370 with 25 steps.
	"@cf/leonardo/phoenix-1.0": 3120.0 / 2370,
	// The page gives 0.51 a minute and dollars that make 30.72.
	"@cf/pipecat-ai/smart-turn-v2": 30.73 / 0.51,
}

func measuredFactor(model string) float64 {
	if f, ok := measured[model]; ok {
		return f
	}
	return 1
}
