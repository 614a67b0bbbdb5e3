package quota

import (
	"cmp"
	"context"
	"errors"
	"time"
)

// KeepDays is how many days a store keeps: the present month and the one before, whatever their lengths.
const KeepDays = 62

// ReplicaTimeout is how long after its last report a replica counts as dead. What it holds is then shown as lost. It
// is alive again with its next report.
const ReplicaTimeout = 10 * Heartbeat

// A Store is where the replicas of one account agree on who may spend what. Every method is one atomic operation. A
// Store is used by many goroutines at once; the syncs of one replica are serialized by that replica. An operation
// should end with its context; a Ledger waits no longer for one that does not, and begins no other of the same kind
// before it has ended.
type Store interface {
	// Sync publishes the rows of one replica and asks for more. What a Report says replaces what the replica said
	// before: figures are absolute, so a lost answer may be repeated and an emptied store refills itself. A Report
	// whose Seq was seen already is answered as it was then and changes nothing; a lower Seq is refused with
	// ErrStale. What is granted is kept (durably, if the store outlives the process) before Sync returns; an error
	// grants nothing that may be spent.
	Sync(ctx context.Context, r Report) (Reply, error)

	// History returns what was spent on the days from to to, both included, one Record for each day, model and
	// client, summed over all replicas, sorted by day, model and client.
	History(ctx context.Context, from, to Day) ([]Record, error)

	Archive

	// PutBatch keeps a batch (durably, if the store outlives the process) until BatchDays after its day.
	PutBatch(ctx context.Context, b Batch) error

	// Batch returns the batch with this id that PutBatch has kept with today or with the days before, BatchDays
	// together. settle marks it as settled, for whoever asks next.
	Batch(ctx context.Context, today Day, id string, settle bool) (b Batch, ok bool, err error)

	// Lease reports whether the caller is the one who may do what name stands for during the next ttl. A lease is not
	// given back: it ends.
	Lease(ctx context.Context, name string, ttl time.Duration) (bool, error)

	// Watch returns a channel of the events that replicas cause. Events may be merged or lost: whoever watches also
	// asks from time to time. The channel is closed when ctx ends or the store closes.
	Watch(ctx context.Context) (<-chan Event, error)

	// Publish passes e on to all who watch, to those of its own replica as well. It may be lost.
	Publish(ctx context.Context, e Event) error
}

// An Archive is what a Store keeps of days beside their records.
type Archive interface {
	// Committed returns what counts of the days from to to, both included, against a limit of more than a day: what all
	// replicas have spent or hold, or held when they ended, and what is external of the account.
	Committed(ctx context.Context, from, to Day) (ByDay, error)

	// Hours returns what was settled in each hour of a day, summed over all replicas. Those of today and of yesterday
	// are kept.
	Hours(ctx context.Context, day Day) (Hours, error)

	// Prices keeps p as the price of day, unless it is zero or the one that is kept is of a later Since, and returns
	// the prices of all days that have one. A price may be lost in a crash.
	Prices(ctx context.Context, day Day, p DayPrice) (map[Day]DayPrice, error)
}

// A DayPrice is what neurons of one day cost.
type DayPrice struct {
	Nanodollars int64     `json:"nanodollars"` // billionths of a US dollar, for 1,000 neurons
	Since       time.Time `json:"since"`       // when the process began that says so, in whole milliseconds
}

// ByDay is what counts of some days, by budget. A day of which nothing does may be missing.
type ByDay map[Day]map[Budget]Neurons

// Sum adds the days up.
func (d ByDay) Sum() map[Budget]Neurons {
	sum := map[Budget]Neurons{}
	for _, day := range d {
		for b, n := range day {
			sum[b] = sum[b].Add(n)
		}
	}
	return sum
}

// ErrStale is returned by Sync for a Report that is older than the last one of its replica.
var ErrStale = errors.New("quota: the report is older than the last one of its replica")

// Replica names one process among those that share a store. A process that starts again is another replica.
type Replica string

// Budget names what has a limit for a day: the account, or a client.
type Budget string

// Account is the account's budget.
const Account Budget = "account"

// ClientBudget returns the budget of the client called name.
func ClientBudget(name string) Budget { return Budget("client:" + name) }

// A Report is what one replica tells the store about one day.
type Report struct {
	Day      Day
	Replica  Replica
	Seq      uint64 // rises with every report of the replica
	Requests []BudgetRequest
	Records  []Record    // what changed since the last report that was answered; Day is not read
	Hours    []HourSpent // by this replica, those that changed likewise
	Block    BlockChange
	External External // as the replica knows it; the store keeps the latest
	Leave    bool     // the replica spends nothing more on this day; what it still holds is lost
}

