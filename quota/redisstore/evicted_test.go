package redisstore

import (
	"crypto/rand"
	"strings"
	"testing"
	"time"

	"github.com/neuronward/neuronward/quota"
)

// A server with another policy than noeviction forgets single keys when its memory is full. Whichever it is, replicas
// that are alive are counted exactly once they have reported again, and no more than the limit is granted to them.
func TestAKeyThatIsEvicted(t *testing.T) {
	t.Parallel()
	for _, key := range []string{
		"epoch", "days", "D:holders", "D:seen", "D:rows", "D:sums", "D:records", "D:history", "D:hours",
	} {
		t.Run(key, func(t *testing.T) {
			t.Parallel()
			server := serverWith(t)
			l := newPair(t, server.url(""))
			l.reportA(t)
			if day := "D:"; key[:2] == day {
				key = l.a.report().Day.String() + ":" + key[2:]
				l.a.seq--
			}
			server.do(t, "DEL", l.storeA.prefix+key)
			for end := time.Now().Add(time.Minute); ; {
				granted := send(t, l.storeA, l.a.report(request(10*n, 20*n, 50*n))).Granted[0]
				granted += l.reportB(t).Granted[0]
				b := l.reportA(t).Balances[0] // it gives back what it was granted
				if granted > 50*n {
					t.Errorf("got %v granted, want no more than the 50 that are left", granted)
				}
				if b.Spent == 15*n && b.Held == 35*n && granted == 50*n {
					return
				}
				if time.Now().After(end) {
					t.Fatalf("got %v spent, %v held, %v granted after a minute; want 15, 35, 50",
						b.Spent, b.Held, granted)
				}
				time.Sleep(50 * time.Millisecond)
			}
		})
	}
}

// A budget of which there is nothing to say is left out of most reports. Its limit holds all the same when the server
// has forgotten the rows: the replica that spent of it writes it again before anything is granted.
func TestAQuietBudgetThatIsEvicted(t *testing.T) {
	t.Parallel()
	server := serverWith(t)
	s := settled(t, open(t, server.url(""), rand.Text(), patient))
	var ledgers [2]*quota.Ledger
	for i := range ledgers {
		l, err := quota.New(t.Context(), quota.Options{Store: s, Limit: 10_000 * n, Wait: 2 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close(t.Context())
		ledgers[i] = l
	}
	call := quota.Call{Model: "m", Client: "c", ClientLimit: 100 * n, Estimate: 90 * n}
	res, d, err := ledgers[0].Reserve(t.Context(), call)
	if err != nil || res == nil {
		t.Fatalf("the first call: got %+v, %v, want a reservation", d, err)
	}
	res.Settle(quota.Cost{Neurons: 90 * n})
	rows := s.prefix + quota.DayOf(time.Now()).String() + ":rows"
	eventually(t, "nothing is held of the budget", func() bool {
		keys, _ := server.do(t, "HVALS", rows).([]any)
		for _, row := range keys {
			words := strings.Fields(row.(string))
			if words[0] == "100000000" && words[2] == "0" {
				return true
			}
		}
		return false
	})
	server.do(t, "DEL", rows)
	call.Estimate = 60 * n
	if res, d, err = ledgers[1].Reserve(t.Context(), call); err != nil || res != nil {
		t.Errorf("the other replica's call of 60: got %+v, %v, want it refused, since 90 of 100 are spent", d, err)
		res.Release()
	}
}
