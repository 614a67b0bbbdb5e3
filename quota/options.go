package quota

import (
	"cmp"
	"crypto/rand"
	"errors"
	"fmt"
	"time"
)

// Heartbeat is how often a Ledger syncs with its store when nothing is urgent, unless Options.Heartbeat says
// otherwise.
const Heartbeat = 500 * time.Millisecond

const (
	// trimDelay is how long more than what may be kept stays free after calls that cost less than they reserved: most
	// bursts need it again at once.
	trimDelay = 50 * time.Millisecond

	// idleAfter is how long no call must have asked for a budget until what is free of it goes back, if there are
	// other replicas, but for what a few calls need.
	idleAfter = 2 * time.Second

	// MaxCost bounds one estimate or cost, so that sums never wrap.
	MaxCost = 1_000_000_000 * OneNeuron
)

// Options are the settings of a Ledger. Store is required; without the rest it counts and limits nothing.
type Options struct {
	Limit      Neurons // of the account's day; 0: none
	MonthLimit Neurons // of the account's UTC calendar month; 0: none
	Margin     float64 // part of each limit that no call may reserve, for those that cost more; see marginAt
	Mode       Mode
	Wait       time.Duration // how long a call may wait for neurons that calls in flight or other replicas hold
	KeepPlace  time.Duration // how long, at most, the place of a call is kept that was told to come back; 0: it is not
	Probe      time.Duration // how often a blocked account is tried before its reset; 0: never

	Store             Store            // where replicas agree
	StoreTimeout      time.Duration    // for one operation of the store; 0: 2 s
	OnStoreEvent      func(StoreEvent) // called at the end of each operation, several at once; may be nil
	AllowOfflineGrant bool             // while the store fails: spend this replica's share instead of failing

	// Heartbeat is how often to sync with the store when nothing is urgent; 0: the constant Heartbeat. It must be 2 s
	// at most where replicas share the store, which takes a silent one for dead after ReplicaTimeout.
	Heartbeat time.Duration

	Pace      RateLimiter      // whose limits the replicas share in equal parts; nil: none
	FigureLag time.Duration    // until the account's own figure has counted a call; 0: 5 min
	Replica   Replica          // "": a random one, as it should be but in tests
	Now       func() time.Time // the machine's clock, and the store's if that is on this machine; nil: time.Now
}

// A RateLimiter keeps limits of requests per minute that replicas share.
type RateLimiter interface {
	// Join says that other replicas have spent of the limits up to now.
	Join(now time.Time)
	// SetShare sets which part of all limits is this process', from 0 to 1.
	SetShare(share float64, now time.Time)
}

func (o Options) check() (Options, error) {
	for _, limit := range []Neurons{o.Limit, o.MonthLimit} {
		if limit < 0 || limit > MaxCost {
			return o, fmt.Errorf("quota: a limit of %v neurons is not between 0 and %v", limit, MaxCost)
		}
	}
	if min(o.Wait, o.KeepPlace, o.Probe, o.StoreTimeout, o.Heartbeat, o.FigureLag) < 0 {
		return o, errors.New("quota: a negative duration")
	}
	if !(o.Margin >= 0 && o.Margin < 1) {
		return o, fmt.Errorf("quota: a margin of %v is not a part of a limit", o.Margin)
	}
	if o.Mode == Off {
		o.Limit, o.MonthLimit = 0, 0
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Store == nil {
		return o, errors.New("quota: Options.Store is missing")
	}
	o.Replica = cmp.Or(o.Replica, Replica(rand.Text()))
	o.FigureLag = cmp.Or(o.FigureLag, FigureLag)
	o.Heartbeat = cmp.Or(o.Heartbeat, Heartbeat)
	o.StoreTimeout = cmp.Or(o.StoreTimeout, 2*time.Second)
	if o.OnStoreEvent == nil {
		o.OnStoreEvent = func(StoreEvent) {}
	}
	return o, nil
}
