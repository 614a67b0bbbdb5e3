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

// failures are those of one minute, by code and by origin.
type failures []atomic.Uint32

func (f *failures) reset() {
	for i := range *f {
		(*f)[i].Store(0)
	}
}

// Failed counts a failure that was delivered at now.
func (m *Minutes) Failed(now time.Time, c normalize.Code, origin normalize.Origin) {
	from := fromProxy
	switch origin {
	case normalize.OriginUpstream:
		from = fromUpstream
	case normalize.OriginGuard:
		from = fromGuard
	case normalize.OriginProxy:
	}
	f := *m.failures.at(minuteOf(now))
	if i := int(c)*origins + from; i < len(f) {
		f[i].Add(1)
	}
}

// CodeFailures are the failures of one code.
type CodeFailures struct {
	Code   normalize.Code
	Hour   Origins // of the last hour
	Recent Origins // of the last RecentMinutes
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

// Failures returns the codes that calls failed with in the last hour, the most frequent first.
func (m *Minutes) Failures(now time.Time) []CodeFailures {
	var all []CodeFailures
	newest := minuteOf(now)
	for _, e := range normalize.Catalog() {
		one := CodeFailures{Code: e.Code}
		for minute := newest - Hour + 1; minute <= newest; minute++ {
			f := m.failures.of(minute)
			if f == nil {
				continue
			}
			counts := (*f)[int(e.Code)*origins:][:origins]
			one.Hour.add(counts)
			if minute > newest-RecentMinutes {
				one.Recent.add(counts)
			}
		}
		if one.Hour.Total() > 0 {
			all = append(all, one)
		}
	}
	slices.SortStableFunc(all, func(a, b CodeFailures) int { return cmp.Compare(b.Hour.Total(), a.Hour.Total()) })
	return all
}
