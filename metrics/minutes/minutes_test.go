package minutes

import (
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/neuronward/neuronward/normalize"
)

var noon = time.Date(2026, 11, 22, 12, 0, 30, 0, time.UTC)

func (m *Minutes) one(now time.Time, model string) LastHour { return m.Models(now)[model] }

func TestWhatIsOlderThanAnHourIsForgotten(t *testing.T) {
	m := New()
	m.Ended(noon, &Call{Model: "m", Client: "c", Duration: time.Second, FirstByte: 100 * time.Millisecond})
	m.Ended(noon.Add(time.Minute), &Call{Model: "m", Client: "c", Failed: true, Duration: time.Hour})
	m.Spent(noon, "m", "c", 1.5)
	m.Failed(noon, normalize.OutOfCapacity, normalize.OriginUpstream, normalize.FaultUpstream)
	for _, c := range []struct {
		name          string
		at            time.Time
		calls, failed int64
		neurons       float64
		codes         int
	}{
		{"at once", noon.Add(time.Minute), 2, 1, 1.5, 1},
		{"in the last minute of the hour", noon.Add(59 * time.Minute), 2, 1, 1.5, 1},
		{"when the first minute is an hour old", noon.Add(60 * time.Minute), 1, 1, 0, 0},
		{"when all are", noon.Add(61 * time.Minute), 0, 0, 0, 0},
		{"a day later", noon.Add(24 * time.Hour), 0, 0, 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := m.one(c.at, "m")
			if s.Calls != c.calls || s.Failed != c.failed {
				t.Errorf("got %d calls, %d failed; want %d, %d", s.Calls, s.Failed, c.calls, c.failed)
			}
			if s.Neurons != c.neurons {
				t.Errorf("got %g neurons, want %g", s.Neurons, c.neurons)
			}
			if client := m.Clients(c.at)["c"]; client != s {
				t.Errorf("got %+v for the client, want the model's %+v", client, s)
			}
			if f := m.Failures(c.at); len(f) != c.codes {
				t.Errorf("got %d codes, want %d", len(f), c.codes)
			}
		})
	}
}

// What a batch is found to have cost counts although its call ended long before.
func TestNeuronsWithoutACall(t *testing.T) {
	m := New()
	m.Spent(noon, "m", "c", 1.5)
	if s := m.one(noon, "m"); s.Neurons != 1.5 || s.Calls != 0 {
		t.Errorf("got %v neurons and %d calls, want 1.5 and none", s.Neurons, s.Calls)
	}
}

// Durations of calls that succeeded are known for as long as the calls, wherever in a histogram's minutes they ended.
func TestDurationsOfAWholeHour(t *testing.T) {
	for minute := range spanMinutes {
		m, at := New(), noon.Add(time.Duration(minute)*time.Minute)
		m.Ended(at, &Call{Model: "m", Client: "c", Duration: time.Second})
		m.Ended(at, &Call{Model: "m", Client: "c", Duration: time.Hour, FirstByte: time.Hour, Failed: true})
		s := m.one(at.Add((Hour-1)*time.Minute), "m")
		if s.P99 < 700*time.Millisecond || s.P99 > 1300*time.Millisecond || s.FirstByteP99 != 0 {
			t.Errorf("minute %d: got %v, first byte %v; want about 1s, none", minute, s.P99, s.FirstByteP99)
		}
	}
}

// The ring wraps around several times and over midnight: a slot that is used again holds the new minute alone.
func TestMinutesWrapAround(t *testing.T) {
	m := New()
	at := noon
	for i := range 5 * Hour {
		at = noon.Add(time.Duration(i) * time.Minute)
		m.Ended(at, &Call{Model: "m", Client: "c", Duration: time.Second})
		m.Failed(at, normalize.Timeout, normalize.OriginProxy, normalize.FaultUpstream)
	}
	if s := m.one(at, "m"); s.Calls != Hour {
		t.Errorf("got %d calls in the last hour, want %d: one a minute", s.Calls, Hour)
	}
	want := CodeFailures{Code: normalize.Timeout, Hour: Origins{Proxy: Hour}, Recent: Origins{Proxy: RecentMinutes}}
	if f := m.Failures(at); len(f) != 1 || f[0] != want {
		t.Errorf("got %+v, want %+v alone", f, want)
	}
	m.Ended(at.Add(-Hour*time.Minute), &Call{Model: "m", Client: "c"})
	if s := m.one(at, "m"); s.Calls != Hour+1 {
		t.Errorf("the clock went back: got %d calls in the last hour, want %d", s.Calls, Hour+1)
	}
}

