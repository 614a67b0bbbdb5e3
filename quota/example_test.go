package quota_test

import (
	"context"
	"fmt"

	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/memstore"
)

// A call reserves what it may cost, is made, and settles what it did cost. A refusal is a decision, not an error.
func ExampleLedger() {
	ctx := context.Background()
	ledger, err := quota.New(ctx, quota.Options{
		Limit: 10_000 * quota.OneNeuron,
		Store: memstore.New(nil), // filestore and redisstore outlive the process
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = ledger.Close(ctx) }() // gives back what is free and publishes what was spent

	call := quota.Call{Model: "@cf/meta/llama-3.1-8b-instruct-fp8", Estimate: 12 * quota.OneNeuron}
	res, decision, err := ledger.Reserve(ctx, call)
	if err != nil || res == nil {
		fmt.Println(decision.Outcome, err)
		return
	}
	defer res.Release() // changes nothing once the call is settled

	// The call is made here; Workers AI reports 4.2 neurons.
	res.Settle(quota.Cost{Neurons: quota.FromFloat(4.2), Basis: quota.Reported})
	account := ledger.Snapshot().Account
	fmt.Println(account.Used, "used,", account.Remaining, "remaining")

	call.Estimate = 9_996 * quota.OneNeuron
	res, decision, err = ledger.Reserve(ctx, call)
	fmt.Println(res == nil, decision.Outcome, decision.Left(), err)
	// Output:
	// 4.20 used, 9995.80 remaining
	// true exhausted 9995.80 <nil>
}
