package quota_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/neuronward/neuronward/proxy/workersai"
	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/price"
)

// spoken is a model whose answers are sound and do not say what they cost.
const spoken = "@cf/deepgram/aura-1"

// listener makes calls of spoken whose true cost is price times the table's.
type listener struct {
	*cloud
	l     *quota.Ledger
	e     *price.Estimator
	price float64
	found []quota.Audited
}

// listen runs test at noon.
func listen(t *testing.T, factor float64, test func(t *testing.T, s *listener)) {
	virtually(t, func(t *testing.T) {
		time.Sleep(12 * time.Hour)
		s := &listener{newCloud(t, workersai.Options{}), open(t, quota.Options{Limit: 1_000_000 * n, Heartbeat: longBeat}), price.NewEstimator(nil, price.Bound), factor, nil}
		defer s.client.Close()
		test(t, s)
	})
}

// call makes a call that is billed, and returns what it was booked with.
func (s *listener) call(t *testing.T, client string, characters int64) quota.Neurons {
	t.Helper()
	of := s.e.Estimate(s.e.Resolve(spoken), quota.Request{Characters: characters})
	res := take(t, s.l, quota.Call{Model: spoken, Client: client, Estimate: of.Neurons, CountClient: true})
	time.Sleep(time.Second)
	cost := s.e.DefaultCost(s.e.Resolve(spoken), of, res.Neurons())
	res.Settle(cost)
	s.Spend(spoken, quota.FromFloat(of.Bound.Float()*s.price))
	return cost.Neurons
}

// bills is what quota.Ledger.Audit reads.
func (s *listener) bills(ctx context.Context, day quota.Day, until time.Time) (map[string]quota.ModelBill, error) {
	u, err := s.client.CallsUntil(ctx, day, until)
	bills := map[string]quota.ModelBill{}
	for _, m := range u.Models {
		bills[m.Model] = quota.ModelBill{Neurons: m.Neurons, Calls: m.Calls}
	}
	return bills, err
}

// audit reads the figure by model once.
func (s *listener) audit(t *testing.T, l *quota.Ledger) {
	t.Helper()
	found, err := l.Audit(t.Context(), every, s.bills)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range found {
		s.e.Correct(a.Model, a.Ratio)
	}
	s.found = append(s.found, found...)
}

// pass lets time pass in which the figure is read, as the program does.
func (s *listener) pass(t *testing.T, d time.Duration) {
	t.Helper()
	for end := time.Now().Add(d); time.Now().Before(end); {
		time.Sleep(every)
		s.audit(t, s.l)
		if _, err := s.l.Reconcile(t.Context(), every, func(ctx context.Context, day quota.Day, until time.Time) (quota.Neurons, error) {
			u, err := s.client.DayUntil(ctx, day, until)
			return u.Neurons, err
		}); err != nil && !errors.Is(err, quota.ErrEarly) {
			t.Fatal(err)
		}
	}
	time.Sleep(2 * quota.Heartbeat)
}

func near(got, want quota.Neurons) bool { return max(got-want, want-got) <= 20 } // of some roundings to a millionth

