package price_test

import (
	"testing"

	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/price"
)

func BenchmarkEstimate(b *testing.B) {
	e := price.NewEstimator(nil, price.Bound)
	r := quota.Request{PromptBytes: 2000, MaxTokens: 300}
	b.ReportAllocs()
	for b.Loop() {
		e.Estimate(e.Resolve(model), r)
	}
}
