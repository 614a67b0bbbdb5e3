package live

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/account"
)

// A figure is what the account's own figure has of the calls.
type figure struct {
	err  error // why it could not be read; nil: it could
	day  bool  // the UTC day has changed, and with it the figure
	lag  time.Duration
	all  bool // it has all calls
	have map[string]account.ModelUsage
	want quota.Neurons // by the answers
}

const (
	figureEvery  = 10 * time.Second // between readings
	figureMargin = time.Second      // of times that are known by the second

	// complete is the part of the neurons that shows that all calls are there: the figure may be rounded.
	complete = 0.95
)

// lasts reports whether a reading that failed will fail again.
func lasts(err error) bool {
	switch account.KindOf(err) {
	case account.RateLimited, account.Unavailable, account.Unreachable:
		return false
	}
	return err != nil
}

// await reads the account's own figure until it has the calls, or the wait is over.
func (l *looker) await(ctx context.Context, e *evidence) {
	f := &e.figure
	var from, until time.Time
	for _, a := range l.answers {
		f.want = f.want.Add(a.neurons())
		if a.status == 0 {
			continue
		}
		if from.IsZero() {
			from = a.date.Add(-a.took - figureMargin)
		}
		until = a.date.Add(a.took + figureMargin)
	}
	f.day = quota.DayOf(from) != quota.DayOf(until)
	if f.day || f.want == 0 {
		return
	}
	began := time.Now()
	for {
		f.have, f.err = l.between(ctx, from, until)
		f.lag = time.Since(began)
		var sum quota.Neurons
		for _, m := range f.have {
			sum = sum.Add(m.Neurons)
		}
		f.all = sum.Float() >= complete*f.want.Float()
		if lasts(f.err) || f.all || f.lag+figureEvery > l.Wait {
			return
		}
		if f.lag < figureEvery {
			l.progress("The account's own figure does not have the calls yet. It is read every %v, for %v.",
				figureEvery, l.Wait)
		}
		select {
		case <-ctx.Done():
			f.err = ctx.Err()
			return
		case <-time.After(figureEvery):
		}
	}
}

// between returns what the called models have cost after one time and until another one, by the figure as it is now.
func (l *looker) between(ctx context.Context, from, until time.Time) (map[string]account.ModelUsage, error) {
	day := quota.DayOf(from)
	now, err := l.Figure.DayUntil(ctx, day, until)
	if err != nil {
		return nil, err
	}
	before, err := l.Figure.DayUntil(ctx, day, from)
	if err != nil {
		return nil, err
	}
	have := map[string]account.ModelUsage{}
	for _, m := range now.Models {
		if slices.ContainsFunc(calls, func(c call) bool { return c.model == m.Model }) {
			have[m.Model] = m
		}
	}
	for _, m := range before.Models {
		if of, ok := have[m.Model]; ok {
			of.Neurons -= m.Neurons
			of.Input -= m.Input
			of.Output -= m.Output
			have[m.Model] = of
		}
	}
	return have, nil
}

// unreadable says why the figure shows nothing; ok is true where it does show something.
func (f *figure) unreadable() (result, seen string, ok bool) {
	switch {
	case f.err != nil && account.KindOf(f.err) == account.Garbled:
		result, seen = judge(false, "%v", f.err)
	case f.err != nil:
		result, seen = unseen("it cannot be read: %v", f.err)
	case f.day:
		result, seen = unseen("the UTC day has changed meanwhile")
	case f.want == 0:
		result, seen = unseen("no answer says what it cost")
	default:
		return "", "", true
	}
	return result, seen, false
}

// lagging: the calls come into the figure in time.
func lagging(e *evidence) (result, seen string) {
	f := &e.figure
	if result, seen, ok := f.unreadable(); !ok {
		return result, seen
	}
	switch after := f.lag.Round(time.Second); {
	case f.all:
		return judge(f.lag <= quota.FigureLag, "it has them after %v", after)
	case f.lag < quota.FigureLag:
		return unseen("it does not have them after %v; a longer wait may show them", after)
	default:
		return judge(false, "it does not have them after %v", after)
	}
}

// billed: the figure of each model that nobody else has called meanwhile is what the answers say.
func billed(e *evidence) (result, seen string) {
	f := &e.figure
	if _, _, ok := f.unreadable(); !ok || !f.all {
		return unseen("the calls are not in it")
	}
	return e.each(func(a *answer) (string, bool, bool) {
		u, m := a.cost.Usage, f.have[a.call.model]
		alone := u.HasTokens && u.HasNeurons && m.Input == u.Input && m.Output == u.Output
		return fmt.Sprintf("%.6f neurons, by its answer %.6f", m.Neurons.Float(), u.Neurons),
			near(m.Neurons.Float(), u.Neurons), a.succeeded() && alone
	})
}
