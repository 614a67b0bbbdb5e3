package quota

import (
	"slices"
	"time"

	"github.com/neuronward/neuronward/quota/schedule"
)

// began takes up that r was made.
func (b *budget) began(r *Reservation) {
	b.calls++
	b.debit(r.call.Amount)
	b.need.Took(r.call.Amount)
	b.next.Began(r.call.Began, r.call.Amount)
}

// ended takes up that r was settled for cost.
func (b *budget) ended(r *Reservation, cost Neurons) {
	b.calls--
	b.credit(r.call.Amount, cost)
	b.next.Ended(r.call.Began, r.call.Amount, r.call.Amount-cost, b.reservable())
}

// setNext makes w the next for what it lacks of budgets for which no other call is. Nothing is set aside for one that
// may not have what is left, or to which the store can grant it.
func (w *waiter) setNext() {
	for i, b := range w.budgets {
		if w.lacks[i] && b.limit > 0 && !w.keptBack && w.call.Estimate > b.left() {
			b.next.Set(w, w.call.Estimate, b.left(), time.Now())
		}
	}
}

// isNext reports whether w is the next for a budget.
func (w *waiter) isNext() bool {
	return slices.ContainsFunc(w.budgets[:], func(b *budget) bool { return b != nil && b.next.Call() == w })
}

// refuse answers a call whose wait has ended. Its place is kept if it is the next. A probe ends with its wait.
func (l *Ledger) refuse(w *waiter, d Decision) {
	kept, now := *w, time.Now()
	if w.probe == nil && w.isNext() && d.RetryIn <= l.o.KeepPlace && l.place.Keep(&kept, d.RetryIn, now) {
		l.replace(w, &kept)
		w.answer(nil, d, nil)
		return
	}
	for i, b := range w.budgets {
		if w.lacks[i] {
			b.told.Add(now.Add(d.RetryIn), w.call.Estimate)
		}
	}
	l.finish(w, nil, d, nil)
}

// keepPlace keeps the place of w until its time has come or it cannot fit any more.
func (l *Ledger) keepPlace(w *waiter, mayFit bool) {
	now := time.Now()
	if !mayFit || !l.place.Kept(now) {
		l.finish(w, nil, Decision{}, nil)
		return
	}
	for i, b := range w.budgets {
		if b != nil && b.limit > 0 && b.next.Set(w, w.call.Estimate, b.left(), now) && !w.lacks[i] {
			b.next.KeepRoom()
		}
	}
}

// hasPlace reports whether a place is kept and w is likely to be the call that it is kept for.
func (l *Ledger) hasPlace(w *waiter) bool {
	k := l.place.Of()
	return k != nil && k.call.Client == w.call.Client && k.call.Model == w.call.Model &&
		w.call.Estimate <= k.call.Estimate+k.call.Estimate/8 && w.call.Estimate >= k.call.Estimate/2
}

// comeBack gives w the place that is kept for it. It reports whether there is one.
func (l *Ledger) comeBack(w *waiter) bool {
	if !l.hasPlace(w) {
		return false
	}
	l.replace(l.place.Of(), w)
	l.place.Free(false, time.Now())
	return true
}

// replace puts w into the queue where old is.
func (l *Ledger) replace(old, w *waiter) {
	l.queue.Replace(old, w)
	for _, b := range w.budgets {
		if b != nil {
			b.next.Replace(old, w)
		}
	}
}

// expectedWait returns how long it will take until there is room for w, which waits, behind those that go before it.
func (l *Ledger) expectedWait(w *waiter) (longest time.Duration) {
	now := time.Now()
	for i, b := range w.budgets {
		if b == nil || !w.lacks[i] && !(w.keptBack && b == l.account) {
			continue
		}
		need := w.call.Estimate - b.left()
		if w.keptBack {
			need = max(need, b.committed()+b.inFlight()+w.call.Estimate-(b.limit-w.kept(b)))
		}
		if b.next.Call() != w {
			need = need.Add(l.queue.before(w, b)).Add(b.told.Sum(now))
		}
		longest = max(longest, schedule.Expect(need, l.inFlight.Returns(b, now, b.others.Reserved)),
			b.next.Expect(w, need, b.left(), now))
	}
	return min(longest, schedule.MaxWait)
}
