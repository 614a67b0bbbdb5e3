package quota

import "time"

// Mode says what a Ledger does with a call that does not fit.
type Mode uint8

// The modes.
const (
	Enforce Mode = iota // refuses it
	Observe             // lets it pass and says what Enforce would have done
	Off                 // counts, and never looks
)

// Priority says how far into the account's day a call may spend.
type Priority uint8

// The priorities.
const (
	High   Priority = iota // all of it
	Normal                 // normalPercent of it
	Low                    // lowPercent of it
)

const (
	normalPercent = 95
	lowPercent    = 80
)

// share returns the part of limit that p may spend.
func (p Priority) share(limit Neurons) Neurons {
	percent := [...]Neurons{High: 100, Normal: normalPercent, Low: lowPercent}[p]
	return limit/100*percent + limit%100*percent/100
}

// A Call is what a Ledger must know of a call before it is made.
type Call struct {
	Model       string   // from a bounded set
	Client      string   // from a bounded set; "" if there are no clients
	Estimate    Neurons  // what it may cost
	ClientLimit Neurons  // the client's own limit for a day; 0: none
	ClientMonth Neurons  // the client's own limit for a UTC calendar month; 0: none
	CountClient bool     // count the client in a budget of its own even without a limit: it may get one later today
	Priority    Priority // within the account's budget alone
}

// Outcome is what was decided on a call.
type Outcome uint8

// The outcomes. Decision.Budget says which budget refused.
const (
	Allowed       Outcome = iota
	Exhausted             // the call cannot fit any more before the reset, even if all calls in flight cost nothing
	Contended             // it did not fit beside the calls in flight, during all of the wait
	PriorityFloor         // as Exhausted, since some is kept for calls of a higher priority
	Blocked               // Workers AI itself said that the allocation is spent
)

// String returns the outcome as a word for logs.
func (o Outcome) String() string {
	return [...]string{"allowed", "exhausted", "contended", "priority_floor", "latched"}[o]
}

// A Decision says whether a call may be made, and how the budget stands that decided: the one that refused, else the
// one with the least left. All figures are over all replicas, as far as this one knows; an allowed call is among the
// reserved.
type Decision struct {
	Outcome      Outcome
	Would        Outcome // in Observe: what Enforce would have decided (Contended: it would have waited first)
	Unlimited    bool    // the budget has no limit: Limit and Remaining say nothing
	Probe        bool    // the one call that finds out whether a blocked account may spend again
	OfflineGrant bool    // the store failed; see Options.AllowOfflineGrant
	Budget       Budget
	Estimate     Neurons
	Used         Neurons // settled today
	Reserved     Neurons // by calls in flight
	Limit        Neurons // of today; if OfMonth it is what earlier days have left of the month's
	OfMonth      bool
	MonthLimit   Neurons // 0: none
	Earlier      Neurons // spent by earlier days of the month, if there is a MonthLimit
	Kept         Neurons // of Limit, for calls of a higher priority
	Margin       Neurons // of Limit, for calls that cost more than they reserved; it may be a part of Kept
	Lost         Neurons // held by replicas that died
	External     Neurons // spent outside of all replicas, by the account's own figure
	Remaining    Neurons // Limit less kept or margin, used, reserved, lost and external; never negative
	At           time.Time
	ResetsAt     time.Time     // the end of the day, or of the month if OfMonth
	RetryAt      time.Time     // when a blocked account is tried again; zero: not known
	Late         bool          // the account is blocked although its reset has passed
	Waited       time.Duration // for neurons
	RetryIn      time.Duration // if Contended: when the call can be expected to fit
	Calls        int           // of this process that are in flight
	Elsewhere    Neurons       // of Reserved, by calls of other replicas
}

// Left returns what calls of this priority may still spend today, if all calls in flight cost nothing; never
// negative.
func (d Decision) Left() Neurons {
	return max(0, d.Limit-max(d.Kept, d.Margin)-d.Used-d.Lost-d.External)
}

// Month returns how long the month is in which d was made.
func (d Decision) Month() time.Duration {
	today := DayOf(d.At)
	return today.MonthEnd().Sub(today.FirstOfMonth().Start())
}

// OK reports whether the call may be made.
func (d Decision) OK() bool { return d.Outcome == Allowed }

// Basis says where the figure comes from by which a call was settled.
type Basis uint8

// The bases.
const (
	Reported  Basis = iota // Workers AI said it
	Priced                 // tokens, seconds or the like, times the price table
	Estimated              // what was reserved, or what had passed
)

// String returns the basis as the label of a series.
func (b Basis) String() string { return [...]string{"reported", "priced", "estimated"}[b] }

// A Cost is what a call cost.
type Cost struct {
	Neurons Neurons
	Basis   Basis
	Table   Neurons // by the price table alone, of a call that succeeded and did not say what it cost; else 0
}
