package bill

import (
	"context"
	"slices"
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
	// account's own figure change them. Prices are read, and that of today is kept, as often.
	refreshEvery = time.Minute

	// retryEvery is how long a store that did not answer is left alone.
	retryEvery = 5 * time.Second

	// usualDays is how many whole days the forecast looks back: a week, because weekends differ.
	usualDays = 7
)

// A Day is what counts of one day, and the price of its neurons.
type Day struct {
	Spent quota.Neurons
	Price Price
}

// Dollars returns what the day costs.
func (d Day) Dollars() Dollars { return d.Price.Dollars(Paid(d.Spent)) }

// A Book knows what each day has cost. A day keeps the price that it had: that of the process which began last on it.
// It is safe for concurrent use.
type Book struct {
	price quota.DayPrice // of this process
	store Store

	mu     sync.Mutex
	today  quota.Day
	now    Price     // of today
	past   []Day     // before today, KeepDays-1 of them; nil: not known
	nextAt time.Time // when it is to be read again
}

// A Store knows what counts of past days, by budget, and keeps the prices of days. A quota.Archive is one.
type Store interface {
	Committed(ctx context.Context, from, to quota.Day) (quota.ByDay, error)
	Prices(ctx context.Context, day quota.Day, p quota.DayPrice) (map[quota.Day]quota.DayPrice, error)
}

// NewBook returns a book of the account's days in store. From now on 1,000 neurons cost p.
func NewBook(p Price, store Store) *Book {
	return &Book{price: p.since(time.Now()), now: p, store: store}
}

// Price returns what 1,000 neurons of today cost.
func (b *Book) Price(ctx context.Context, today quota.Day) Price {
	_, now := b.read(ctx, today)
	return now
}

// Past returns the days before today, the last of them yesterday, nil while the store does not answer. They are not
// to be changed.
func (b *Book) Past(ctx context.Context, today quota.Day) []Day {
	past, _ := b.read(ctx, today)
	return past
}

// Keep keeps the price of today in the store, unless that was done within the last minute.
func (b *Book) Keep(ctx context.Context, today quota.Day) { b.read(ctx, today) }

// Cost returns what the account has spent, of which spent is today's.
func (b *Book) Cost(ctx context.Context, today quota.Day, spent quota.Neurons) Cost {
	past, price := b.read(ctx, today)
	c := Cost{Today: Day{spent, price}.Dollars()}
	if past == nil {
		return c
	}
	month := c.Today
	first := today.FirstOfMonth()
	for _, day := range past[len(past)-int(today-first):] {
		month = month.Add(day.Dollars())
	}
	c.Month = &month
	if usual, ok := usualDay(past); ok {
		ends := quota.DayOf(today.MonthEnd())
		rest := usual * quota.Neurons(ends-today-1)
		c.Forecast = new(month.Add(price.Dollars(max(usual-Paid(spent), 0).Add(rest))))
	}
	return c
}

// usualDay returns what of a day's neurons is paid for on average of the last whole days. The first day that counted
// anything is none: it may have begun at noon.
func usualDay(past []Day) (usual quota.Neurons, ok bool) {
	first := 0
	for first < len(past) && past[first].Spent == 0 {
		first++
	}
	whole := past[min(first+1, len(past)):]
	whole = whole[max(len(whole)-usualDays, 0):]
	if len(whole) == 0 {
		return 0, false
	}
	sum := quota.Neurons(0)
	for _, day := range whole {
		sum = sum.Add(Paid(day.Spent))
	}
	return sum / quota.Neurons(len(whole)), true
}

// read returns the days before today and today's price, and keeps that in the store.
func (b *Book) read(ctx context.Context, today quota.Day) (past []Day, now Price) {
	b.mu.Lock()
	defer b.mu.Unlock()
	at := time.Now()
	if b.today == today && at.Before(b.nextAt) {
		return b.past, b.now
	}
	const all = quota.KeepDays - 1
	from := today - all
	kept := b.past != nil && b.today == today
	if kept {
		from = today - 2
	}
	days, err := b.spent(ctx, from, today-1)
	if kept && err == nil {
		days = append(b.past[:all-2:all-2], days...)
	}
	var prices map[quota.Day]quota.DayPrice
	if err == nil {
		prices, err = b.prices(ctx, today, days)
	}
	if err != nil {
		if !kept {
			b.past = nil
		}
		b.today, b.nextAt = today, at.Add(retryEvery)
		return b.past, b.now
	}
	b.today, b.nextAt = today, at.Add(refreshEvery)
	b.now, b.past = priced(days, today, prices, b.price)
	return b.past, b.now
}

// spent returns what counts of each day of the account.
func (b *Book) spent(ctx context.Context, from, to quota.Day) ([]Day, error) {
	counted, err := b.store.Committed(ctx, from, to)
	if err != nil {
		return nil, err
	}
	days := make([]Day, 0, to-from+1)
	for day := from; day <= to; day++ {
		days = append(days, Day{Spent: counted[day][quota.Account]})
	}
	return days, nil
}

// prices keeps the price of today and returns those of all days. Where days were stored before prices were, today's
// becomes yesterday's as well: they have it from now on, whatever becomes of today's.
func (b *Book) prices(ctx context.Context, today quota.Day, past []Day) (map[quota.Day]quota.DayPrice, error) {
	known, err := b.store.Prices(ctx, today, b.price)
	if err == nil && len(known) == 1 && slices.ContainsFunc(past, func(d Day) bool { return d.Spent != 0 }) {
		return b.store.Prices(ctx, today-1, b.price)
	}
	return known, err
}

// priced returns the price of today, and the days before it with theirs: those without one have that of the day after.
func priced(
	spent []Day, today quota.Day, prices map[quota.Day]quota.DayPrice, price quota.DayPrice,
) (now Price, past []Day) {
	past = make([]Day, len(spent))
	for i := len(spent); i >= 0; i-- {
		day := today - quota.Day(len(spent)-i)
		if p, ok := prices[day]; ok {
			price = p
		}
		if i == len(spent) {
			now = priceOf(price)
			continue
		}
		past[i] = Day{spent[i].Spent, priceOf(price)}
	}
	return now, past
}
