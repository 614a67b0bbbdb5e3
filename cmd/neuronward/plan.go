package main

import (
	"log/slog"
	"sync/atomic"

	"github.com/neuronward/neuronward/cmd/neuronward/config"
	"github.com/neuronward/neuronward/quota"
)

// beyondFree reports whether a day cost more than the free plan gives: Workers AI would have refused it there.
func beyondFree(used quota.Neurons) bool { return used > config.FreeNeurons*quota.OneNeuron }

// A planWatch tells once a day that more was spent than the free plan gives, where the plan is said or assumed to be free.
type planWatch struct {
	free bool
	told atomic.Int64 // the last day on which it was told; 0: none
}

// see takes an exchange with the store, whose figures are over all processes.
func (w *planWatch) see(r quota.Report, s quota.Reply, log *slog.Logger) {
	if !w.free {
		return
	}
	for i, c := range r.Requests {
		if c.Budget != quota.Account || !beyondFree(s.Balances[i].Spent) {
			continue
		}
		if day, told := int64(r.Day), w.told.Load(); day > told && w.told.CompareAndSwap(told, day) {
			log.Warn("more neurons were spent today than the free plan gives: the account must be on Workers Paid; set NEURONWARD_PLAN=paid",
				"day", r.Day.String(), "used", s.Balances[i].Spent.Float(), "free", config.FreeNeurons)
		}
	}
}
