package bill

import (
	"context"
	"errors"
	"maps"
	"math/big"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/neuronward/neuronward/quota"
)

const thousand = 1000 * quota.OneNeuron

func dayOf(t *testing.T, text string) (d quota.Day) {
	t.Helper()
	if err := d.UnmarshalText([]byte(text)); err != nil {
		t.Fatal(err)
	}
	return d
}

func TestOnlyWhatIsBeyondTheFreeNeuronsCosts(t *testing.T) {
	for spent, want := range map[quota.Neurons]Dollars{
		0: 0, 9_999_999_999: 0, 10 * thousand: 0, 10*thousand + 1: 0, 11 * thousand: 0.011, 1010 * thousand: 11,
		12_345_678_901: 0.025802468,
	} {
		if got := Price(0.011).Dollars(Paid(spent)); got != want {
			t.Errorf("%d millionths: got %v dollars, want %v", spent, got, want)
		}
	}
}

// Shares are those of arithmetic without bounds, and never more than the whole together.
func TestSharesAreInProportion(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 1000 {
		parts := []quota.Neurons{
			quota.Neurons(r.Int64N(1 << 40)), quota.Neurons(r.Int64N(1 << 50)), quota.Neurons(r.Int64N(1 << 30)),
		}
		day := parts[0] + parts[1] + parts[2]
		sum := quota.Neurons(0)
		for _, part := range parts {
			got := Share(part, day)
			want := new(big.Int).Mul(big.NewInt(int64(part)), big.NewInt(int64(Paid(day))))
			if want.Div(want, big.NewInt(int64(day))); want.Int64() != int64(got) {
				t.Fatalf("%d of %d: got %d, want %d", part, day, got, want)
			}
			sum += got
		}
		if left := Paid(day) - sum; left < 0 || left > 2 {
			t.Fatalf("got shares of %d, want them to be %d but for 2", sum, Paid(day))
		}
	}
	for name, got := range map[string]quota.Neurons{
		"below the free neurons": Share(thousand, 10*thousand), "a correction": Share(-thousand, 20*thousand),
		"nothing": Share(0, 0),
	} {
		if got != 0 {
			t.Errorf("%s: got a share of %d, want none", name, got)
		}
	}
	if got := Share(quota.MaxNeurons, quota.MaxNeurons); got != Paid(quota.MaxNeurons) {
		t.Errorf("got %d of the largest day, want all that is paid for", got)
	}
}

// A fakeStore has days until today, the last of them yesterday's.
type fakeStore struct {
	today quota.Day
	past  []quota.Neurons
	err   error
	asked int // how often days were read

	prices map[quota.Day]quota.DayPrice
}

func (f *fakeStore) Prices(_ context.Context, day quota.Day, p quota.DayPrice) (map[quota.Day]quota.DayPrice, error) {
	if f.prices == nil {
		f.prices = map[quota.Day]quota.DayPrice{}
	}
	if !p.Since.Before(f.prices[day].Since) {
		f.prices[day] = p
	}
	return maps.Clone(f.prices), f.err
}

func (f *fakeStore) Committed(_ context.Context, from, to quota.Day) (quota.ByDay, error) {
	days := quota.ByDay{}
	for day := from; day <= to; day++ {
		if at := len(f.past) - int(f.today-day); at >= 0 && at < len(f.past) {
			days[day] = map[quota.Budget]quota.Neurons{quota.Account: f.past[at], "client:a": 7}
		}
		f.asked++
	}
	return days, f.err
}

func TestForecastOfTheMonth(t *testing.T) {
	for _, c := range []struct {
		name     string
		past     []quota.Neurons // in thousands
		spent    quota.Neurons   // today, likewise
		month    Dollars
		forecast *Dollars
	}{
		{"the first day", nil, 30, 0.22, nil},
		{"after a day that may not be whole", []quota.Neurons{40}, 30, 0.55, nil},
		// 28 November: 2 days follow.
		{"after a whole day", []quota.Neurons{15, 40}, 30, 0.605, new(Dollars(0.605 + 0.11 + 2*0.33))},
		{"today is beyond the usual day already", []quota.Neurons{15, 20}, 30, 0.385, new(Dollars(0.385 + 2*0.11))},
		{"an idle day counts", []quota.Neurons{15, 0, 30}, 0, 0.275, new(Dollars(0.275 + 3*0.11))},
		{"free days", []quota.Neurons{5, 5, 5}, 5, 0, new(Dollars(0))},
		{
			"a week is looked back",
			[]quota.Neurons{900, 900, 20, 20, 20, 20, 20, 20, 20},
			20, 20.46, new(Dollars(20.46 + 2*0.11)),
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := &fakeStore{today: dayOf(t, "2026-11-28")}
			for _, n := range c.past {
				f.past = append(f.past, n*thousand)
			}
			got := NewBook(0.011, f).Cost(t.Context(), f.today, c.spent*thousand)
			if got.Month == nil || got.Month.String() != c.month.String() {
				t.Errorf("got %v this month, want %v", got.Month, c.month)
			}
			switch {
			case (got.Forecast == nil) != (c.forecast == nil):
				t.Errorf("got the forecast %v, want %v", got.Forecast, c.forecast)
			case got.Forecast != nil && got.Forecast.String() != c.forecast.String():
				t.Errorf("got the forecast %s, want %s", got.Forecast, c.forecast)
			}
		})
	}
}

