package status

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/neuronward/neuronward/cmd/neuronward/bill"
	"github.com/neuronward/neuronward/cmd/neuronward/config"
	"github.com/neuronward/neuronward/metrics/minutes"
	"github.com/neuronward/neuronward/proxy"
	"github.com/neuronward/neuronward/quota"
)

// A Source is what a Status is read from. Its functions must be safe for concurrent use.
type Source struct {
	Version, Commit string

	Ledger *quota.Ledger // nil: nothing is counted
	Book   *bill.Book    // what the days before today cost; nil if Ledger is
	Plan   string        // free, paid
	Mode   string        // enforce, observe, off

	StoreKind   string // file, memory, redis
	StorePolicy string // deny, allow

	Uncopied  func() int64         // grants that no replica of the server had in time; nil likewise
	RoundTrip func() time.Duration // to the store's server, 0 while it is not known; nil: it has none

	Budget         func(client string) quota.Limits // of a client's own neurons
	Reconciliation func(countedUntil time.Time) Reconciliation
	WouldRefuse    func() (models, clients minutes.Reasons) // of today; nil: nothing is observed
	Minutes        *minutes.Minutes                         // of this process; Today can do without
	Prices         func() Prices
	Settings       func() []config.Setting
	Proxy          *proxy.Proxy
}

// Status returns all that is known now.
func (s *Source) Status(ctx context.Context) *Status {
	now := time.Now()
	st := &Status{
		Version: s.Version, Commit: s.Commit, Today: s.Today(ctx),
		Requests: s.Proxy.Load(), Sessions: s.Proxy.Sessions(), Rates: s.Proxy.Rates(), Breakers: s.Proxy.Breakers(),
		Prices: s.Prices(), Settings: s.Settings(),
		Failures: s.Proxy.RecentFailures(), Refusals: s.Proxy.RecentRefusals(),
	}
	if st.Day != nil {
		st.Forecast = ForecastOf(&st.Today, s.Minutes.Samples(int64(*st.Day), now), now)
	}
	st.Verdict = Judge(st, s.Minutes.Failures(now), s.Minutes.RecentCalls(now), now)
	return st
}

// Today returns the state of the day. It publishes first what this process has spent, so that all replicas agree.
func (s *Source) Today(ctx context.Context) Today {
	t := Today{
		Plan: s.Plan, Mode: s.Mode, Models: []Model{}, Clients: []Client{},
		Store: Store{Kind: "none", Policy: s.StorePolicy, Healthy: true},
	}
	if s.Ledger == nil {
		return t
	}
	day := s.Ledger.Snapshot().Day
	both, err := s.Ledger.History(ctx, day-1, day)
	now := s.Ledger.Snapshot()
	records := now.Records
	if err == nil && now.Day == day {
		ofToday := func(r quota.Record) bool { return r.Day == day }
		first := slices.IndexFunc(both, ofToday) // the records are ordered by day
		if first < 0 {
			first = len(both)
		}
		records = both[first:]
		t.Hours, t.Yesterday = s.hours(ctx, now, both[:first])
	} else { // the store fails, or a day ended meanwhile
		t.Hours = hourlyOf(now.Hours, now.Day, now.At)
	}
	account := now.Account
	t.Day, t.Used, t.Reserved = &now.Day, neurons(account.Used), neurons(account.Reserved)
	t.Lost, t.External, t.Margin = neurons(account.Lost), neurons(account.External), neurons(account.Margin)
	t.Limit, t.Remaining = limitOf(account)
	t.Month = MonthOf(account, now.Day)
	t.Reconciliation = s.Reconciliation(now.FigureAt)
	t.ResetsAt, t.Blocked, t.RetryAt = Time(now.ResetsAt), now.Block.Set, Time(now.RetryAt)
	t.ExhaustedAt, t.ExpectedAt = Time(now.ExhaustedAt), Time(now.ExpectedAt)
	t.PlanWrong = s.Plan == "free" && account.Used > quota.FreeNeurons
	t.Replicas, t.InFlight, t.Waiting = now.Replicas, now.InFlight, now.Waiting
	t.Store.Kind, t.Store.Failures = s.StoreKind, now.StoreFailures
	if s.RoundTrip != nil {
		t.Store.RoundTrip, t.Store.Uncopied = milliseconds(s.RoundTrip()), s.Uncopied()
	}
	if now.StoreFailure != nil {
		text := now.StoreFailure.Error()
		t.Store.Healthy, t.Store.Failure = false, &text
	}
	t.Cost = new(s.Book.Cost(ctx, now.Day, Counted(account)))
	b := newDayBill(s.Book.Price(ctx, now.Day), Counted(account), records)
	t.BasisShares, t.Models, t.Clients = shares(records), models(records, b, now), s.clients(records, b, now)
	s.addWouldRefuse(&t)
	return t
}

