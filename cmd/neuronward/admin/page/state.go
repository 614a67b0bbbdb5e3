package page

import (
	"time"

	"github.com/neuronward/neuronward/metrics/minutes"
	"github.com/neuronward/neuronward/proxy"
	"github.com/neuronward/neuronward/proxy/breaker"
)

// A State is all that the page shows, as of one moment. Neurons are whole ones.
type State struct {
	Now     time.Time
	Version string
	Unready string // why calls would be refused; "": they would not
	Mode    string // enforce, observe, off
	Plan    string // free, paid

	Day     *Day // nil: nothing is counted
	Models  []Spender
	Clients []Spender

	Failing []minutes.CodeFailures // in the last hour
	Last    []proxy.FailureRecord  // the newest first

	Load     proxy.Load
	Rates    []proxy.Rate
	Breakers []breaker.Status
	Store    Store
	Holders  int // processes that share the day
	Waiting  int // calls that wait for neurons
}

// A Day is how the account's day stands.
type Day struct {
	Start     time.Time
	Used      float64 // through this proxy and those that share its store
	Reserved  float64
	Lost      float64
	External  float64
	Limit     *float64 // nil: no ceiling
	Remaining *float64
	Rate      float64 // neurons a second at present

	ExhaustedAt *time.Time
	ExpectedAt  *time.Time // nil: not before the reset
	Latched     bool
	RetryAt     *time.Time // of a latched account
	PlanWrong   bool

	Samples []minutes.Sample // of today, the oldest first
	Hours   []float64        // used until the end of each hour that has begun, the present one's until now; nil: not known

	Yesterday     []float64 // used until the end of each of its 24 hours; nil: not known
	YesterdayUsed float64   // on the whole of it
	YesterdayNow  *float64  // until this time of the day; nil: not known

	FigureAt      *time.Time // until when the account's own figure counts; nil: it was not read
	FigureFailure string     // why it cannot be read; "": it can, or need not
}

// Spent is what the day has cost, whoever spent it.
func (d *Day) Spent() float64 { return d.Used + d.External }

// End is when the day ends.
func (d *Day) End() time.Time { return d.Start.Add(24 * time.Hour) }

// A Spender is a model or a client.
type Spender struct {
	Name    string
	Calls   int64 // today
	Neurons float64
	Limit   *float64         // of a client with a budget of its own
	Hour    minutes.Standing // the last hour, of this process
}

// A Store says whether what is spent is kept.
type Store struct {
	Kind    string // file, memory, redis, none
	Policy  string // what becomes of calls while it fails: deny, allow
	Failure string // ""; it works
}
