package quota

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// ReplicaTimeout is how long after its last report a holder counts as dead. What
// it holds is then shown as lost. It comes back to life with its next report.
const ReplicaTimeout = 10 * Heartbeat

// Books is what a store keeps, as one value: the rows of every holder by day
// and pot, the records, the latch and the leases. Its methods are the steps of
// a Store without the waiting, the agreement and the durability, which are the
// store's business; it is not safe for concurrent use.
type Books struct {
	Days   map[Day]*DayBook
	Block  Block
	Leases map[string]time.Time // name to end
}

// DayBook is one day of Books.
type DayBook struct {
	Holders  map[Replica]*HolderBook
	External External
	Past     map[Budget]Row // of holders that are gone; what they held is lost
	Records  []Record       // of holders that are gone
	Hours    Hours          // of holders that are gone
}

// HolderBook is what one holder said of a day.
type HolderBook struct {
	Seq     uint64
	Granted map[Budget]Neurons // with Seq, to answer it again
	Rows    map[Budget]Row
	Records map[RecordKey]Record
	Hours   Hours
	Left    bool
	seen    time.Time
}

// RecordKey tells the records of a holder and day apart.
type RecordKey struct{ Model, Client string }

// Row is one holder's part of a pot, or that of all who are gone. Reserved and
// Waiting concern only those who live.
type Row struct {
	Limit    Neurons `json:"limit"`
	Spent    Neurons `json:"spent"`
	Held     Neurons `json:"held"`
	Reserved Neurons `json:"-"`
	Waiting  Neurons `json:"-"`
}

// NewBooks returns empty books.
func NewBooks() *Books {
	return &Books{Days: map[Day]*DayBook{}, Leases: map[string]time.Time{}}
}

// Exchange applies r and returns the answer, what others should be told, and a
// function that takes the whole step back, for a store that could not keep it.
func (b *Books) Exchange(r Report, now time.Time) (s Reply, events []Event, undo func(), err error) {
	day := b.Days[r.Day]
	if day == nil {
		day = &DayBook{Holders: map[Replica]*HolderBook{}, Past: map[Budget]Row{}}
		b.Days[r.Day] = day
	}
	me, known := day.Holders[r.Replica]
	if known && r.Seq < me.Seq {
		return Reply{}, nil, nil, ErrStale
	}
	if known && r.Seq == me.Seq {
		me.seen = now
		return b.state(day, me, r, now, false), nil, func() {}, nil
	}
	former, latch, external := me, b.Block, day.External
	undo = func() {
		b.Block, day.External = latch, external
		if former == nil {
			delete(day.Holders, r.Replica)
		} else {
			day.Holders[r.Replica] = former
		}
	}
	me = &HolderBook{
		Seq: r.Seq, Granted: map[Budget]Neurons{}, Rows: make(map[Budget]Row, len(r.Requests)),
		Records: map[RecordKey]Record{}, Left: r.Leave, seen: now,
	}
	if known {
		// Pots that are not in this report stay as they were: the holder may still hold some of them.
		maps.Copy(me.Rows, former.Rows)
		me.Records, me.Hours = former.Records, former.Hours
	}
	me.Hours = me.Hours.with(r.Hours)
	day.Holders[r.Replica] = me
	day.External = day.External.Later(r.External)
	if b.changeLatch(r.Block, now) {
		events = append(events, Event{Kind: BlockChanged, Replica: r.Replica})
	}
	gaveBack, waits := false, false
	for _, c := range r.Requests {
		old := me.Rows[c.Budget]
		row := Row{Limit: c.Limit, Spent: c.Spent, Held: c.Held, Reserved: c.Reserved, Waiting: c.Waiting}
		me.Rows[c.Budget] = row
		bal := day.balance(c.Budget, c.Limit, r.Replica, now)
		granted := grant(c, bal.Free)
		if granted > 0 {
			row.Held += granted
			me.Granted[c.Budget] = granted
			me.Rows[c.Budget] = row
		}
		if row.Spent+row.Held < old.Spent+old.Held && bal.Waiting > 0 {
			gaveBack = true
		}
		// Said again with every report that still waits: whoever has something free by then gives it back.
		if c.Waiting > 0 && granted < c.Min {
			waits = true
		}
	}
	if waits {
		events = append(events, Event{Kind: NeuronsWanted, Replica: r.Replica})
	}
	if gaveBack {
		events = append(events, Event{Kind: NeuronsReturned, Replica: r.Replica})
	}
	records := me.Records
	if len(r.Records) > 0 {
		me.Records = maps.Clone(records)
		for _, rec := range r.Records {
			me.Records[RecordKey{rec.Model, rec.Client}] = rec
		}
	}
	return b.state(day, me, r, now, !known), events, undo, nil
}

// grant is what a claim gets of what is free.
func grant(c BudgetRequest, free Neurons) Neurons {
	if c.Want <= 0 || c.Limit <= 0 || free <= 0 || free < c.Min {
		return 0
	}
	return min(c.Want, free)
}

