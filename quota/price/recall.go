package price

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/neuronward/neuronward/quota"
)

// Correct takes up what the account's own figure has shown of calls of a model
// whose cost Workers AI does not report: they cost ratio times what the table says.
// From then on they are counted as that, and are bounded by no less. Ratios that an
// audit would discard are ignored.
func (e *Estimator) Correct(model string, ratio float64) {
	lowest := quota.MinAuditRatio
	if !e.Resolve(model).Known {
		lowest = quota.MinUnpricedRatio
	}
	if !(ratio >= lowest && ratio <= quota.MaxAuditRatio) {
		return
	}
	l := &e.learned
	l.mu.Lock()
	defer l.mu.Unlock()
	if r := l.of(model); r != nil {
		r.correction = ratio
	}
}

// RecallCorrections takes up the corrections that records hold, of other replicas
// or of former processes: of each model those of the last day.
func (e *Estimator) RecallCorrections(records []quota.Record) {
	last := map[string]quota.Record{} // by model
	for _, rec := range records {
		if rec.Paid <= 0 || rec.Model == quota.Other {
			continue
		}
		was, ok := last[rec.Model]
		if !ok || rec.Day > was.Day || rec.Day == was.Day && rec.Paid > was.Paid {
			last[rec.Model] = rec
		}
	}
	for model, rec := range last {
		e.Correct(model, rec.Paid.Float())
	}
}

// Recall takes up what records hold of what was learned on former days, or by
// other processes today. It holds as long as if it had been learned at the end of
// its day, or now. What was recalled before is not learned again.
func (e *Estimator) Recall(records []quota.Record) {
	e.RecallCorrections(records)
	type modelDay struct {
		day   quota.Day
		model string
	}
	all := map[modelDay]quota.Calibration{}
	for _, rec := range records {
		if k := (modelDay{rec.Day, rec.Model}); rec.Model != quota.Other {
			all[k] = all[k].Max(rec.Calibration)
		}
	}
	days := slices.SortedFunc(maps.Keys(all), func(a, b modelDay) int { return cmp.Compare(a.day, b.day) })
	now := time.Now()
	l := &e.learned
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, k := range days {
		c, at := all[k], k.day.End()
		if at.After(now) {
			at = now
		}
		if c.Paid = 0; c == (quota.Calibration{}) {
			continue
		}
		if s := l.of(k.model); s != nil {
			s.recall(k.day, c, at)
		}
	}
}

// recall takes up what was learned on a day, as if it had been learned at a time.
func (s *lessons) recall(day quota.Day, c quota.Calibration, at time.Time) {
	if day < s.day {
		return
	}
	if day > s.day {
		s.day, s.recalled = day, quota.Calibration{}
	}
	was := s.recalled
	s.recalled = was.Max(c)
	if peak := min(c.Peak.Float(), maxFactor); peak > 1 && c.Peak > was.Peak {
		s.price.raise(peak, at)
	}
	if c.Prompt > was.Prompt {
		s.prompt.raise(min(c.Prompt.Float()-1, maxPromptExcess), at)
	}
	if c.Output > was.Output {
		s.output.raise(min(c.Output.Float()-1, maxOutputExcess), at)
	}
	if c.ByDefault > was.ByDefault {
		s.byDefault.raise(float64(c.ByDefault), at)
	}
	if c.Undocumented > was.Undocumented || c.UndocumentedCalls > was.UndocumentedCalls {
		s.expireUndocumented(at)
		s.undocumented.raise(float64(c.Undocumented), at)
		s.calls = max(s.calls, min(c.UndocumentedCalls, enoughCalls))
	}
}