// Days of another month are no part of the present one.
func TestTheFirstOfAMonth(t *testing.T) {
	f := &fakeStore{today: dayOf(t, "2026-12-01"), past: []quota.Neurons{50 * thousand, 20 * thousand}}
	got := NewBook(0.011, f).Cost(t.Context(), f.today, 20*thousand)
	if *got.Month != 0.11 || got.Today != 0.11 {
		t.Errorf("got %v today, %v this month; want 0.11 of both", got.Today, *got.Month)
	}
	if want := Dollars(31 * 0.11); got.Forecast.String() != want.String() {
		t.Errorf("got the forecast %v, want %v", *got.Forecast, want)
	}
}

func TestDaysAreReadAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeStore{today: dayOf(t, "2026-11-28"), past: []quota.Neurons{20 * thousand, 20 * thousand}}
		b := NewBook(0.011, f)
		month := func(what, want string) {
			t.Helper()
			got := "unknown"
			if c := b.Cost(t.Context(), f.today, 0); c.Month != nil {
				got = c.Month.String()
			}
			if got != want {
				t.Errorf("%s: got %s this month, want %s", what, got, want)
			}
		}
		month("at first", "0.22")
		if f.asked != quota.KeepDays-1 {
			t.Errorf("got %d days read, want %d", f.asked, quota.KeepDays-1)
		}
		held := b.Past(t.Context(), f.today)
		f.past[1] = 30 * thousand // calls ended after midnight
		month("within a minute", "0.22")
		time.Sleep(refreshEvery)
		month("after a minute", "0.33")
		if got := held[len(held)-1].Spent; got != 20*thousand {
			t.Errorf("got %v in days that were returned before, want them unchanged", got)
		}
		if f.asked != quota.KeepDays+1 {
			t.Errorf("got %d days read, want 2 more", f.asked)
		}
		f.err = errors.New("down")
		time.Sleep(refreshEvery)
		month("while the store fails", "0.33")
		f.past, f.today = append(f.past, 40*thousand), f.today+1
		month("the next day, while the store fails", "unknown")
		f.err = nil
		month("at once after that", "unknown")
		time.Sleep(retryEvery)
		month("when the store is back", "0.66")
	})
}

// A changed price counts from the day on which it is set. What was stored without a price keeps that of the first
// process that stores one.
func TestPastDaysKeepTheirPrice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeStore{today: dayOf(t, "2026-11-28"), past: []quota.Neurons{110 * thousand, 20 * thousand}}
		month := func(what string, b *Book, spent quota.Neurons, today, month string) {
			t.Helper()
			got := b.Cost(t.Context(), f.today, spent)
			if got.Today.String() != today || got.Month == nil || got.Month.String() != month {
				t.Errorf("%s: got %v today, %v this month; want %s, %s", what, got.Today, got.Month, today, month)
			}
		}
		old := NewBook(0.01, f)
		month("an old store", old, 110*thousand, "1.00", "2.10")
		time.Sleep(time.Second)
		changed := NewBook(0.02, f)
		month("the price is doubled", changed, 110*thousand, "2.00", "3.10")
		time.Sleep(refreshEvery)
		month("a process that began before", old, 110*thousand, "2.00", "3.10")
		f.past, f.today = append(f.past, 110*thousand), f.today+1
		month("the next day", changed, 110*thousand, "2.00", "5.10")
		time.Sleep(time.Second)
		free := NewBook(0, f)
		month("for nothing", free, 110*thousand, "0.00", "3.10")
		f.past, f.today = append(f.past, 110*thousand), f.today+1
		f.past, f.today = append(f.past, 0), f.today+1
		time.Sleep(time.Second)
		month("December, after an idle day", NewBook(0.05, f), 110*thousand, "5.00", "5.00")
		if got, want := free.Past(t.Context(), f.today), []Price{0.01, 0.01, 0.02, 0, 0.05}; len(got) < len(want) {
			t.Errorf("got %d days, want at least %d", len(got), len(want))
		} else {
			for i, day := range got[len(got)-len(want):] {
				if day.Price != want[i] {
					t.Errorf("%d days before: got the price %v, want %v", len(want)-i, day.Price, want[i])
				}
			}
		}
	})
}
