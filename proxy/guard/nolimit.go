package guard

import (
	"sync/atomic"
	"time"

	"github.com/neuronward/neuronward/quota"
)

// noLimit is what calls hold that name no limit of output: each reserves the most that its model may make.
type noLimit struct {
	held   atomic.Int64 // quota.Neurons reserved by those in flight
	warned atomic.Int64 // the last UTC day of a warning, in days of Unix time
}

// namesNoLimit reports whether the call could have named a limit of output and did not.
func (ch *Charge) namesNoLimit() bool {
	return ch.call.LimitField != "" && ch.call.Request.MaxTokens == 0 && len(ch.call.Request.Parts) == 0
}

// hold counts a reservation that was made, and tells once a day when those without a limit of output hold more than
// half of the account's limit.
func (ch *Charge) hold() {
	if !ch.namesNoLimit() {
		return
	}
	g := ch.guard
	ch.held = ch.reservation.Neurons()
	held := quota.Neurons(g.noLimit.held.Add(int64(ch.held)))
	today := time.Now().Unix() / int64(24*time.Hour/time.Second)
	if g.o.OnNoLimit == nil || g.noLimit.warned.Load() == today {
		return
	}
	d := ch.decision
	if d.Budget != quota.Account {
		d = g.ledger.Peek(quota.Call{})
	}
	if !d.Unlimited && held > d.Limit/2 && g.noLimit.warned.Swap(today) != today {
		g.o.OnNoLimit(held, d.Limit)
	}
}

// letGo counts that the reservation is held no longer.
func (ch *Charge) letGo() {
	ch.guard.noLimit.held.Add(-int64(ch.held))
	ch.held = 0
}
