package status

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/memstore"
)

// inHours runs test in virtual time, at the beginning of a day, with a ledger on store.
func inHours(t *testing.T, store quota.Store, test func(t *testing.T, spend func(whole int), today func() Today)) {
	t.Helper()
	// The race detector of Go 1.26 crashes when two processors fire timers of one bubble.
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	synctest.Test(t, func(t *testing.T) {
		o := quota.Options{
			Store: store, Limit: 10_000 * quota.OneNeuron, AllowOfflineGrant: true,
			Heartbeat: 30 * time.Second, // virtual days are long
		}
		ledger, err := quota.New(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		spend := func(whole int) {
			t.Helper()
			cost := quota.Neurons(whole) * quota.OneNeuron
			res, d, err := ledger.Reserve(t.Context(), quota.Call{Model: "m", Estimate: cost})
			if err != nil || res == nil {
				t.Fatalf("got %+v, %v, want a reservation", d, err)
			}
			res.Settle(quota.Cost{Neurons: cost, Basis: quota.Reported})
		}
		test(t, spend, func() Today { return sourceOf(ledger).Today(t.Context()) })
		_ = ledger.Close(t.Context()) // of a store that fails, too
	})
}

func repeated(text string, times int) string {
	return strings.TrimSuffix(strings.Repeat(text+",", times), ",")
}

func TestTheHoursOfTodayAndYesterday(t *testing.T) {
	inHours(t, memstore.New(nil), func(t *testing.T, spend func(int), today func() Today) {
		d := today()
		if got, want := asJSON(t, d.Hours), "[0,"+repeated("null", 23)+"]"; got != want {
			t.Errorf("at the beginning: got %s, want %s", got, want)
		}
		if *d.Yesterday.ByNow != 0 || d.Yesterday.Used != 0 {
			t.Errorf("at the beginning: got %s for yesterday, want nothing spent", asJSON(t, d.Yesterday))
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
		d = today()
		if got, want := asJSON(t, d.Hours), "[0,0,7,7,"+repeated("null", 20)+"]"; got != want {
			t.Errorf("got today %s, want %s", got, want)
		}
		want := fmt.Sprintf(`{"day":%s,"used":161,"by_now":130,"hours":[0,0,100,%s,161]}`,
			asJSON(t, *d.Day-1), repeated("160", 20))
		if got := asJSON(t, d.Yesterday); got != want {
			t.Errorf("got yesterday %s, want %s", got, want)
		}
	})
}

// hourless is a store without hours, as that of a former version.
type hourless struct{ quota.Store }

func (f hourless) Sync(ctx context.Context, r quota.Report) (quota.Reply, error) {
	r.Hours = nil
	return f.Store.Sync(ctx, r)
}

func TestHoursThatAreNotKnown(t *testing.T) {
	inHours(t, hourless{memstore.New(nil)}, func(t *testing.T, spend func(int), today func() Today) {
		spend(100)
		time.Sleep(24 * time.Hour)
		d := today()
		want := fmt.Sprintf(`{"day":%s,"used":100,"by_now":null,"hours":null}`, asJSON(t, *d.Day-1))
		if got := asJSON(t, d.Yesterday); got != want {
			t.Errorf("got yesterday %s, want %s", got, want)
		}
	})
	down := failing{memstore.New(nil), errors.New("down")}
	inHours(t, down, func(t *testing.T, spend func(int), today func() Today) {
		time.Sleep(time.Hour)
		spend(0)
		d := today()
		if got, want := asJSON(t, d.Hours), "[0,0,"+repeated("null", 22)+"]"; got != want {
			t.Errorf("while the store fails: got today %s, want %s", got, want)
		}
		if d.Yesterday != nil {
			t.Errorf("while the store fails: got yesterday %s, want null", asJSON(t, d.Yesterday))
		}
	})
}