func TestFailuresByWhoFailedTheCall(t *testing.T) {
	m := New()
	for range 3 {
		m.Failed(noon, normalize.AccountLimited, normalize.OriginGuard, normalize.FaultUpstream)
	}
	m.Failed(noon.Add(-time.Minute), normalize.AccountLimited, normalize.OriginUpstream, normalize.FaultUpstream)
	before := noon.Add(-RecentMinutes * time.Minute)
	m.Failed(before, normalize.AccountLimited, normalize.OriginUpstream, normalize.FaultUpstream)
	// The last entry of the catalog.
	m.Failed(noon, normalize.PriorityFloor, normalize.OriginProxy, normalize.FaultUpstream)
	f := m.Failures(noon)
	if len(f) != 2 {
		t.Fatalf("got %d codes, want 2: %+v", len(f), f)
	}
	want := CodeFailures{
		Code: normalize.AccountLimited,
		Hour: Origins{Guard: 3, Upstream: 2}, Recent: Origins{Guard: 3, Upstream: 1},
	}
	if f[0] != want {
		t.Errorf("got %+v as the most frequent, want %+v", f[0], want)
	}
	want = CodeFailures{Code: normalize.PriorityFloor, Hour: Origins{Proxy: 1}, Recent: Origins{Proxy: 1}}
	if f[1] != want {
		t.Errorf("got %+v, want %+v", f[1], want)
	}
	if here, total := f[0].Hour.Here(), f[0].Hour.Total(); here != 3 || total != 5 {
		t.Errorf("got %d here of %d, want 3 of 5", here, total)
	}
}

