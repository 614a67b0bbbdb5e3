package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/neuronward/neuronward/cmd/neuronward/config"
	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/price"
)

// hourNeurons runs test in virtual time, at the beginning of a day, with a ledger on store.
func hourNeurons(t *testing.T, store quota.Store, test func(t *testing.T, spend func(whole int), today func() day)) {
	t.Helper()
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // the race detector of Go 1.26 crashes when two processors fire timers of one bubble
	synctest.Test(t, func(t *testing.T) {
		n, err := newNeurons(t.Context(), quota.Options{Store: store, Limit: 10_000 * quota.OneNeuron, AllowOfflineGrant: true},
			config.ClientsFile{}.Budgets, price.Bound, func() error { return nil })
		if err != nil {
			t.Fatal(err)
		}
		spend := func(whole int) {
			t.Helper()
			cost := quota.Neurons(whole) * quota.OneNeuron
			res, d, err := n.ledger.Reserve(t.Context(), quota.Call{Model: "m", Estimate: cost})
			if err != nil || res == nil {
				t.Fatal(d, err)
			}
			res.Settle(quota.Cost{Neurons: cost, Basis: quota.Reported})
		}
		test(t, spend, func() day { return n.today(t.Context(), &config.Config{}) })
		_ = n.ledger.Close(t.Context()) // of a store that fails, too
	})
}

func repeated(text string, times int) string {
	return strings.TrimSuffix(strings.Repeat(text+",", times), ",")
}

func TestTheHoursOfTodayAndYesterday(t *testing.T) {
	hourNeurons(t, quota.NewMemory(nil), func(t *testing.T, spend func(int), today func() day) {
		if d := today(); asJSON(t, d.Hours) != "[0,"+repeated("null", 23)+"]" || *d.Yesterday.ByNow != 0 || d.Yesterday.Used != 0 {
			t.Errorf("at the beginning: %s, %s", asJSON(t, d.Hours), asJSON(t, d.Yesterday))
		}
		time.Sleep(2 * time.Hour)
		spend(100)
		time.Sleep(time.Hour)
		spend(60)
		time.Sleep(20 * time.Hour)
		spend(1)
		time.Sleep(3*time.Hour + 30*time.Minute)
		spend(7) // at 02:30
		time.Sleep(time.Hour)
		d := today()
		if got, want := asJSON(t, d.Hours), "[0,0,7,7,"+repeated("null", 20)+"]"; got != want {
			t.Errorf("today is %s, want %s", got, want)
		}
		want := fmt.Sprintf(`{"day":%s,"used":161,"by_now":130,"hours":[0,0,100,%s,161]}`, asJSON(t, *d.Day-1), repeated("160", 20))
		if got := asJSON(t, d.Yesterday); got != want {
			t.Errorf("yesterday is %s, want %s", got, want)
		}
		if said, want := (screen{}).usage(usageReport{Today: d}, time.Now()), "\nYesterday 130.00 neurons were spent by this time of the day, 161.00 on the whole day.\n"; !strings.Contains(said, want) {
			t.Errorf("%s\nis not in\n%s", want, said)
		}
	})
}

// forgetful is a store that has kept no hours of a day, as one of a former version.
type forgetful struct{ quota.Store }

func (f forgetful) Sync(ctx context.Context, r quota.Report) (quota.Reply, error) {
	r.Hours = nil
	return f.Store.Sync(ctx, r)
}

func TestHoursThatAreNotKnown(t *testing.T) {
	hourNeurons(t, forgetful{quota.NewMemory(nil)}, func(t *testing.T, spend func(int), today func() day) {
		spend(100)
		time.Sleep(24 * time.Hour)
		d := today()
		if got, want := asJSON(t, d.Yesterday), fmt.Sprintf(`{"day":%s,"used":100,"by_now":null,"hours":null}`, asJSON(t, *d.Day-1)); got != want {
			t.Errorf("yesterday is %s, want %s", got, want)
		}
		if said := (screen{}).usage(usageReport{Today: d}, time.Now()); strings.Contains(said, "esterday") {
			t.Error(said)
		}
	})
	hourNeurons(t, &fallible{Store: quota.NewMemory(nil), err: errors.New("down")}, func(t *testing.T, spend func(int), today func() day) {
		time.Sleep(time.Hour)
		spend(0)
		if d := today(); asJSON(t, d.Hours) != "[0,0,"+repeated("null", 22)+"]" || d.Yesterday != nil {
			t.Errorf("while the store fails: %s, %s", asJSON(t, d.Hours), asJSON(t, d.Yesterday))
		}
	})
}
