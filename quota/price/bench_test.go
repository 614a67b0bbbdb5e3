package price_test

import (
	"testing"

	"github.com/neuronward/neuronward/quota/price"
	"github.com/neuronward/neuronward/quota/workload"
)

func BenchmarkEstimate(b *testing.B) {
	e := price.NewEstimator(nil, price.Bound)
	r := workload.Request{PromptBytes: 2000, MaxTokens: 300}
	b.ReportAllocs()
	for b.Loop() {
		e.Estimate(e.Resolve(model), r)
	}
}
