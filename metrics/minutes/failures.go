package minutes

import (
	"cmp"
	"slices"
	"sync/atomic"
	"time"

	"github.com/neuronward/neuronward/normalize"
)

// Who can fail a call, in the order in which failures count them.
const (
	byUpstream = iota
	byGuard
	byProxy
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
	by := byProxy
	switch origin {
	case normalize.OriginUpstream:
		by = byUpstream
	case normalize.OriginGuard:
		by = byGuard
	case normalize.OriginProxy:
	}
	f := *m.failures.at(minuteOf(now))
	if i := int(c)*origins + by; i < len(f) {
		f[i].Add(1)
	}
}

// CodeFailures are the failures of one code in the last hour, minute by minute,
// the present one last.
type CodeFailures struct {
	Code     normalize.Code
	Total    int64
	Upstream [Hour]uint32 // Workers AI said so
	Guard    [Hour]uint32 // this proxy refused
	Proxy    [Hour]uint32 // this proxy could not, or the caller left
}

// Failures returns the codes that calls failed with in the last hour, the most
// frequent first.
func (m *Minutes) Failures(now time.Time) []CodeFailures {
	var all []CodeFailures
	newest := minuteOf(now)
	for _, e := range normalize.Catalog() {
		one := CodeFailures{Code: e.Code}
		for i := range int64(Hour) {
			f := m.failures.of(newest - Hour + 1 + i)
			if f == nil {
				continue
			}
			of := (*f)[int(e.Code)*origins:][:origins]
			one.Upstream[i], one.Guard[i], one.Proxy[i] = of[byUpstream].Load(), of[byGuard].Load(), of[byProxy].Load()
			one.Total += int64(one.Upstream[i]) + int64(one.Guard[i]) + int64(one.Proxy[i])
		}
		if one.Total > 0 {
			all = append(all, one)
		}
	}
	slices.SortStableFunc(all, func(a, b CodeFailures) int { return cmp.Compare(b.Total, a.Total) })
	return all
}
