package quota_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/neuronward/neuronward/quota"
)

// tally counts the claims of reports.
type tally struct {
	quota.Store
	mu              sync.Mutex
	claims, reports int
	drop            int // answers that are lost
}

func (s *tally) Sync(ctx context.Context, r quota.Report) (quota.Reply, error) {
	state, err := s.Store.Sync(ctx, r)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.claims += len(r.Requests)
	s.reports++
	if s.drop > 0 {
		s.drop--
		return quota.Reply{}, context.DeadlineExceeded
	}
	return state, err
}

func (s *tally) set(drop int) (perReport float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	perReport = float64(s.claims) / float64(max(s.reports, 1))
	s.claims, s.reports, s.drop = 0, 0, drop
	return perReport
}

// shelf is a store that can be emptied.
type shelf struct {
	mu sync.Mutex
	quota.Store
}

func (s *shelf) empty() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.Store = quota.NewMemory(nil)
}

func (s *shelf) Sync(ctx context.Context, r quota.Report) (quota.Reply, error) {
	s.mu.Lock()
	store := s.Store
	s.mu.Unlock()
	return store.Sync(ctx, r)
}

// Budgets of clients that do not call are in few reports, and yet each holder
// knows what the others spent of them, and an emptied store is told of all.
func TestQuietPots(t *testing.T) {
	virtually(t, func(t *testing.T) {
		const clients = 300
		books := &shelf{Store: quota.NewMemory(nil)}
		var stores [2]*tally
		var ledgers [2]*quota.Ledger
		for i := range ledgers {
			stores[i] = &tally{Store: books}
			l, err := quota.New(t.Context(), quota.Options{Store: stores[i], Limit: 100_000 * n, Wait: time.Second})
			if err != nil {
				t.Fatal(err)
			}
			ledgers[i] = l
		}
		spend := func(l *quota.Ledger, client int, cost quota.Neurons) quota.Decision {
			t.Helper()
			res, d, err := l.Reserve(t.Context(), quota.Call{Model: "m", Client: fmt.Sprint(client), ClientLimit: 100 * n, Estimate: cost})
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
		if perReport := stores[0].set(0); perReport > clients/8 {
			t.Errorf("%.0f claims a report", perReport)
		}

		// What one spends the other knows, at once where it matters.
		spend(ledgers[1], 7, 90*n)
		time.Sleep(quota.Heartbeat)
		if d := spend(ledgers[0], 7, 9*n); d.Outcome != quota.Exhausted {
			t.Errorf("%+v: more than the budget", d)
		}
		spend(ledgers[1], 8, 90*n)
		time.Sleep(quietSeconds * time.Second)
		if got := budgetOf(ledgers[0], "8").Used; got != 92*n {
			t.Errorf("%v are known to be spent, not 92", got)
		}

		// Answers that are lost leave nothing out of reach.
		stores[0].set(6)
		if _, _, err := ledgers[0].Reserve(t.Context(), quota.Call{Model: "m", Client: "9", ClientLimit: 100 * n, Estimate: 98 * n}); err == nil {
			t.Error("the answer came")
		}
		time.Sleep(9 * quota.Heartbeat)
		if d := spend(ledgers[1], 9, 98*n); d.Outcome != quota.Allowed {
			t.Errorf("%+v: what a lost answer granted is kept", d)
		}

		books.empty()
		time.Sleep(2 * quota.Heartbeat)
		synctest.Wait()
		asks := quota.Report{Day: ledgers[0].Snapshot().Day, Replica: "asks", Seq: 1}
		for i := range clients {
			asks.Requests = append(asks.Requests, quota.BudgetRequest{Budget: quota.ClientBudget(fmt.Sprint(i)), Limit: 100 * n})
		}
		state, err := books.Sync(t.Context(), asks)
		if err != nil {
			t.Fatal(err)
		}
		for i, b := range state.Balances {
			want := 2 * n
			if spent, ok := map[int]quota.Neurons{7: 92 * n, 8: 92 * n, 9: 100 * n}[i]; ok {
				want = spent
			}
			if b.Spent != want {
				t.Fatalf("the emptied store knows that client %d spent %v, not %v", i, b.Spent, want)
			}
		}
		for _, l := range ledgers {
			if err := l.Close(context.Background()); err != nil {
				t.Error(err)
			}
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