// models adds records up by model, with how many more calls fit.
func models(records []quota.Record, b dayBill, now quota.Snapshot) []Model {
	all := []Model{}
	for _, spent := range b.sum(records, byModel) {
		m := Model{Spending: spent}
		if usual := now.Usual[spent.Name]; usual > 0 && now.Account.Limit > 0 {
			fits := int64(now.Account.Remaining / usual)
			if now.Block.Set {
				fits = 0
			}
			m.FitsNow = &fits
		}
		all = append(all, m)
	}
	return all
}

// clients adds records up by client, with the budgets of those that have one. A client with a budget whose calls of the
// last hour were all refused has no record, and comes last.
func (s *Source) clients(records []quota.Record, of dayBill, now quota.Snapshot) []Client {
	all := []Client{}
	spenders := of.sum(records, byClient)
	var called map[string]minutes.LastHour
	if s.Minutes != nil {
		called = s.Minutes.Clients(time.Now())
	}
	for _, name := range slices.Sorted(maps.Keys(called)) {
		has := func(spent Spending) bool { return spent.Name == name }
		if s.Budget(name) != (quota.Limits{}) && !slices.ContainsFunc(spenders, has) {
			spenders = append(spenders, Spending{Name: name})
		}
	}
	for _, spent := range spenders {
		c := Client{Spending: spent}
		// A client that has called other replicas alone has a budget as well, though this ledger does not know of it.
		name := quota.ClientBudget(spent.Name)
		b := s.Budget(spent.Name).Status(name, now.Earlier[name], quota.Neurons(spent.Neurons), now.Margin)
		for _, known := range now.Clients {
			if known.Budget == name {
				b = known
			}
		}
		c.Limit, c.Remaining = limitOf(b)
		c.Month = MonthOf(b, now.Day)
		all = append(all, c)
	}
	return all
}

// limitOf returns a limit and what is left of it, nil where there is none.
func limitOf(s quota.Status) (limit, remaining *Neurons) {
	if s.Limit == 0 {
		return nil, nil
	}
	return neurons(s.Limit), neurons(s.Remaining)
}

// MonthOf returns how a budget of the month stands, nil if there is none.
func MonthOf(s quota.Status, today quota.Day) *Month {
	if s.MonthLimit == 0 {
		return nil
	}
	used := s.Earlier.Add(s.Used).Add(s.Lost).Add(s.External)
	left := max(s.MonthLimit-used-s.Reserved, 0)
	return &Month{Neurons(s.MonthLimit), Neurons(used), Neurons(left), Time(today.MonthEnd())}
}

func neurons(n quota.Neurons) *Neurons {
	f := Neurons(n)
	return &f
}

// milliseconds returns d in milliseconds and thousandths of them, nil for 0.
func milliseconds(d time.Duration) *float64 {
	if d == 0 {
		return nil
	}
	ms := float64(d.Microseconds()) / 1000
	return &ms
}

// Time returns t in UTC and in whole milliseconds, nil for the zero time.
func Time(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC().Truncate(time.Millisecond)
	return &t
}
