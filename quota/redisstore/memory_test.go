package redisstore

import (
	"crypto/rand"
	"errors"
	"fmt"
	"math"
	mathrand "math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/memstore"
)

// The script does what memstore.Store does, report by report: both are given the same
// thousands, repeated, late and contradictory ones among them.
func TestAgreesWithMemory(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			rng := mathrand.New(mathrand.NewPCG(seed, 1))
			s, memory := settled(t, open(t, shared.url(""), rand.Text(), patient)), memstore.New(nil)
			replicas := []*replica{{name: "a"}, {name: "b"}, {name: "c"}, {name: "d"}}
			var former []quota.Report
			for range 500 {
				who := replicas[rng.IntN(len(replicas))]
				r := who.report()
				if len(former) > 0 && rng.IntN(8) == 0 {
					who.seq--
					r = former[max(0, len(former)-1-rng.IntN(6))]
				} else {
					randomize(rng, &r)
					former = append(former, r)
				}
				want, wantErr := memory.Sync(t.Context(), r)
				got, err := s.Sync(t.Context(), r)
				if !errors.Is(err, wantErr) {
					t.Fatalf("%+v: got error %v, want %v", r, err, wantErr)
				}
				got.Time, want.Time = time.Time{}, time.Time{}
				if err == nil && !reflect.DeepEqual(got, want) {
					t.Fatalf("%+v\n got %+v\nwant %+v", r, got, want)
				}
			}
			got, err := s.History(t.Context(), 0, math.MaxInt32)
			want, _ := memory.History(t.Context(), 0, math.MaxInt32)
			if len(want) < 10 {
				t.Errorf("got %d records, want at least 10", len(want))
			}
			if err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("history: %v\n got %+v\nwant %+v", err, got, want)
			}
			for on := day; on < day+2; on++ {
				got, err := s.Hours(t.Context(), on)
				want, _ := memory.Hours(t.Context(), on)
				if want == (quota.Hours{}) {
					t.Errorf("%v: got no hours, want some", on)
				}
				if err != nil || got != want {
					t.Errorf("%v: %v\n got %v\nwant %v", on, err, got, want)
				}
			}
		})
	}
}

// randomize fills r with what a replica might report, and with what none would.
func randomize(rng *mathrand.Rand, r *quota.Report) {
	amount := func(limit int64) quota.Neurons { return quota.Neurons(rng.Int64N(limit)) }
	r.Day = day + quota.Day(rng.IntN(2))
	for _, budget := range []quota.Budget{quota.Account, quota.ClientBudget("x"), quota.ClientBudget("y z")} {
		if rng.IntN(4) == 0 {
			continue
		}
		c := quota.BudgetRequest{
			Budget: budget, Limit: 1_000_000_007 * n / 7,
			Spent: amount(3e13), Held: amount(1e13), Min: amount(1e12), Want: amount(9e13),
		}
		c.Reserved = amount(int64(c.Held) + 1)
		if rng.IntN(3) == 0 {
			c.Waiting = c.Want
		}
		if rng.IntN(10) == 0 {
			c.Limit = 0
		}
		r.Requests = append(r.Requests, c)
	}
	for _, model := range []string{"@cf/a", "@cf/b"} {
		if client := fmt.Sprint(rng.IntN(4)); rng.IntN(2) == 0 {
			r.Records = append(r.Records, quota.Record{
				Day: r.Day, Model: model, Client: client, Calls: rng.Int64N(1e6),
				Reported: amount(1e15), Priced: amount(1e15), Estimated: amount(1e15),
				Silent: rng.Int64N(1e6), Table: amount(1e15),
			})
		}
	}
	for hour := range 24 {
		if rng.IntN(12) == 0 {
			r.Hours = append(r.Hours, quota.HourSpent{Hour: hour, Spent: amount(2e14) - 1e14})
		}
	}
	at := time.Unix(rng.Int64N(2), rng.Int64N(1e9)).UTC()
	switch rng.IntN(10) {
	case 0:
		r.Block.Set = quota.Block{Set: true, At: at, Until: at.Add(time.Hour)}
	case 1:
		r.Block.Lift = true
	case 2:
		r.Leave = true
	}
}
