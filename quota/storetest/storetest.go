package storetest

import (
	"testing"

	"github.com/neuronward/neuronward/quota"
)

// Place is where stores keep their rows. Each call opens a store on the same
// rows, as a process that starts again would; the store opened before is not used
// any more. It fails the test by itself.
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
		{"a grant is between Min and Want and what is free", grants},
		{"a repeated report gets the same answer", repeated},
		{"a stale report is refused and changes nothing", stale},
		{"figures are absolute", absolute},
		{"days are separate", days},
		{"budgets are separate", budgets},
		{"an overrun is kept and nothing is granted", overrun},
		{"without a limit nothing is granted", unlimited},
		{"everything is there after opening again", reopen},
		{"a second replica gets what the first one returns", second},
		{"a replica that dies keeps what it held", dies},
		{"a replica that leaves", leaves},
		{"a day that was begun wrongly is taken back", takenBack},
		{"records are summed over replicas", records},
		{"hours are summed over replicas and kept with the days", hours},
		{"what days count for the month", committed},
		{"the lowest limit of the month counts", lowestLimit},
		{"the days of two months are kept", keepsDays},
		{"prices are kept with the days", prices},
		{"external use counts for all, once, and the latest reading holds", external},
		{"what is lost is released, and no more", released},
		{"a block reaches all replicas", block},
		{"a lease has one owner", lease},
		{"a batch is kept for its days and settled once", batches},
		{"a replica takes back what another one has spent", takesBack},
		{"events", events},
		{"500 goroutines never oversell one micro-neuron", oversell},
		{"500 goroutines on three ledgers", ledgers},
		{"a canceled context", canceled},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, place(t)) })
	}
}

// replica makes reports with rising numbers.
type replica struct {
	name quota.Replica
	seq  uint64
}

func (r *replica) report(requests ...quota.BudgetRequest) quota.Report {
	r.seq++
	return quota.Report{Day: day, Replica: r.name, Seq: r.seq, Requests: requests}
}

// send sends a report to a store and returns the reply.
func send(t *testing.T, s quota.Store, r quota.Report) quota.Reply {
	t.Helper()
	reply, err := s.Sync(t.Context(), r)
	if err != nil {
		t.Fatalf("Sync(%+v): got error %v, want none", r, err)
	}
	if len(reply.Granted) != len(r.Requests) || len(reply.Balances) != len(r.Requests) {
		t.Fatalf("got %d grants and %d balances, want %d", len(reply.Granted), len(reply.Balances), len(r.Requests))
	}
	return reply
}

// request is one to the account's budget.
func request(spent, held, minimum, want quota.Neurons) quota.BudgetRequest {
	return quota.BudgetRequest{
		Budget: quota.Account, Limit: limit, Spent: spent, Held: held, Min: minimum, Want: want,
	}
}

// clientRequest is one to the budget of the client x.
func clientRequest(budget, spent, want quota.Neurons) quota.BudgetRequest {
	r := quota.BudgetRequest{Budget: quota.ClientBudget("x"), Limit: budget, Spent: spent, Want: want}
	if want > 0 {
		r.Min = 1
	}
	return r
}

// wantReply checks the grant and the balance of the first budget of a reply.
func wantReply(t *testing.T, r quota.Reply, granted quota.Neurons, want quota.Balance) {
	t.Helper()
	want.Limit = limit
	if r.Granted[0] != granted {
		t.Errorf("got %v granted, want %v", r.Granted[0], granted)
	}
	if r.Balances[0] != want {
		t.Errorf("balance:\n got %+v\nwant %+v", r.Balances[0], want)
	}
}
