package status

import (
	"time"

	"github.com/neuronward/neuronward/cmd/neuronward/bill"
	"github.com/neuronward/neuronward/cmd/neuronward/config"
	"github.com/neuronward/neuronward/proxy"
	"github.com/neuronward/neuronward/proxy/breaker"
	"github.com/neuronward/neuronward/proxy/recent"
	"github.com/neuronward/neuronward/proxy/websocket"
	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/price"
)

// A Status is the answer of /status. Its keys are always all there; what is not known or does not apply is null.
// Neurons are whole neurons with at most 6 decimals, times RFC 3339 in UTC.
type Status struct {
	Version string `json:"version"`
	Commit  string `json:"commit"`

	Verdict Verdict `json:"verdict"`
	Today
	Requests proxy.Load       `json:"requests"` // of this process
	Sessions websocket.Status `json:"sessions"` // over WebSockets, of this process
	Rates    []proxy.Rate     `json:"rates"`    // limits of requests per minute that are in use
	Breakers []breaker.Status `json:"breakers"` // models out of capacity: most calls of them are refused here
	Prices   Prices           `json:"prices"`
	Failures []recent.Failure `json:"failures"` // of this process, at most 50, the newest first
	// Refusals are those of Failures that need no key: calls refused for their key, host, origin or path, and
	// requests that are not valid HTTP; likewise.
	Refusals []recent.Failure `json:"refusals"`
	Settings []config.Setting `json:"settings"` // those in effect; secrets are hidden
}

// Today is the state of the account's day. Where nothing is counted (mode off), day and all figures are null and the
// lists are empty.
type Today struct {
	Day         *quota.Day `json:"day"`        // UTC date
	Plan        string     `json:"plan"`       // free, paid
	PlanWrong   bool       `json:"plan_wrong"` // the plan is free, and more was spent today than the free plan gives
	Mode        string     `json:"mode"`       // enforce, observe, off
	Used        *Neurons   `json:"used"`
	Reserved    *Neurons   `json:"reserved"`  // by calls in flight
	Lost        *Neurons   `json:"lost"`      // held by replicas that died; unavailable until the reset
	External    *Neurons   `json:"external"`  // spent outside this proxy, by the account's own figure
	Limit       *Neurons   `json:"limit"`     // of today, be it the rest of the month's; null: no limit
	Margin      *Neurons   `json:"margin"`    // of the limit, kept for calls that cost more than estimated
	Remaining   *Neurons   `json:"remaining"` // limit less used, reserved, lost, external and margin; null: no limit
	ResetsAt    *time.Time `json:"resets_at"`
	Month       *Month     `json:"month"`        // null: no limit of the month
	ExhaustedAt *time.Time `json:"exhausted_at"` // when the day was first found spent or blocked; null: it is neither
	ExpectedAt  *time.Time `json:"expected_at"`  // when it is spent at this rate, or was; null: not today, or unknown
	Blocked     bool       `json:"latched"`      // the quota block: Workers AI itself said that the day is spent
	RetryAt     *time.Time `json:"retry_at"`     // when one call tests the quota block
	Forecast    *Forecast  `json:"forecast"`     // null: too little was counted, or nothing was spent of late

	Hours     Hourly     `json:"hours"`     // used, hour by hour
	Yesterday *Yesterday `json:"yesterday"` // null: the store does not answer

	Cost        *bill.Cost  `json:"cost"`         // in US dollars
	BasisShares BasisShares `json:"basis_shares"` // of what was spent today
	Models      []Model     `json:"models"`       // today, the largest first
	Clients     []Client    `json:"clients"`      // likewise, and those with a budget that were only refused of late

	Replicas int `json:"holders"`   // processes that share the day
	InFlight int `json:"in_flight"` // calls of this process that are not settled
	Waiting  int `json:"waiting"`   // calls of this process that wait for neurons

	Reconciliation Reconciliation `json:"reconciliation"`

	Store Store `json:"store"`
}

// BasisShares says where the figures come from: parts that sum to 1, or all 0 where nothing was spent.
type BasisShares struct {
	Reported  float64 `json:"reported"`
	Priced    float64 `json:"priced"`
	Estimated float64 `json:"estimated"`
}

// Spending is what the calls of one model or client cost, by where the figure comes from.
type Spending struct {
	Name      string       `json:"name"`
	Calls     int64        `json:"calls"`
	Neurons   Neurons      `json:"neurons"`
	Reported  Neurons      `json:"reported"`
	Priced    Neurons      `json:"priced"`
	Estimated Neurons      `json:"estimated"`
	USD       bill.Dollars `json:"usd"` // its part of the day's dollars; the free neurons are shared in proportion
}

// A Model is what calls of a model cost, and how many more fit.
type Model struct {
	Spending
	// FitsNow is about how many more calls could be in flight beside those that are, by what is left of the account's
	// limit and what this process has lately reserved for a call of the model; null: no limit, or none has ended here.
	FitsNow     *int64  `json:"fits_now"`
	WouldRefuse Reasons `json:"would_refuse"`
}

// A Client is what a client spent, and its own budget.
type Client struct {
	Spending
	Limit     *Neurons `json:"limit"`     // of today; null: no budget of its own
	Remaining *Neurons `json:"remaining"` // of that budget
	Month     *Month   `json:"month"`     // null: no budget of the month

	WouldRefuse Reasons `json:"would_refuse"`
}

// Reasons are counts of today's calls, in this process, that would have been refused were quotas enforced, by the first
// reason for it as in the series neuronward_preempted_total.
type Reasons map[string]int64

// A Month is how a limit of the UTC calendar month stands. What it has left limits the day as well.
type Month struct {
	Limit     Neurons    `json:"limit"`
	Used      Neurons    `json:"used"`      // what is lost, and of the account what is external, included
	Remaining Neurons    `json:"remaining"` // limit less used and what calls in flight have reserved
	ResetsAt  *time.Time `json:"resets_at"`
}

// Store says whether usage is stored. While it is not, Today.Models and Today.Clients are those of this process alone.
type Store struct {
	Kind     string  `json:"kind"`     // file, memory, redis; none where nothing is counted
	Policy   string  `json:"policy"`   // what happens to calls while it fails: deny, allow
	Healthy  bool    `json:"healthy"`  //
	Failures int64   `json:"failures"` // syncs that failed since the start
	Failure  *string `json:"failure"`  // of the last sync

	// RoundTrip is how long a server took to answer of late, in milliseconds; null: that is not known.
	RoundTrip *float64 `json:"round_trip_ms"`

	// Uncopied is how many grants no replica of the server had in time, of a server that has any.
	Uncopied int64 `json:"grants_uncopied"`
}

// Prices says which price table is in use.
type Prices struct {
	Source     string            `json:"source"`     // live, kept (read before this process began), embedded, file
	AsOf       string            `json:"as_of"`      // UTC date of the table
	AskedAt    *time.Time        `json:"asked_at"`   // when the catalog that is in use was read; null: there is none
	Models     int               `json:"models"`     // that have a price
	Failure    *string           `json:"failure"`    // why the catalog could not be read; null: it could, or need not
	Departures []price.Deviation `json:"departures"` // prices of the catalog that differ much, or are not used
}

// Reconciliation says whether the account's own figure is known.
type Reconciliation struct {
	// CountedUntil is that of the figure that was read last, by whichever replica; null: none was read.
	CountedUntil *time.Time `json:"counted_until"`
	// Failure is why this process could not read it last; null: it could, need not, or another replica has read it
	// since.
	Failure *string `json:"failure"`
}
