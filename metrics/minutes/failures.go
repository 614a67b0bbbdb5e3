package minutes

import (
	"cmp"
	"slices"
	"sync/atomic"
	"time"

	"github.com/neuronward/neuronward/normalize"
)

// RecentMinutes is how many of the last minutes CodeFailures counts apart, the present one included.
const RecentMinutes = 5

// Where a failure comes from, as an index into failures.
const (
	fromUpstream = iota
	fromGuard
	fromProxy
	origins
)

// failures are those of one minute, by code, by whether callers alone can fix them, and by origin.
type failures []atomic.Uint32

func (f *failures) reset() {
	for i := range *f {
		(*f)[i].Store(0)
	}
}

// kinds is how many counts there are of one code.
const kinds = 2 * origins

// Failed counts a failure that was delivered at now.
func (m *Minutes) Failed(now time.Time, c normalize.Code, origin normalize.Origin, fault normalize.Fault) {
	from := fromProxy
	switch origin {
	case normalize.OriginUpstream:
		from = fromUpstream
	case normalize.OriginGuard:
		from = fromGuard
	case normalize.OriginProxy:
	}
	if fault == normalize.FaultCaller {
		from += origins
	}
	f := *m.failures.at(minuteOf(now))
	if i := int(c)*kinds + from; i < len(f) {
		f[i].Add(1)
	}
}

// CodeFailures are the failures of one code that callers alone can fix, or those that they cannot. The same code may be
// the one or the other: credentials are refused that a caller has sent, or those of the proxy.
type CodeFailures struct {
	Code   normalize.Code
	Caller bool    // callers alone can fix them
	Hour   Origins // of the last hour
	Recent Origins // of the last RecentMinutes
}

// rank is 0 for what somebody else than callers can fix, which comes first.
func (f *CodeFailures) rank() int {
	if f.Caller {
		return 1
	}
	return 0
}

// Origins are failures by who failed the call.
type Origins struct {
	Upstream int64 // Workers AI or its gateway
	Guard    int64 // this proxy refused the call
	Proxy    int64 // this proxy could not serve the call, or the caller left
}

// Here are the failures that this proxy answered itself.
func (o Origins) Here() int64 { return o.Guard + o.Proxy }

// Total are all failures.
func (o Origins) Total() int64 { return o.Upstream + o.Guard + o.Proxy }

func (o *Origins) add(counts []atomic.Uint32) {
	o.Upstream += int64(counts[fromUpstream].Load())
	o.Guard += int64(counts[fromGuard].Load())
	o.Proxy += int64(counts[fromProxy].Load())
}

// Failures returns the codes that calls failed with in the last hour: first those that callers cannot fix, and of these
// first what failed most often in the last RecentMinutes.
func (m *Minutes) Failures(now time.Time) []CodeFailures {
	var all []CodeFailures
	newest := minuteOf(now)
	for _, e := range normalize.Catalog() {
		for i, caller := range []bool{false, true} {
			one := CodeFailures{Code: e.Code, Caller: caller}
			for minute := newest - Hour + 1; minute <= newest; minute++ {
				f := m.failures.of(minute)
				if f == nil {
					continue
				}
				counts := (*f)[int(e.Code)*kinds+i*origins:][:origins]
				one.Hour.add(counts)
				if minute > newest-RecentMinutes {
					one.Recent.add(counts)
				}
			}
			if one.Hour.Total() > 0 {
				all = append(all, one)
			}
		}
	}
	slices.SortStableFunc(all, func(a, b CodeFailures) int {
		return cmp.Or(
			a.rank()-b.rank(),
			cmp.Compare(b.Recent.Total(), a.Recent.Total()), cmp.Compare(b.Hour.Total(), a.Hour.Total()),
		)
	})
	return all
}

// RecentCalls returns how many calls ended in the last RecentMinutes.
func (m *Minutes) RecentCalls(now time.Time) (calls int64) {
	newest := minuteOf(now)
	if all := m.models.all.Load(); all != nil {
		for _, one := range *all {
			for minute := newest - RecentMinutes + 1; minute <= newest; minute++ {
				if t := one.tallies.of(minute); t != nil {
					calls += int64(t.calls.Load())
				}
			}
		}
	}
	return calls
}
