package storetest

import (
	"testing"

	"github.com/neuronward/neuronward/quota"
)

// Place is where stores keep their rows. Each call gives a store on the same
// rows, as a process that starts again would open it; the one given before is
// not used any more. It fails the test itself.
type Place func(t *testing.T) quota.Store

const (
	day   = quota.Day(20_000)
	n     = quota.OneNeuron
	limit = 10_000 * n
)

// Run tests the stores of places that place makes, one empty place a subtest.
func Run(t *testing.T, place func(t *testing.T) Place) {
	for _, c := range []struct {
		name string
		test func(t *testing.T, open Place)
	}{
		{"what is granted is between Min and Want and what is free", grants},
		{"a report that comes twice is answered as it was", twice},
		{"an older report is refused and changes nothing", stale},
		{"figures are absolute", absolute},
		{"days are apart", days},
		{"pots are apart", pots},
		{"an overrun is kept and nothing is granted", overrun},
		{"no ceiling, nothing to grant", unlimited},
		{"everything is there after opening again", reopen},
		{"a second holder gets what the first one gives back", second},
		{"a holder that dies keeps what it held", dies},
		{"a holder that leaves", leaves},
		{"records are summed over holders", records},
		{"hours are summed over holders and kept with the days", hours},
		{"what is external counts for all, once, and the latest reading holds", external},
		{"what is lost is released, and no more", released},
		{"the latch reaches all", latch},
		{"a lease has one owner", lease},
		{"events", events},
		{"500 goroutines never oversell one micro-neuron", oversell},
		{"500 goroutines on three ledgers", ledgers},
		{"a context that has ended", ended},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, place(t)) })
	}
}

// holder makes reports with rising numbers.
type holder struct {
	name quota.Replica
	seq  uint64
}

func (h *holder) report(claims ...quota.BudgetRequest) quota.Report {
	h.seq++
	return quota.Report{Day: day, Replica: h.name, Seq: h.seq, Requests: claims}
}

func exchange(t *testing.T, s quota.Store, r quota.Report) quota.Reply {
	t.Helper()
	state, err := s.Sync(t.Context(), r)
	if err != nil {
		t.Fatalf("Exchange(%+v): %v", r, err)
	}
	if len(state.Granted) != len(r.Requests) || len(state.Balances) != len(r.Requests) {
		t.Fatalf("%d grants, %d balances for %d claims", len(state.Granted), len(state.Balances), len(r.Requests))
	}
	return state
}

// of is a claim on the account's pot.
func of(spent, held, least, want quota.Neurons) quota.BudgetRequest {
	return quota.BudgetRequest{Budget: quota.Account, Limit: limit, Spent: spent, Held: held, Min: least, Want: want}
}

func expect(t *testing.T, s quota.Reply, granted quota.Neurons, want quota.Balance) {
	t.Helper()
	want.Limit = limit
	if s.Granted[0] != granted || s.Balances[0] != want {
		t.Errorf("granted %v, want %v\n got %+v\nwant %+v", s.Granted[0], granted, s.Balances[0], want)
	}
}
