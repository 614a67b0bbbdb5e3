package quota_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/memstore"
)

// reportCount counts reports and the requests in them.
type reportCount struct {
	quota.Store
	mu                sync.Mutex
	requests, reports int
	drop              int // answers that are lost
}

func (s *reportCount) Sync(ctx context.Context, r quota.Report) (quota.Reply, error) {
	reply, err := s.Store.Sync(ctx, r)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests += len(r.Requests)
	s.reports++
	if s.drop > 0 {
		s.drop--
		return quota.Reply{}, context.DeadlineExceeded
	}
	return reply, err
}

func (s *reportCount) set(drop int) (perReport float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	perReport = float64(s.requests) / float64(max(s.reports, 1))
	s.requests, s.reports, s.drop = 0, 0, drop
	return perReport
}

// Budgets of clients that do not call are in few reports, and yet each replica knows what the others spent of them,
// and an emptied store gets all of them.
func TestQuietBudgets(t *testing.T) {
	virtually(t, func(t *testing.T) {
		const clients = 300
		memory := &emptied{Store: memstore.New(nil)}
		var stores [2]*reportCount
		var ledgers [2]*quota.Ledger
		for i := range ledgers {
			stores[i] = &reportCount{Store: memory}
			l, err := quota.New(t.Context(), quota.Options{Store: stores[i], Limit: 100_000 * n, Wait: time.Second})
			if err != nil {
				t.Fatal(err)
			}
			ledgers[i] = l
		}
		spend := func(l *quota.Ledger, client int, cost quota.Neurons) quota.Decision {
			t.Helper()
			call := quota.Call{Model: "m", Client: fmt.Sprint(client), ClientLimit: 100 * n, Estimate: cost}
			res, d, err := l.Reserve(t.Context(), call)
			if err != nil {
				t.Fatal(err)
			}
			if res != nil {
				res.Settle(quota.Cost{Neurons: cost})
			}
			return d
		}
		for i := range clients {
			for _, l := range ledgers {
				spend(l, i, n)
			}
		}
		time.Sleep(10 * time.Second)
		stores[0].set(0)
		time.Sleep(time.Minute)
		within(t, "budgets in a report", stores[0].set(0), 0, clients/8)

		// What one spends the other knows, at once where it matters.
		spend(ledgers[1], 7, 90*n)
		time.Sleep(quota.Heartbeat)
		equal(t, "a call beyond the budget", spend(ledgers[0], 7, 9*n).Outcome, quota.Exhausted)
		spend(ledgers[1], 8, 90*n)
		time.Sleep(quietSeconds * time.Second)
		equal(t, "what is known to be spent by another replica", budgetOf(ledgers[0], "8").Used, 92*n)

		// Answers that are lost leave nothing out of reach.
		stores[0].set(6)
		call := quota.Call{Model: "m", Client: "9", ClientLimit: 100 * n, Estimate: 98 * n}
		if _, _, err := ledgers[0].Reserve(t.Context(), call); err == nil {
			t.Error("got no error from Reserve, want one, since the answer is lost")
		}
		time.Sleep(9 * quota.Heartbeat)
		equal(t, "a call for what a lost answer had granted", spend(ledgers[1], 9, 98*n).Outcome, quota.Allowed)

		memory.empty()
		time.Sleep(2 * quota.Heartbeat)
		synctest.Wait()
		asks := quota.Report{Day: ledgers[0].Snapshot().Day, Replica: "asks", Seq: 1}
		for i := range clients {
			budget := quota.ClientBudget(fmt.Sprint(i))
			asks.Requests = append(asks.Requests, quota.BudgetRequest{Budget: budget, Limit: 100 * n})
		}
		reply, err := memory.Sync(t.Context(), asks)
		if err != nil {
			t.Fatal(err)
		}
		for i, b := range reply.Balances {
			want := 2 * n
			if spent, ok := map[int]quota.Neurons{7: 92 * n, 8: 92 * n, 9: 100 * n}[i]; ok {
				want = spent
			}
			if b.Spent != want {
				t.Fatalf("what client %d has spent by the emptied store: got %v, want %v", i, b.Spent, want)
			}
		}
		for _, l := range ledgers {
			fails(t, "Close", l.Close(context.Background()), nil)
		}
	})
}

// quietSeconds is within how many seconds each budget is in a report.
const quietSeconds = 9

func budgetOf(l *quota.Ledger, client string) quota.Status {
	for _, s := range l.Snapshot().Clients {
		if s.Budget == quota.ClientBudget(client) {
			return s
		}
	}
	return quota.Status{}
}
