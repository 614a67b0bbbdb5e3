package quota

import (
	"context"
	"errors"
	"time"
)

// A Store is where the holders of one account agree on who may spend what.
// Every method is one atomic step. A Store is used by many goroutines at once;
// the exchanges of one holder are serialized by that holder. A step should end
// with its context; a Ledger waits no longer for one that does not, and begins no
// other of the same kind before it has ended.
type Store interface {
	// Sync publishes the rows of one holder and asks for more. What a Report says replaces what the
	// holder said before: figures are absolute, so a lost answer may be repeated and an emptied store
	// refills itself. A Report whose Seq was seen already is answered as it was then and changes nothing; a
	// lower Seq is refused with ErrStale. What is granted is kept (durably, if the store outlives the
	// process) before Sync returns; an error grants nothing that may be spent.
	Sync(ctx context.Context, r Report) (Reply, error)

	// History returns what was spent on the days from to to, both included, one Record a day, model and
	// client, summed over all holders, sorted by day, model and client.
	History(ctx context.Context, from, to Day) ([]Record, error)

	// Hours returns what was settled in each hour of a day, summed over all holders.
	Hours(ctx context.Context, day Day) (Hours, error)

	// Lease reports whether the caller is the one who may do what name stands for during the next ttl.
	// A lease is not given back: it ends.
	Lease(ctx context.Context, name string, ttl time.Duration) (bool, error)

	// Watch returns a channel of what other holders made happen. Events may be merged or lost: whoever
	// watches also asks from time to time. The channel is closed when ctx ends or the store closes.
	Watch(ctx context.Context) (<-chan Event, error)

	// Publish passes e on to all who watch, to those of its own holder as well. It may be lost.
	Publish(ctx context.Context, e Event) error
}

// ErrStale is returned by Exchange for a Report that is older than the last one
// of its holder.
var ErrStale = errors.New("quota: the report is older than the last one of its holder")

// Replica names one process among those that share a store. A process that
// starts again is another holder.
type Replica string

// Budget names what is shared out: the account's day, or a client's.
type Budget string

// Account is the pot of the account's day.
const Account Budget = "account"

// ClientBudget returns the pot of the day of the client called name.
func ClientBudget(name string) Budget { return Budget("client:" + name) }

// A Report is what one holder tells the store about one day.
type Report struct {
	Day      Day
	Replica  Replica
	Seq      uint64 // rises with every report of the holder
	Requests []BudgetRequest
	Records  []Record    // what changed since the last report that was answered; Day is not read
	Hours    []HourSpent // by this holder, those that changed likewise
	Block    BlockChange
	External External // as the holder knows it; the store keeps the latest
	Leave    bool     // the holder spends nothing more on this day; what it still holds is lost
}

// A BudgetRequest is what a holder says about one pot. It is kept as the holder's row
// of that day and pot, in place of the former one.
type BudgetRequest struct {
	Budget   Budget
	Limit    Neurons // ceiling of the pot as the holder knows it; 0: none
	Spent    Neurons // settled by this holder on this day
	Held     Neurons // what the holder may still spend, with what is reserved
	Reserved Neurons // the part of Held that belongs to calls in flight
	Min      Neurons // less than this is of no use
	Want     Neurons // asked for, on top of Held
	Waiting  Neurons // calls of this many neurons wait; others should give back what is free
}

// Reply is a store's answer to a Report. Granted and Balances are in the order
// of its Claims.
type Reply struct {
	Granted  []Neurons // to be added to what the holder holds: 0, or between Min and Want
	Balances []Balance
	Replicas int // that were heard of lately, the asking one included
	Block    Block
	External External  // of the day
	Time     time.Time // the store's clock
	Joined   bool      // the store had no row of this holder for the day: it is new, or the store was emptied
}

// A Balance is how a pot stands, over all holders, after an exchange.
type Balance struct {
	Limit    Neurons
	Spent    Neurons // settled
	Held     Neurons // by holders that live, with what is reserved
	Reserved Neurons // by calls in flight of holders that live
	Lost     Neurons // held by holders that left or were not heard of lately, with what of it was released
	Free     Neurons // to be granted: Limit - Spent - Held - Lost; less what is external and more by what was released, of the account; negative after overruns
	Waiting  Neurons // wanted by calls that wait at other holders
}

// External is what the account's own figure says of a day beyond what its
// holders say. It concerns the account's pot alone.
type External struct {
	Spent    Neurons   `json:"spent,omitempty"`    // outside of all holders
	Released Neurons   `json:"released,omitempty"` // of what is lost: the figure shows that it was not spent
	Billed   Neurons   `json:"billed,omitempty"`   // on the day until At, to all
	At       time.Time `json:"at"`                 // until when the figure counts, in whole seconds; zero: it was never read
}

// Later returns the one of the two that was read later, e if both are as old.
func (e External) Later(o External) External {
	if o.At.After(e.At) {
		return o
	}
	return e
}

// less is how much less may be granted for e, where lost is lost.
func (e External) less(lost Neurons) Neurons { return e.Spent - min(e.Released, lost) }

// A Record is what was spent on one day with one model by one client.
type Record struct {
	Day       Day     `json:"day"`
	Model     string  `json:"model"`
	Client    string  `json:"client"`
	Calls     int64   `json:"calls"`
	Reported  Neurons `json:"reported"`  // as Workers AI said
	Priced    Neurons `json:"priced"`    // by the price table, from tokens or the like
	Estimated Neurons `json:"estimated"` // by what was reserved, or by what had passed

	// Of the calls that succeeded and did not say what they cost: how many they were, and what the price table alone makes of them.
	Silent int64   `json:"silent,omitempty"`
	Table  Neurons `json:"table,omitempty"`

	Calibration
}

// Neurons returns all that r counts.
func (r Record) Neurons() Neurons { return r.Reported.Add(r.Priced).Add(r.Estimated) }

// A Block says that Workers AI itself refused for the spent allocation.
type Block struct {
	Set   bool      `json:"set"`
	At    time.Time `json:"at"`    // when it was set
	Until time.Time `json:"until"` // the reset that it waits for
}

// A BlockChange asks a store to set or open the latch. The zero value leaves it
// as it is.
type BlockChange struct {
	Lift bool  // opens the latch
	Set  Block // replaces the latch, if Set.Set
}

// An Event is what a Store tells those who watch it.
type Event struct {
	Kind    EventKind
	Replica Replica // who made it happen
	Model   string  // of ModelBusy and ModelFree
}

// EventKind is what happened.
type EventKind uint8

// The kinds of events.
const (
	BlockChanged    EventKind = iota + 1 // the latch was set or opened
	NeuronsWanted                        // a holder has calls that wait for neurons
	NeuronsReturned                      // neurons were given back while a holder waits
	ModelBusy                            // Workers AI has no capacity for a model
	ModelFree                            // it has again
)
