package main

import (
	"log/slog"
	"sync/atomic"

	"github.com/neuronward/neuronward/quota"
)

// A planWatch logs once a day that more was spent than the free plan gives, where the plan is set or assumed to be
// free: there Workers AI would have refused calls.
type planWatch struct {
	free   bool
	logged atomic.Int64 // the last day on which it was logged; 0: none
}

// check takes what all processes have spent on a day.
func (w *planWatch) check(day quota.Day, used quota.Neurons, log *slog.Logger) {
	if !w.free || used <= quota.FreeNeurons {
		return
	}
	if logged := w.logged.Load(); int64(day) > logged && w.logged.CompareAndSwap(logged, int64(day)) {
		log.Warn("more neurons were counted today than the free plan gives; if the account is on Workers Paid, "+
			"set NEURONWARD_PLAN=paid",
			"day", day.String(), "used", used.Float(), "free", quota.FreeNeurons.Float())
	}
}
