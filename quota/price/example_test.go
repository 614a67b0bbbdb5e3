package price_test

import (
	"fmt"

	"github.com/neuronward/neuronward/quota/price"
	"github.com/neuronward/neuronward/quota/workload"
)

// A call is estimated before it is made, and costs what Workers AI reported.
func ExampleEstimator() {
	e := price.NewEstimator(price.Embedded(), price.Bound)
	m := e.Resolve("@cf/meta/llama-3.1-8b-instruct-fp8")

	estimate := e.Estimate(m, workload.Request{PromptBytes: 936, MaxTokens: 1000})
	fmt.Println("reserve", estimate.Neurons)

	cost, _ := e.Cost(m, workload.Usage{HasTokens: true, Input: 250, Output: 400})
	fmt.Println("cost", cost.Neurons, cost.Basis)
	// Output:
	// reserve 39.91
	// cost 13.90 priced
}
