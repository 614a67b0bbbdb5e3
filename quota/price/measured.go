package price

// measured is by which factor models were measured to cost more than the table
// says. A call is bounded by the larger of the two. Each entry comes from a note in
// the table.
var measured = map[string]float64{
	// Cloudflare's page says 0.51 neurons a minute, and a price in dollars that makes 30.72.
	"@cf/pipecat-ai/smart-turn-v2": 30.73 / 0.51,
}

func measuredFactor(model string) float64 {
	if f, ok := measured[model]; ok {
		return f
	}
	return 1
}
