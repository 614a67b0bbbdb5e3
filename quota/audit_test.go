package quota_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/neuronward/neuronward/proxy/workersai"
	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/memstore"
	"github.com/neuronward/neuronward/quota/price"
	"github.com/neuronward/neuronward/quota/workload"
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
		l := open(t, quota.Options{Limit: 1_000_000 * n, Heartbeat: longBeat})
		s := &listener{newCloud(t, workersai.Options{}), l, price.NewEstimator(nil, price.Bound), factor, nil}
		defer s.client.Close()
		test(t, s)
	})
}

// call makes a call that is billed, and returns what it was booked with.
func (s *listener) call(t *testing.T, client string, characters int64) quota.Neurons {
	t.Helper()
	of := s.e.Estimate(s.e.Resolve(spoken), workload.Request{Characters: characters})
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
		unpriced := !s.e.Resolve(m.Model).Known
		bills[m.Model] = quota.ModelBill{Neurons: m.Neurons, Calls: m.Calls, Unpriced: unpriced}
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
		_, err := s.l.Reconcile(t.Context(), every, s.billed)
		if err != nil && !errors.Is(err, quota.ErrEarly) && !errors.Is(err, quota.ErrUnconfirmed) {
			t.Fatal(err)
		}
	}
	time.Sleep(2 * quota.Heartbeat)
}

// near fails the test where got differs from want by more than some roundings to a millionth.
func near(t *testing.T, what string, got, want quota.Neurons) {
	t.Helper()
	within(t, what, got, want-20, want+20)
}

// audited fails the test where not just as many corrections were found.
func (s *listener) audited(t *testing.T, want int) {
	t.Helper()
	if len(s.found) != want {
		t.Fatalf("corrections: got %+v, want %d", s.found, want)
	}
}

// agrees fails the test where what is used is not what was billed, or something is external.
func (s *listener) agrees(t *testing.T) {
	t.Helper()
	got := s.l.Snapshot().Account
	near(t, "used", got.Used, s.Billed())
	near(t, "external", got.External, 0)
}

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
				s.agrees(t)
				s.audited(t, 1)
				equal(t, "calls", s.found[0].Calls, 10)
				equal(t, "booked before", s.found[0].Booked, table)
				near(t, "billed", s.found[0].Billed, s.Billed())
				got := s.l.Snapshot()
				for _, c := range got.Clients {
					for _, r := range got.Records {
						if quota.ClientBudget(r.Client) != c.Budget {
							continue
						}
						near(t, r.Client+": used by record", r.Neurons(), c.Used)
						equal(t, r.Client+": calls", r.Calls, 5)
						within(t, r.Client+": paid", r.Paid, quota.Ratio(1000*factor), quota.Ratio(1000*factor)+1)
					}
				}
				// From now on what is set aside suffices, and what is booked is what is billed.
				before := s.Billed()
				booked := s.call(t, "a", 1000)
				near(t, "booked", booked, s.Billed()-before)
				would := s.e.Estimate(s.e.Resolve(spoken), workload.Request{Characters: 1000})
				near(t, "what would be set aside", would.Neurons, max(would.Bound, booked))
				s.pass(t, 20*time.Minute)
				s.agrees(t)
				s.audited(t, 2)
				near(t, "booked later", s.found[1].Booked, booked)
				// Another process learns it, too.
				history, err := s.l.History(t.Context(), s.l.Snapshot().Day, s.l.Snapshot().Day)
				if err != nil {
					t.Fatal(err)
				}
				e := price.NewEstimator(nil, price.Bound)
				e.Recall(history)
				of := e.Estimate(e.Resolve(spoken), workload.Request{Characters: 1000})
				recalled := e.DefaultCost(e.Resolve(spoken), of, of.Neurons)
				within(t, "the recalled cost", recalled.Neurons, booked, booked+booked/500)
			})
		})
	}
}