// The price table is wrong, and nothing in the answers says so.
func TestAModelThatDoesNotSayWhatItCosts(t *testing.T) {
	for name, factor := range map[string]float64{"dearer": 3, "cheaper": 0.25, "as the table says": 1} {
		t.Run(name, func(t *testing.T) {
			listen(t, factor, func(t *testing.T, s *listener) {
				table := quota.Neurons(0)
				for i := range int64(10) {
					table += s.call(t, []string{"a", "b"}[i%2], 400+100*i)
				}
				for len(s.found) == 0 && !t.Failed() {
					s.pass(t, every)
				}
				s.pass(t, every) // until the figure is of a time at which that was settled
				got, billed := s.l.Snapshot(), s.Billed()
				if !near(got.Account.Used, billed) || !near(got.Account.External, 0) {
					t.Errorf("%v used, %v external of %v billed", got.Account.Used, got.Account.External, billed)
				}
				if len(s.found) != 1 || s.found[0].Calls != 10 || s.found[0].Booked != table || !near(s.found[0].Billed, billed) {
					t.Errorf("found %+v", s.found)
				}
				for _, c := range got.Clients {
					for _, r := range got.Records {
						if quota.ClientBudget(r.Client) == c.Budget && (!near(r.Neurons(), c.Used) || r.Calls != 5 || r.Paid < quota.Ratio(1000*factor) || r.Paid > quota.Ratio(1000*factor)+1) {
							t.Errorf("%v: %v used, %+v", c.Budget, c.Used, r)
						}
					}
				}
				// From now on what is set aside suffices, and what is booked is what is billed.
				before := s.Billed()
				booked := s.call(t, "a", 1000)
				if !near(booked, s.Billed()-before) {
					t.Errorf("%v booked, %v billed", booked, s.Billed()-before)
				}
				if of := s.e.Estimate(s.e.Resolve(spoken), quota.Request{Characters: 1000}); !near(of.Neurons, max(of.Bound, booked)) {
					t.Errorf("%v would be set aside for %v, by the table %v", of.Neurons, booked, of.Bound)
				}
				s.pass(t, 20*time.Minute)
				if got := s.l.Snapshot().Account; len(s.found) != 2 || !near(s.found[1].Booked, booked) || !near(got.Used, s.Billed()) || !near(got.External, 0) {
					t.Errorf("later found %+v, %v used, %v external of %v billed", s.found, got.Used, got.External, s.Billed())
				}
				// Another process knows it, too.
				history, err := s.l.History(t.Context(), s.l.Snapshot().Day, s.l.Snapshot().Day)
				if err != nil {
					t.Fatal(err)
				}
				e := price.NewEstimator(nil, price.Bound)
				e.Recall(history)
				of := e.Estimate(e.Resolve(spoken), quota.Request{Characters: 1000})
				if got := e.DefaultCost(e.Resolve(spoken), of, of.Neurons).Neurons; got < booked || got > booked+booked/500 {
					t.Errorf("recalled: %v for %v", got, booked)
				}
			})
		})
	}
}

// Where others may have called the model as well, nothing is found out.
func TestAModelThatCannotBeAudited(t *testing.T) {
	for _, c := range []struct {
		name  string
		price float64
		more  func(t *testing.T, s *listener)
		later bool // calls after that can be
	}{
		{"another spender calls it", 3, func(_ *testing.T, s *listener) { s.Spend(spoken, 5*n) }, true},
		{"a call failed", 3, func(t *testing.T, s *listener) {
			take(t, s.l, quota.Call{Model: spoken, Estimate: n}).Settle(quota.Cost{Basis: quota.Reported})
		}, true},
		{"another one says what it cost", 3, func(t *testing.T, s *listener) {
			take(t, s.l, quota.Call{Model: spoken, Estimate: 5 * n}).Settle(quota.Cost{Neurons: 5 * n, Basis: quota.Reported})
			s.Spend(spoken, 5*n)
		}, true},
		{"a call is under way", 3, func(t *testing.T, s *listener) {
			t.Cleanup(take(t, s.l, quota.Call{Model: spoken, Estimate: n}).Release)
		}, false},
		{"it would cost fifty times its table", 50, func(*testing.T, *listener) {}, false},
		{"it would cost next to nothing", 0.01, func(*testing.T, *listener) {}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			listen(t, c.price, func(t *testing.T, s *listener) {
				for range 5 {
					s.call(t, "", 1000)
				}
				c.more(t, s)
				s.pass(t, 20*time.Minute)
				if got := s.l.Snapshot().Account; len(s.found) != 0 || got.Used < 5_000*n || got.Used > 7_000*n {
					t.Errorf("found %+v, %+v", s.found, got)
				}
				booked := s.call(t, "", 1000)
				if of := s.e.Estimate(s.e.Resolve(spoken), quota.Request{Characters: 1000}); booked != of.Bound {
					t.Errorf("%v booked, the table says %v", booked, of.Bound)
				}
				s.pass(t, 20*time.Minute)
				if (len(s.found) == 1) != c.later {
					t.Errorf("later found %+v", s.found)
				}
				if got := s.l.Snapshot().Account; c.price > 1 && !near(got.Used+got.External, s.Billed()) {
					t.Errorf("%v used and %v external of %v billed", got.Used, got.External, s.Billed())
				}
			})
		})
	}
}

// A day's calls are compared with that day's bills alone.
func TestAuditsEndWithTheDay(t *testing.T) {
	listen(t, 3, func(t *testing.T, s *listener) {
		time.Sleep(11*time.Hour + 50*time.Minute)
		for range 5 {
			s.call(t, "", 1000)
		}
		s.pass(t, 20*time.Minute)
		if len(s.found) != 0 {
			t.Errorf("found %+v", s.found)
		}
		before := s.Billed()
		for range 5 {
			s.call(t, "", 1000)
		}
		s.pass(t, 20*time.Minute)
		if got := s.l.Snapshot().Account; len(s.found) != 1 || !near(got.Used, s.Billed()-before) || !near(got.External, 0) {
			t.Errorf("found %+v, %+v", s.found, got)
		}
	})
}

