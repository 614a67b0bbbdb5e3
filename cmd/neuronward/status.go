package main

import (
	"cmp"
	"context"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/neuronward/neuronward/cmd/neuronward/config"
	"github.com/neuronward/neuronward/proxy"
	"github.com/neuronward/neuronward/quota"
)

// A statusPage is the answer of /status. Its keys are always all there; what is not known or does not apply is null. Neurons are
// whole neurons with at most 6 decimals, times RFC 3339 in UTC.
type statusPage struct {
	Version string `json:"version"`
	Commit  string `json:"commit"`

	day
	Requests proxy.Load            `json:"requests"` // of this process
	Rates    []proxy.Rate          `json:"rates"`    // limits of requests per minute that are in use
	Breakers []proxy.Breaker       `json:"breakers"` // models out of capacity, most of whose calls are answered here
	Prices   pricesStatus          `json:"prices"`
	Failures []proxy.FailureRecord `json:"failures"` // of this process, at most 50, the newest first
	Settings []config.Setting      `json:"settings"` // that are in effect; secrets hidden
}

// A day is how the account's day stands. Where nothing is counted (mode off), day and all figures are null and the lists
// empty.
type day struct {
	Day         *quota.Day `json:"day"`        // UTC date
	Plan        string     `json:"plan"`       // free, paid
	PlanWrong   bool       `json:"plan_wrong"` // the plan is free, and more was spent today than the free plan gives
	Mode        string     `json:"mode"`       // enforce, observe, off
	Used        *figure    `json:"used"`
	Reserved    *figure    `json:"reserved"`  // by calls in flight
	Lost        *figure    `json:"lost"`      // held by processes that died; not to be spent before the reset
	External    *figure    `json:"external"`  // spent outside this proxy, by the account's own figure
	Limit       *figure    `json:"limit"`     // null: no ceiling
	Remaining   *figure    `json:"remaining"` // limit less used, reserved, lost and external; null: no ceiling
	ResetsAt    *time.Time `json:"resets_at"`
	ExhaustedAt *time.Time `json:"exhausted_at"` // when the day was first found spent, or latched; null: it is not
	ExpectedAt  *time.Time `json:"expected_at"`  // when it will be spent at the rate of the last hour, or was; null: not before the reset
	Latched     bool       `json:"latched"`      // Workers AI itself said that the day is spent
	RetryAt     *time.Time `json:"retry_at"`     // when a latched account is tried again

	Hours     hourly     `json:"hours"`     // used, hour by hour
	Yesterday *dayBefore `json:"yesterday"` // null: the store does not tell

	BasisShares basisShares    `json:"basis_shares"` // of what was spent today
	Models      []spending     `json:"models"`       // today, the dearest first
	Clients     []clientStatus `json:"clients"`      // today, the dearest first

	Holders  int `json:"holders"`   // processes that share the day
	InFlight int `json:"in_flight"` // calls of this process that are not settled
	Waiting  int `json:"waiting"`   // calls of this process that wait for neurons

	Reconciliation reconciliation `json:"reconciliation"`

	Store storeStatus `json:"store"`
}

// basisShares says where the figures come from: parts of the whole that sum to 1, or all 0 where nothing was spent.
type basisShares struct {
	Reported  float64 `json:"reported"`
	Priced    float64 `json:"priced"`
	Estimated float64 `json:"estimated"`
}

// spending is what calls cost, by where the figure comes from.
type spending struct {
	Name      string `json:"name"`
	Calls     int64  `json:"calls"`
	Neurons   figure `json:"neurons"`
	Reported  figure `json:"reported"`
	Priced    figure `json:"priced"`
	Estimated figure `json:"estimated"`
}

// A clientStatus is what a client spent, and its own budget.
type clientStatus struct {
	spending
	Limit     *figure `json:"limit"`     // null: no budget of its own
	Remaining *figure `json:"remaining"` // of it
}

// A storeStatus says whether what is spent is kept. While it is not, models and clients tell of this process alone.
type storeStatus struct {
	Kind     string  `json:"kind"`     // file, memory, redis; none where nothing is counted
	Policy   string  `json:"policy"`   // what becomes of calls while it fails: deny, allow
	Healthy  bool    `json:"healthy"`  //
	Failures int64   `json:"failures"` // exchanges that failed, since the start
	Failure  *string `json:"failure"`  // of the last exchange
}

// A history is the answer of /status/history: days up to today, the newest first, with those on which nothing was spent.
type history struct {
	Days []pastDay `json:"days"`
}

// A pastDay is what one day cost.
type pastDay struct {
	Day       quota.Day  `json:"day"`
	Calls     int64      `json:"calls"`
	Neurons   figure     `json:"neurons"`
	Reported  figure     `json:"reported"`
	Priced    figure     `json:"priced"`
	Estimated figure     `json:"estimated"`
	Models    []spending `json:"models"`
	Clients   []spending `json:"clients"`
}