// A model without a price is taken for the dearest of its task. What it was billed corrects that, however little it is.
func TestAModelWithoutAPriceIsBookedAsItWasBilled(t *testing.T) {
	const model = "@hf/nousresearch/hermes-2-pro-mistral-7b"
	for name, each := range map[string]quota.Neurons{"nothing": 0, "next to nothing": n / 1000, "a little": n / 4} {
		t.Run(name, func(t *testing.T) {
			listen(t, 0, func(t *testing.T, s *listener) {
				call := func() quota.Neurons {
					of := s.e.Estimate(s.e.Resolve(model), workload.Request{PromptBytes: 10, NoDefault: true})
					res := take(t, s.l, quota.Call{Model: model, Estimate: of.Neurons})
					time.Sleep(time.Second)
					cost := s.e.DefaultCost(s.e.Resolve(model), of, res.Neurons())
					res.Settle(cost)
					s.Spend(model, each)
					return cost.Neurons
				}
				first := call()
				s.pass(t, 20*time.Minute)
				s.audited(t, 1)
				near(t, "booked before", s.found[0].Booked, first)
				s.agrees(t)
				within(t, "booked later", call(), 0, first/500)
				s.pass(t, 20*time.Minute)
				s.audited(t, 2)
				s.agrees(t)
			})
		})
	}
}

// If others may have called the model as well, nothing is found out.
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
			cost := quota.Cost{Neurons: 5 * n, Basis: quota.Reported}
			take(t, s.l, quota.Call{Model: spoken, Estimate: 5 * n}).Settle(cost)
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
				s.audited(t, 0)
				within(t, "used", s.l.Snapshot().Account.Used, 5_000*n, 7_000*n)
				of := s.e.Estimate(s.e.Resolve(spoken), workload.Request{Characters: 1000})
				equal(t, "booked", s.call(t, "", 1000), of.Bound)
				s.pass(t, 20*time.Minute)
				if got := len(s.found) == 1; got != c.later {
					t.Errorf("a correction was found later: got %v, want %v: %+v", got, c.later, s.found)
				}
				if got := s.l.Snapshot().Account; c.price > 1 {
					near(t, "used and external", got.Used+got.External, s.Billed())
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
		s.audited(t, 0)
		before := s.Billed()
		for range 5 {
			s.call(t, "", 1000)
		}
		s.pass(t, 20*time.Minute)
		s.audited(t, 1)
		got := s.l.Snapshot().Account
		near(t, "used", got.Used, s.Billed()-before)
		near(t, "external", got.External, 0)
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
					equal(t, "calls", a.Calls, 1)
					within(t, "ratio", a.Ratio, price*0.99, price*1.01)
					if i > 2 {
						near(t, "booked before", a.Booked, a.Billed)
					}
				}
				within(t, "corrections", len(s.found), 7, 8)
				s.agrees(t)
			})
		})
	}
}

// Of two replicas now one reads the figure and now the other. What one of them has corrected the other does not
// correct once more.
func TestAuditsByTurns(t *testing.T) {
	for name, pause := range map[string]time.Duration{"it sees the other's reading": every, "it does not": 3 * every} {
		t.Run(name, func(t *testing.T) {
			virtually(t, func(t *testing.T) {
				time.Sleep(12 * time.Hour)
				o := quota.Options{Limit: 1_000_000 * n, Store: memstore.New(nil)}
				l, e := open(t, o), price.NewEstimator(nil, price.Bound)
				s := &listener{newCloud(t, workersai.Options{}), l, e, 3, nil}
				defer s.client.Close()
				other := open(t, o)
				for range 10 {
					s.call(t, "", 1000)
				}
				time.Sleep(time.Minute)
				began := time.Now()
				s.audit(t, s.l) // counts the calls
				for i := 1; i <= 3; i++ {
					before := time.Duration(i)*(every+10*time.Second) - 30*time.Second
					time.Sleep(time.Until(began.Add(before)))
					if i < 3 {
						s.audit(t, other) // counts them, and then compares
					}
					time.Sleep(time.Until(began.Add(time.Duration(i) * every)))
					if time.Duration(i)*every%pause == 0 {
						s.audit(t, s.l)
					}
				}
				time.Sleep(2 * quota.Heartbeat)
				s.audited(t, 1)
				near(t, "used", s.l.Snapshot().Account.Used, s.Billed())
			})
		})
	}
}

// What another replica has published when calls are counted may not have been billed in that span, and what it has
// not may have been: as many too many as too few of another size would pass for a price.
func TestAuditsWhileAnotherReplicaCalls(t *testing.T) {
	virtually(t, func(t *testing.T) {
		time.Sleep(12 * time.Hour)
		o := quota.Options{Limit: 1_000_000 * n, Store: memstore.New(nil)}
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
				t.Errorf("corrections: got %+v, want none", all)
			}
		}
		for range 3 { // once it is quiet
			time.Sleep(every)
			s.audit(t, l)
		}
		s.audited(t, 1)
		near(t, "billed", s.found[0].Billed, s.found[0].Booked)
	})
}