// What was corrected for calls before is not taken for what the next ones cost.
func TestAuditsOfCallsThatGoOn(t *testing.T) {
	for name, price := range map[string]float64{"dearer": 3, "cheaper": 0.25} {
		t.Run(name, func(t *testing.T) {
			listen(t, price, func(t *testing.T, s *listener) {
				for range 8 {
					s.call(t, "", 1000)
					s.pass(t, every)
				}
				s.pass(t, 3*every)
				for i, a := range s.found {
					if a.Calls != 1 || a.Ratio < price*0.99 || a.Ratio > price*1.01 || i > 2 && !near(a.Booked, a.Billed) {
						t.Errorf("found %+v", a)
					}
				}
				if got := s.l.Snapshot().Account; len(s.found) < 7 || !near(got.Used, s.Billed()) || !near(got.External, 0) {
					t.Errorf("%d found, %v used, %v external of %v billed", len(s.found), got.Used, got.External, s.Billed())
				}
			})
		})
	}
}

// Of two holders now one reads the figure and now the other. What one of them has
// corrected the other does not correct once more.
func TestAuditsByTurns(t *testing.T) {
	for name, pause := range map[string]time.Duration{"it sees the other's turn": every, "it does not": 3 * every} {
		t.Run(name, func(t *testing.T) {
			virtually(t, func(t *testing.T) {
				time.Sleep(12 * time.Hour)
				o := quota.Options{Limit: 1_000_000 * n, Store: quota.NewMemory(nil)}
				s := &listener{newCloud(t, workersai.Options{}), open(t, o), price.NewEstimator(nil, price.Bound), 3, nil}
				defer s.client.Close()
				other := open(t, o)
				for range 10 {
					s.call(t, "", 1000)
				}
				time.Sleep(time.Minute)
				began := time.Now()
				s.audit(t, s.l) // counts the calls
				for i := 1; i <= 3; i++ {
					time.Sleep(time.Until(began.Add(time.Duration(i)*(every+10*time.Second) - 30*time.Second)))
					if i < 3 {
						s.audit(t, other) // counts them, and then compares
					}
					time.Sleep(time.Until(began.Add(time.Duration(i) * every)))
					if time.Duration(i)*every%pause == 0 {
						s.audit(t, s.l)
					}
				}
				time.Sleep(2 * quota.Heartbeat)
				if got := s.l.Snapshot().Account; len(s.found) != 1 || !near(got.Used, s.Billed()) {
					t.Errorf("found %+v, %v used of %v billed", s.found, got.Used, s.Billed())
				}
			})
		})
	}
}

// What another holder has published when calls are counted may not have been
// billed in that span, and what it has not may have been: as many too many as too
// few of another size would pass for a price.
func TestAuditsWhileAnotherHolderCalls(t *testing.T) {
	virtually(t, func(t *testing.T) {
		time.Sleep(12 * time.Hour)
		o := quota.Options{Limit: 1_000_000 * n, Store: quota.NewMemory(nil)}
		l, other := open(t, o), open(t, o)
		s := &listener{newCloud(t, workersai.Options{}), other, price.NewEstimator(nil, price.Bound), 1, nil}
		defer s.client.Close()
		began := time.Now()
		for i := range int64(4) {
			for second := every - 10*time.Second; second < every; second += 4 * time.Second {
				time.Sleep(time.Until(began.Add(time.Duration(i)*every + second)))
				s.call(t, "", 1000+1000*i) // the last ends a second before the calls are counted
			}
			time.Sleep(time.Second)
			found := make(chan []quota.Audited)
			go func() {
				all, err := l.Audit(t.Context(), every, s.bills)
				if err != nil {
					t.Error(err)
				}
				found <- all
			}()
			time.Sleep(time.Second)
			s.call(t, "", 500)
			if all := <-found; len(all) != 0 {
				t.Errorf("found %+v", all)
			}
		}
		for range 3 { // once it is quiet
			time.Sleep(every)
			s.audit(t, l)
		}
		if len(s.found) != 1 || !near(s.found[0].Billed, s.found[0].Booked) {
			t.Errorf("found %+v", s.found)
		}
	})
}