// today tells how the day stands. It publishes what this process has spent first, so that all processes agree.
func (n *neurons) today(ctx context.Context, c *config.Config) day {
	d := day{
		Plan: c.Plan, Mode: c.QuotaMode, Models: []spending{}, Clients: []clientStatus{},
		Store: storeStatus{Kind: "none", Policy: c.OnStoreFail, Healthy: true},
	}
	if n.ledger == nil {
		return d
	}
	on := n.ledger.Snapshot().Day
	both, err := n.ledger.History(ctx, on-1, on)
	s := n.ledger.Snapshot()
	records := s.Records
	if err == nil && s.Day == on {
		first, _ := slices.BinarySearchFunc(both, on, func(r quota.Record, day quota.Day) int { return cmp.Compare(r.Day, day) })
		records = both[first:]
		d.Hours, d.Yesterday = n.hourByHour(ctx, s, both[:first])
	} else {
		d.Hours = hourlyOf(s.Hours, s.Day, s.At)
	}
	d.Day, d.Used, d.Reserved, d.Lost = &s.Day, figureOf(s.Account.Used), figureOf(s.Account.Reserved), figureOf(s.Account.Lost)
	d.External, d.Reconciliation = figureOf(s.Account.External), n.others.status(s.FigureAt)
	d.Limit, d.Remaining = ceiling(s.Account)
	d.ResetsAt, d.Latched, d.RetryAt = moment(s.ResetsAt), s.Block.Set, moment(s.RetryAt)
	d.ExhaustedAt, d.ExpectedAt, d.PlanWrong = moment(s.ExhaustedAt), moment(s.ExpectedAt), c.Plan == config.PlanFree && beyondFree(s.Account.Used)
	d.Holders, d.InFlight, d.Waiting = s.Replicas, s.InFlight, s.Waiting
	d.Store.Kind, d.Store.Failures = c.Store.Kind(), s.StoreFailures
	if s.StoreFailure != nil {
		text := s.StoreFailure.Error()
		d.Store.Healthy, d.Store.Failure = false, &text
	}
	d.BasisShares = shares(records)
	d.Models = sum(records, byModel)
	for _, spent := range sum(records, byClient) {
		client := clientStatus{spending: spent}
		// A client that only other processes know of has a budget all the same.
		if budget := c.ClientsFile.Budget(spent.Name); budget > 0 {
			client.Limit, client.Remaining = ceiling(quota.Status{Limit: budget, Remaining: max(budget-quota.Neurons(spent.Neurons), 0)})
		}
		for _, pot := range s.Clients {
			if clientOf(pot.Budget) == spent.Name {
				client.Limit, client.Remaining = ceiling(pot)
			}
		}
		d.Clients = append(d.Clients, client)
	}
	return d
}

// past tells what each of the last days cost, today among them.
func (n *neurons) past(ctx context.Context, days int) (history, error) {
	h := history{Days: []pastDay{}}
	if n.ledger == nil {
		return h, nil
	}
	last := n.ledger.Snapshot().Day
	records, err := n.ledger.History(ctx, last-quota.Day(days)+1, last)
	if err != nil {
		return h, err
	}
	for i := range days {
		on := last - quota.Day(i)
		var those []quota.Record
		for _, r := range records {
			if r.Day == on {
				those = append(those, r)
			}
		}
		d := pastDay{Day: on, Models: sum(those, byModel), Clients: sum(those, byClient)}
		for _, m := range d.Models {
			d.Calls += m.Calls
			d.Neurons, d.Reported, d.Priced, d.Estimated = d.Neurons+m.Neurons, d.Reported+m.Reported, d.Priced+m.Priced, d.Estimated+m.Estimated
		}
		h.Days = append(h.Days, d)
	}
	return h, nil
}

func byModel(r quota.Record) string  { return r.Model }
func byClient(r quota.Record) string { return r.Client }

// sum adds records up by name, the dearest first.
func sum(records []quota.Record, name func(quota.Record) string) []spending {
	at := map[string]int{}
	all := []spending{}
	for _, r := range records {
		i, ok := at[name(r)]
		if !ok {
			i = len(all)
			at[name(r)] = i
			all = append(all, spending{Name: name(r)})
		}
		s := &all[i]
		s.Calls += r.Calls
		s.Neurons += figure(r.Neurons())
		s.Reported += figure(r.Reported)
		s.Priced += figure(r.Priced)
		s.Estimated += figure(r.Estimated)
	}
	slices.SortFunc(all, func(a, b spending) int {
		return cmp.Or(cmp.Compare(b.Neurons, a.Neurons), strings.Compare(a.Name, b.Name))
	})
	return all
}

func shares(records []quota.Record) basisShares {
	var reported, priced, estimated float64
	for _, r := range records {
		reported += r.Reported.Float()
		priced += r.Priced.Float()
		estimated += r.Estimated.Float()
	}
	whole := reported + priced + estimated
	if whole <= 0 {
		return basisShares{}
	}
	share := func(part float64) float64 { return math.Round(part/whole*1e4) / 1e4 }
	return basisShares{share(reported), share(priced), share(estimated)}
}

// ceiling returns limit and remainder of a pot, nil where it has none.
func ceiling(s quota.Status) (limit, remaining *figure) {
	if s.Limit == 0 {
		return nil, nil
	}
	return figureOf(s.Limit), figureOf(s.Remaining)
}

func figureOf(n quota.Neurons) *figure {
	f := figure(n)
	return &f
}

// moment is t in UTC, nil for the zero time.
func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC().Truncate(time.Millisecond)
	return &t
}
