package bill

import (
	"context"
	"sync"
	"time"

	"github.com/neuronward/neuronward/quota"
)

// A Cost is what the account's neurons cost, also those spent outside this proxy as far as they are known. What
// processes held when they died is in it: it may have been spent.
type Cost struct {
	Today    Dollars  `json:"usd_today"`
	Month    *Dollars `json:"usd_month"`          // of the UTC calendar month until now; null: not known
	Forecast *Dollars `json:"usd_month_forecast"` // of the whole month; null: no whole day was counted yet
}

const (
	// refreshEvery is how often the last two days before today are read again: calls that end after midnight and the
	// account's own figure change them.
	refreshEvery = time.Minute

	// retryEvery is how long a store that did not answer is left alone.
	retryEvery = 5 * time.Second

	// usualDays is how many whole days the forecast looks back: a week, because weekends differ.
	usualDays = 7
)

// A Book knows what each day before today has cost. It is safe for concurrent use.
type Book struct {
	price Price
	store Store

	mu     sync.Mutex
	today  quota.Day       // that past ends before
	past   []quota.Neurons // of the days before today, KeepDays-1 of them; nil: not known
	nextAt time.Time       // when it is to be read again
}

// A Store knows what counts of past days, by budget. *quota.Ledger is one.
type Store interface {
	Committed(ctx context.Context, from, to quota.Day) (quota.ByDay, error)
}

// NewBook returns a book of the account's days in store.
func NewBook(p Price, store Store) *Book { return &Book{price: p, store: store} }

// Price returns what 1,000 neurons cost.
func (b *Book) Price() Price { return b.price }

// Cost returns what the account has spent, of which spent is today's.
func (b *Book) Cost(ctx context.Context, today quota.Day, spent quota.Neurons) Cost {
	c := Cost{Today: b.price.Dollars(Paid(spent))}
	past := b.Past(ctx, today)
	if past == nil {
		return c
	}
	month := Paid(spent)
	first := today.FirstOfMonth()
	for _, day := range past[len(past)-int(today-first):] {
		month = month.Add(Paid(day))
	}
	c.Month = new(b.price.Dollars(month))
	if usual, ok := usualDay(past); ok {
		ends := quota.DayOf(today.MonthEnd())
		rest := usual * quota.Neurons(ends-today-1)
		c.Forecast = new(b.price.Dollars(month.Add(max(usual-Paid(spent), 0)).Add(rest)))
	}
	return c
}

// usualDay returns what of a day's neurons is paid for on average of the last whole days. The first day that counted
// anything is none: it may have begun at noon.
func usualDay(past []quota.Neurons) (usual quota.Neurons, ok bool) {
	first := 0
	for first < len(past) && past[first] == 0 {
		first++
	}
	whole := past[min(first+1, len(past)):]
	whole = whole[max(len(whole)-usualDays, 0):]
	if len(whole) == 0 {
		return 0, false
	}
	sum := quota.Neurons(0)
	for _, day := range whole {
		sum = sum.Add(Paid(day))
	}
	return sum / quota.Neurons(len(whole)), true
}

// Past returns the neurons of the days before today, the last of them yesterday's, nil while the store does not answer.
// They are not to be changed.
func (b *Book) Past(ctx context.Context, today quota.Day) []quota.Neurons {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	if b.today == today && now.Before(b.nextAt) {
		return b.past
	}
	const all = quota.KeepDays - 1
	from := today - all
	kept := b.past != nil && b.today == today
	if kept {
		from = today - 2
	}
	days, err := b.read(ctx, from, today-1)
	if err != nil {
		if !kept {
			b.past = nil
		}
		b.today, b.nextAt = today, now.Add(retryEvery)
		return b.past
	}
	if kept {
		days = append(b.past[:all-2:all-2], days...)
	}
	b.today, b.past, b.nextAt = today, days, now.Add(refreshEvery)
	return b.past
}

// read returns what counts of each day of the account.
func (b *Book) read(ctx context.Context, from, to quota.Day) ([]quota.Neurons, error) {
	counted, err := b.store.Committed(ctx, from, to)
	if err != nil {
		return nil, err
	}
	days := make([]quota.Neurons, 0, to-from+1)
	for day := from; day <= to; day++ {
		days = append(days, counted[day][quota.Account])
	}
	return days, nil
}