func (b *Books) changeLatch(c BlockChange, now time.Time) (changed bool) {
	former := b.Block
	switch {
	case c.Set.Set:
		b.Block = c.Set
		if b.Block.At.IsZero() {
			b.Block.At = now
		}
	case c.Lift:
		b.Block = Block{}
	}
	return b.Block != former
}

// state builds the answer to a report that is in the books.
func (b *Books) state(day *DayBook, me *HolderBook, r Report, now time.Time, joined bool) Reply {
	s := Reply{
		Granted: make([]Neurons, len(r.Requests)), Balances: make([]Balance, len(r.Requests)),
		Block: b.Block, External: day.External, Time: now, Joined: joined,
	}
	for i, c := range r.Requests {
		s.Granted[i] = me.Granted[c.Budget]
		s.Balances[i] = day.balance(c.Budget, c.Limit, r.Replica, now)
	}
	for _, h := range day.Holders {
		if h.alive(now) {
			s.Replicas++
		}
	}
	return s
}

func (h *HolderBook) alive(now time.Time) bool {
	return !h.Left && now.Sub(h.seen) < ReplicaTimeout
}

// balance sums a pot up. Waiting leaves out what asking itself waits for.
func (d *DayBook) balance(p Budget, limit Neurons, asking Replica, now time.Time) Balance {
	past := d.Past[p]
	s := Balance{Limit: limit, Spent: past.Spent, Lost: past.Held}
	for name, h := range d.Holders {
		row, ok := h.Rows[p]
		if !ok {
			continue
		}
		s.Spent += row.Spent
		if !h.alive(now) {
			s.Lost += row.Held
			continue
		}
		s.Held += row.Held
		s.Reserved += row.Reserved
		if name != asking {
			s.Waiting += row.Waiting
		}
	}
	if limit > 0 {
		s.Free = limit - s.Spent - s.Held - s.Lost
		if p == Account {
			s.Free -= d.External.less(s.Lost)
		}
	}
	return s
}

// History is Store.History.
func (b *Books) History(from, to Day) []Record {
	var all []Record
	for d, book := range b.Days {
		if d < from || d > to {
			continue
		}
		all = append(all, sumRecords(d, book)...)
	}
	return sortRecords(all)
}

// sumRecords returns the records of a day over all holders, in no order.
func sumRecords(d Day, book *DayBook) []Record {
	sum := map[RecordKey]Record{}
	add := func(r Record) {
		k := RecordKey{r.Model, r.Client}
		o := sum[k]
		sum[k] = Record{
			Day: d, Model: r.Model, Client: r.Client, Calls: r.Calls + o.Calls,
			Reported: r.Reported.Add(o.Reported), Priced: r.Priced.Add(o.Priced), Estimated: r.Estimated.Add(o.Estimated),
			Silent: r.Silent + o.Silent, Table: r.Table.Add(o.Table), Calibration: r.Calibration.Max(o.Calibration),
		}
	}
	for _, r := range book.Records {
		add(r)
	}
	for _, h := range book.Holders {
		for _, r := range h.Records {
			add(r)
		}
	}
	return slices.Collect(maps.Values(sum))
}

// Hours is Store.Hours.
func (b *Books) Hours(d Day) (sum Hours) {
	book := b.Days[d]
	if book == nil {
		return sum
	}
	sum = book.Hours
	for _, h := range book.Holders {
		sum = sum.Plus(h.Hours)
	}
	return sum
}

// Lease is Store.Lease.
func (b *Books) Lease(name string, ttl time.Duration, now time.Time) bool {
	for n, end := range b.Leases {
		// An end that is further off than it can have been asked for comes from a clock that was wrong.
		if !now.Before(end) || end.Sub(now) > maxLease {
			delete(b.Leases, n)
		}
	}
	if _, taken := b.Leases[name]; taken {
		return false
	}
	b.Leases[name] = now.Add(min(ttl, maxLease))
	return true
}

const maxLease = 24 * time.Hour

// Prune keeps the last days that were written, as many as keep, whatever their
// dates: a clock that was far ahead for a moment must not cost the rest.
func (b *Books) Prune(keep int) {
	for len(b.Days) > keep {
		delete(b.Days, slices.Min(slices.Collect(maps.Keys(b.Days))))
	}
}

// Sum returns the rows and records of d over all holders: what Past and Records
// are once none of them lives.
func (b *Books) Sum(d Day) (map[Budget]Row, []Record) {
	book := b.Days[d]
	if book == nil {
		return nil, nil
	}
	sum := map[Budget]Row{}
	maps.Copy(sum, book.Past)
	for _, h := range book.Holders {
		for p, row := range h.Rows {
			past := sum[p]
			sum[p] = Row{Limit: row.Limit, Spent: past.Spent + row.Spent, Held: past.Held + row.Held}
		}
	}
	return sum, sortRecords(sumRecords(d, book))
}

func sortRecords(records []Record) []Record {
	slices.SortFunc(records, func(a, b Record) int {
		return cmp.Or(cmp.Compare(a.Day, b.Day), cmp.Compare(a.Model, b.Model), cmp.Compare(a.Client, b.Client))
	})
	return records
}