// What callers alone can fix is counted apart, and comes last.
func TestFailuresOfCallersComeLast(t *testing.T) {
	m := New()
	for range 9 {
		m.Failed(noon, normalize.AuthenticationFailed, normalize.OriginUpstream, normalize.FaultCaller)
	}
	for range 4 {
		m.Failed(noon.Add(-30*time.Minute), normalize.Timeout, normalize.OriginUpstream, normalize.FaultUpstream)
	}
	m.Failed(noon, normalize.AuthenticationFailed, normalize.OriginUpstream, normalize.FaultOperator)
	want := []CodeFailures{
		{Code: normalize.AuthenticationFailed, Hour: Origins{Upstream: 1}, Recent: Origins{Upstream: 1}},
		{Code: normalize.Timeout, Hour: Origins{Upstream: 4}},
		{Code: normalize.AuthenticationFailed, Caller: true, Hour: Origins{Upstream: 9}, Recent: Origins{Upstream: 9}},
	}
	if got := m.Failures(noon); !slices.Equal(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestRecentCalls(t *testing.T) {
	m := New()
	if got := m.RecentCalls(noon); got != 0 {
		t.Errorf("got %d calls before any, want 0", got)
	}
	for _, age := range []int{0, 1, RecentMinutes - 1, RecentMinutes} {
		at := noon.Add(-time.Duration(age) * time.Minute)
		m.Ended(at, &Call{Model: fmt.Sprint("m", age), Client: "c"})
	}
	if got := m.RecentCalls(noon); got != 3 {
		t.Errorf("got %d calls, want the 3 of the last minutes", got)
	}
}

func TestNamesAreBounded(t *testing.T) {
	m := New()
	const names = 3 * maxModels
	for i := range names {
		m.Ended(noon, &Call{Model: fmt.Sprint("m", i), Client: fmt.Sprint("c", i)})
	}
	models, clients := m.Models(noon), m.Clients(noon)
	if len(models) != maxModels+1 || len(clients) != maxClients+1 {
		t.Errorf("got %d models, %d clients; want %d, %d", len(models), len(clients), maxModels+1, maxClients+1)
	}
	if got := models[other].Calls; got != names-maxModels {
		t.Errorf("got %d calls of other models, want %d", got, names-maxModels)
	}
	if got := clients[other].Calls; got != names-maxClients {
		t.Errorf("got %d calls of other clients, want %d", got, names-maxClients)
	}
}

// No count is lost among concurrent callers, also where a minute begins between them.
func TestConcurrentCallers(t *testing.T) {
	m := New()
	const callers, calls = 8, 2000
	var all sync.WaitGroup
	for range callers {
		all.Go(func() {
			for i := range calls {
				at := noon.Add(time.Duration(i) * time.Second)
				m.Ended(at, &Call{Model: "m", Client: "c", Failed: i%2 == 0, Duration: time.Second})
				m.Spent(at, "m", "c", 0.25)
				m.Failed(at, normalize.Timeout, normalize.OriginProxy, normalize.FaultUpstream)
				if i%100 == 0 {
					m.Models(at)
					m.Failures(at)
				}
			}
		})
	}
	all.Wait()
	now := noon.Add(calls * time.Second)
	s := m.one(now, "m")
	if s.Calls != callers*calls || s.Failed != callers*calls/2 {
		t.Errorf("got %d calls, %d failed; want %d, %d", s.Calls, s.Failed, callers*calls, callers*calls/2)
	}
	if s.Neurons != callers*calls/4 {
		t.Errorf("got %g neurons, want %d", s.Neurons, callers*calls/4)
	}
	if got := m.Failures(now)[0].Hour.Total(); got != callers*calls {
		t.Errorf("got %d failures, want %d", got, callers*calls)
	}
}

// The doc comment of Minutes says how much memory it takes.
func TestMemory(t *testing.T) {
	kib := func(fill func(m *Minutes)) float64 {
		var before, after runtime.MemStats
		runtime.GC() // twice: pools are emptied in two steps
		runtime.GC()
		runtime.ReadMemStats(&before)
		m := New()
		fill(m)
		runtime.GC()
		runtime.ReadMemStats(&after)
		runtime.KeepAlive(m)
		return float64(after.HeapAlloc-before.HeapAlloc) / 1024
	}
	empty := kib(func(*Minutes) {})
	full := kib(func(m *Minutes) {
		for i := range maxModels + maxClients + 2 {
			m.Ended(noon, &Call{Model: fmt.Sprint("m", i), Client: fmt.Sprint("c", i)})
		}
	})
	each := (full - empty) / (maxModels + maxClients + 2)
	t.Logf("%.0f KiB when empty, %.1f KiB for each name, %.1f MiB at most", empty, each, full/1024)
	if empty > 200 {
		t.Errorf("got %.0f KiB when empty, want at most 200", empty)
	}
	if each > 11.5 {
		t.Errorf("got %.1f KiB for each name, want at most 11.5", each)
	}
	if full > 7.5*1024 {
		t.Errorf("got %.1f MiB, want at most 7.5", full/1024)
	}
}

func BenchmarkCall(b *testing.B) {
	m := New()
	c := &Call{
		Model: "@cf/meta/llama-3.1-8b-instruct-fp8", Client: "team",
		Duration: 700 * time.Millisecond, FirstByte: 30 * time.Millisecond,
	}
	b.ReportAllocs()
	for b.Loop() {
		m.Ended(noon, c)
		m.Spent(noon, c.Model, c.Client, 1.25)
	}
}

func BenchmarkReadingAnHour(b *testing.B) {
	m := New()
	for i := range 100 {
		for minute := range Hour {
			at := noon.Add(time.Duration(minute) * time.Minute)
			m.Ended(at, &Call{Model: fmt.Sprint("m", i), Client: fmt.Sprint("c", i), Duration: time.Second})
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		m.Models(noon.Add(59 * time.Minute))
		m.Clients(noon.Add(59 * time.Minute))
		m.Failures(noon.Add(59 * time.Minute))
	}
}