// A BudgetRequest is what a replica says about one budget, and what it asks of it. It is kept as the replica's row of
// that day and budget, in place of the former one.
type BudgetRequest struct {
	Budget Budget
	Limit  Neurons // as the replica knows it; 0: none
	// Limit is the rest of the month's, and calls ask for it: nobody is granted more than by the lowest
	Month    bool
	Spent    Neurons // settled by this replica on this day
	Held     Neurons // what the replica may still spend, with what is reserved
	Reserved Neurons // the part of Held that belongs to calls in flight
	Min      Neurons // less than this is of no use
	Want     Neurons // asked for, on top of Held
	Waiting  Neurons // calls of this many neurons wait; others should give back what is free
}

// A Reply is a store's answer to a Report. Granted and Balances are in the order of its Requests.
type Reply struct {
	Granted  []Neurons // to be added to what the replica holds: 0, or between Min and Want
	Balances []Balance
	Replicas int // that reported lately, the asking one included
	Block    Block
	External External  // of the day
	Time     time.Time // the store's clock
	Joined   bool      // the store had no row of this replica for the day: it is new, or the store was emptied
}

// A Balance is how a budget stands, over all replicas, after a sync.
type Balance struct {
	Limit    Neurons // that of the request, or a lower one of another replica's request with Month
	Spent    Neurons // settled
	Held     Neurons // by replicas that are alive, with what is reserved
	Reserved Neurons // by calls in flight of replicas that are alive
	Lost     Neurons // held by replicas that left or died, with what of it was released
	Waiting  Neurons // wanted by calls that wait at other replicas

	// Free is what can be granted: Limit - Spent - Held - Lost; of the account less what is external and more by what
	// was released. It is negative after overruns.
	Free Neurons
}

// External is what the account's own figure says of a day beyond what its replicas say. It concerns the account's
// budget alone.
type External struct {
	Spent    Neurons   `json:"spent,omitempty"`    // outside of all replicas
	Released Neurons   `json:"released,omitempty"` // of what is lost: the figure shows that it was not spent
	Billed   Neurons   `json:"billed,omitempty"`   // on the day until At, to all
	At       time.Time `json:"at"`                 // until when the figure counts, in whole seconds; zero: never read
}

// Later returns the one of the two that was read later, e if both are as old.
func (e External) Later(o External) External {
	if o.At.After(e.At) {
		return o
	}
	return e
}

// A Record is what was spent on one day with one model by one client.
type Record struct {
	Day       Day     `json:"day"`
	Model     string  `json:"model"`
	Client    string  `json:"client"`
	Calls     int64   `json:"calls"`
	Reported  Neurons `json:"reported"`  // as Workers AI said
	Priced    Neurons `json:"priced"`    // by the price table, from tokens or the like
	Estimated Neurons `json:"estimated"` // by what was reserved, or by what had passed

	// Of the calls that succeeded and did not say what they cost: how many they were, and what the price table alone
	// makes of them.
	Silent int64   `json:"silent,omitempty"`
	Table  Neurons `json:"table,omitempty"`

	Calibration
}

// Neurons returns all that r counts.
func (r Record) Neurons() Neurons { return r.Reported.Add(r.Priced).Add(r.Estimated) }

// CompareRecords orders records by day, model and client, as History returns them.
func CompareRecords(a, b Record) int {
	return cmp.Or(cmp.Compare(a.Day, b.Day), cmp.Compare(a.Model, b.Model), cmp.Compare(a.Client, b.Client))
}

// A Block is the quota block: Workers AI itself refused a call because the allocation is spent.
type Block struct {
	Set   bool      `json:"set"`
	At    time.Time `json:"at"`    // when it was set
	Until time.Time `json:"until"` // the reset that it waits for
}

// A BlockChange asks a store to set or lift the quota block. The zero value leaves it as it is.
type BlockChange struct {
	Lift bool
	Set  Block // replaces the block, if Set.Set
}

// An Event is what a Store tells those who watch it.
type Event struct {
	Kind    EventKind
	Replica Replica // which caused it
	Model   string  // of ModelBusy and ModelFree
}

// EventKind is what happened.
type EventKind uint8

// The kinds of events.
const (
	BlockChanged    EventKind = iota + 1 // the quota block was set or lifted
	NeuronsWanted                        // a replica has calls that wait for neurons
	NeuronsReturned                      // neurons were given back while a replica waits
	ModelBusy                            // Workers AI has no capacity for a model
	ModelFree                            // it has again
)
