package minutes

import (
	"fmt"
	"math"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/neuronward/neuronward/normalize"
)

var noon = time.Date(2026, 11, 22, 12, 0, 30, 0, time.UTC)

func (m *Minutes) one(t *testing.T, now time.Time, model string) Standing {
	t.Helper()
	return m.Models(now)[model]
}

func TestWhatIsOlderThanAnHourIsForgotten(t *testing.T) {
	m := New()
	m.Ended(noon, &Call{Model: "m", Client: "c", Duration: time.Second, FirstByte: 100 * time.Millisecond})
	m.Ended(noon.Add(time.Minute), &Call{Model: "m", Client: "c", Failed: true, Duration: time.Hour})
	m.Spent(noon, "m", "c", 1.5)
	m.Failed(noon, normalize.OutOfCapacity, normalize.OriginUpstream)
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
			s := m.one(t, c.at, "m")
			if s.Calls != c.calls || s.Failed != c.failed || s.Neurons != c.neurons {
				t.Errorf("%+v, want %d calls, %d failed, %g neurons", s, c.calls, c.failed, c.neurons)
			}
			if client := m.Clients(c.at)["c"]; client != s {
				t.Errorf("the client: %+v, the model: %+v", client, s)
			}
			if f := m.Failures(c.at); len(f) != c.codes {
				t.Errorf("%d codes, want %d", len(f), c.codes)
			}
		})
	}
}

// The ring comes round several times, and over midnight; what is in the place of an old minute is the new one's alone.
func TestMinutesComeRound(t *testing.T) {
	m := New()
	at := noon
	for i := range 5 * Hour {
		at = noon.Add(time.Duration(i) * time.Minute)
		m.Ended(at, &Call{Model: "m", Client: "c", Duration: time.Second})
		m.Failed(at, normalize.Timeout, normalize.OriginProxy)
	}
	if s := m.one(t, at, "m"); s.Calls != Hour {
		t.Errorf("%d calls in the last hour, want %d: one a minute", s.Calls, Hour)
	}
	f := m.Failures(at)
	if len(f) != 1 || f[0].Total != Hour || f[0].Proxy[0] != 1 || f[0].Proxy[Hour-1] != 1 {
		t.Errorf("%+v", f)
	}
}

func TestFailuresAreToldApartByWhoSaidSo(t *testing.T) {
	m := New()
	for range 3 {
		m.Failed(noon, normalize.AccountLimited, normalize.OriginGuard)
	}
	m.Failed(noon.Add(-time.Minute), normalize.AccountLimited, normalize.OriginUpstream)
	m.Failed(noon, normalize.PriorityFloor, normalize.OriginGuard) // the last entry of the catalog
	f := m.Failures(noon)
	if len(f) != 2 || f[0].Code != normalize.AccountLimited || f[1].Code != normalize.PriorityFloor {
		t.Fatalf("the most frequent is not first: %+v", f)
	}
	if f[0].Total != 4 || f[0].Guard[Hour-1] != 3 || f[0].Upstream[Hour-2] != 1 || f[0].Proxy != [Hour]uint32{} {
		t.Errorf("%+v", f[0])
	}
}

func TestQuantilesAreNear(t *testing.T) {
	for _, c := range []struct {
		name string
		at   func(part float64) time.Duration // the duration of the call at this part of all
	}{
		{"alike", func(float64) time.Duration { return 730 * time.Millisecond }},
		{"evenly spread", func(p float64) time.Duration { return time.Duration(p * float64(10*time.Second)) }},
		{"a long tail", func(p float64) time.Duration { return time.Duration(float64(20*time.Millisecond) / (1.001 - p)) }},
		{"minutes", func(p float64) time.Duration { return 2*time.Minute + time.Duration(p*float64(8*time.Minute)) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := New()
			const n = 10_000
			for i := range n {
				d := c.at((float64(i) + 0.5) / n)
				m.Ended(noon, &Call{Model: "m", Client: "c", Duration: 2 * d, FirstByte: d})
			}
			s := m.one(t, noon, "m")
			for _, q := range []struct {
				name      string
				got, want time.Duration
			}{
				{"median", s.Median, 2 * c.at(0.5)},
				{"99th", s.Slow, 2 * c.at(0.99)},
				{"median of the first byte", s.FirstByteMedian, c.at(0.5)},
				{"99th of the first byte", s.FirstByteSlow, c.at(0.99)},
			} {
				if off := math.Abs(q.got.Seconds()/q.want.Seconds() - 1); off > 0.25 {
					t.Errorf("%s is %s, want %s", q.name, q.got, q.want)
				}
			}
		})
	}
	m := New()
	m.Ended(noon, &Call{Model: "m", Client: "c", Duration: 300 * time.Hour})
	m.Ended(noon, &Call{Model: "n", Client: "c", Duration: -time.Second})
	if s := m.one(t, noon, "m"); s.Slow < 10*time.Minute || s.FirstByteSlow != 0 {
		t.Errorf("longer than any: %+v", s)
	}
	if s := m.one(t, noon, "n"); s.Slow > time.Millisecond {
		t.Errorf("less than nothing: %+v", s)
	}
}

func TestBucketsFollowEachOther(t *testing.T) {
	_, end := bounds(0)
	for i := 1; i < buckets; i++ {
		from, to := bounds(i)
		if from != end || bucketOf(from) != i || i < buckets-1 && bucketOf(to-time.Microsecond) != i {
			t.Errorf("bucket %d: from %s (in %d) to %s (in %d); the one before ends at %s", i, from, bucketOf(from), to, bucketOf(to-time.Microsecond), end)
		}
		end = to
	}
}

func TestSamplesOfADay(t *testing.T) {
	m := New()
	midnight := time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
	day := midnight.Unix() / 86400
	// Three days, a sample each 30 s; the account's day begins half a minute after ours.
	at := midnight.Add(-48 * time.Hour)
	for ; at.Before(midnight.Add(24 * time.Hour)); at = at.Add(30 * time.Second) {
		of := at.Add(-30 * time.Second)
		m.Sample(Sample{At: at, Day: of.Unix() / 86400, Used: of.Sub(of.Truncate(24 * time.Hour)).Seconds()})
	}
	last := at.Add(-30 * time.Second)
	today, yesterday := m.Samples(day, last), m.Samples(day-1, last)
	if len(today) != 1440 || len(yesterday) != 60 {
		t.Fatalf("%d samples of today and %d of yesterday, want 1440 and 60: 25 hours in all", len(today), len(yesterday))
	}
	if first, end := yesterday[0].At, yesterday[59].At; !first.Equal(midnight.Add(-time.Hour+30*time.Second)) || !end.Equal(midnight.Add(-30*time.Second)) {
		t.Errorf("yesterday from %s to %s", first, end)
	}
	for i := 1; i < len(today); i++ {
		if d := today[i].At.Sub(today[i-1].At); d != time.Minute {
			t.Fatalf("%s after %s", today[i].At, today[i-1].At)
		}
		if today[i].Used <= today[i-1].Used {
			t.Fatalf("%g after %g", today[i].Used, today[i-1].Used)
		}
	}
	if got := m.Samples(day, last.Add(26*time.Hour)); len(got) != 0 {
		t.Errorf("%d samples after 26 hours without any", len(got))
	}
}

func TestNamesAreBounded(t *testing.T) {
	m := New()
	const most = 3 * maxModels
	for i := range most {
		m.Ended(noon, &Call{Model: fmt.Sprint("m", i), Client: fmt.Sprint("c", i)})
	}
	models, clients := m.Models(noon), m.Clients(noon)
	if len(models) != maxModels+1 || len(clients) != maxClients+1 || models[other].Calls != most-maxModels || clients[other].Calls != most-maxClients {
		t.Errorf("%d models, %d clients; %d and %d calls of others", len(models), len(clients), models[other].Calls, clients[other].Calls)
	}
}

// Nothing is lost among callers, though minutes turn under them.
func TestCallersAtOnce(t *testing.T) {
	m := New()
	const callers, calls = 8, 2000
	var all sync.WaitGroup
	for range callers {
		all.Go(func() {
			for i := range calls {
				at := noon.Add(time.Duration(i) * time.Second)
				m.Ended(at, &Call{Model: "m", Client: "c", Failed: i%2 == 0, Duration: time.Second})
				m.Spent(at, "m", "c", 0.25)
				m.Failed(at, normalize.Timeout, normalize.OriginProxy)
				if i%100 == 0 {
					m.Models(at)
					m.Failures(at)
				}
			}
		})
	}
	all.Wait()
	now := noon.Add(calls * time.Second)
	s := m.one(t, now, "m")
	if s.Calls != callers*calls || s.Failed != callers*calls/2 || s.Neurons != callers*calls/4 || m.Failures(now)[0].Total != callers*calls {
		t.Errorf("%+v", s)
	}
}

// What the doc comment of Minutes says of memory.
func TestMemoryIsAsSaid(t *testing.T) {
	kib := func(fill func(m *Minutes)) float64 {
		var before, after runtime.MemStats
		runtime.GC() // twice: pools give way in two steps
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
	if empty > 150 || each > 11.5 || full > 7.5*1024 {
		t.Errorf("%.0f KiB when empty, %.1f KiB for each name, %.1f MiB at most", empty, each, full/1024)
	}
}

func BenchmarkCall(b *testing.B) {
	m := New()
	b.ReportAllocs()
	for b.Loop() {
		m.Ended(noon, &Call{Model: "@cf/meta/llama-3.1-8b-instruct-fp8", Client: "team", Duration: 700 * time.Millisecond, FirstByte: 30 * time.Millisecond})
		m.Spent(noon, "@cf/meta/llama-3.1-8b-instruct-fp8", "team", 1.25)
	}
}

func BenchmarkReadingAnHour(b *testing.B) {
	m := New()
	for i := range 100 {
		for minute := range Hour {
			m.Ended(noon.Add(time.Duration(minute)*time.Minute), &Call{Model: fmt.Sprint("m", i), Client: fmt.Sprint("c", i), Duration: time.Second})
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		m.Models(noon.Add(59 * time.Minute))
		m.Clients(noon.Add(59 * time.Minute))
		m.Failures(noon.Add(59 * time.Minute))
	}
}
