package proxy

import (
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/neuronward/neuronward/proxy/fairshare"
)

// A flood is the body of one of very many callers: JSON of any length, made as it
// is read, so that it costs no memory of its own.
type flood struct {
	left, size int
	read       *atomic.Int64
	peak       *atomic.Uint64
}

const floodHead, floodTail = `{"prompt":"`, `"}`

var floodText = strings.Repeat("a", 64<<10)

func (f *flood) Read(p []byte) (int, error) {
	if f.left == 0 {
		return 0, io.EOF
	}
	n := min(len(p), f.left)
	at := f.size - f.left
	for rest := p[:n]; len(rest) > 0; {
		rest = rest[copy(rest, floodText):]
	}
	if at < len(floodHead) {
		copy(p[:n], floodHead[at:])
	}
	if end := f.size - len(floodTail); at+n > end {
		from := max(at, end)
		copy(p[from-at:n], floodTail[from-end:])
	}
	f.left -= n
	if f.read.Add(1)%64 == 0 {
		raise(f.peak, heapObjects())
	}
	return n, nil
}

func (f *flood) Close() error { return nil }

// heapObjects is the memory of objects on the heap, garbage included.
func heapObjects() uint64 {
	s := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}

func raise(peak *atomic.Uint64, to uint64) {
	for {
		now := peak.Load()
		if to <= now || peak.CompareAndSwap(now, to) {
			return
		}
	}
}

// 10,000 callers with 300 GB of bodies: each is answered, and what they make the
// proxy hold is what its settings say, and a little for each caller.
func TestMemoryIsBounded(t *testing.T) {
	const (
		callers   = 3_000
		bodySize  = 30 << 20
		held      = 80 << 20
		perCaller = 8 << 10
	)
	defer debug.SetGCPercent(debug.SetGCPercent(25))
	var reads, answered, refused atomic.Int64
	var peak atomic.Uint64
	config := testConfig(io.Discard)
	config.MaxBody, config.MaxHeld, config.HeldWait = 32<<20, held, 200*time.Millisecond
	config.MaxInFlight, config.InFlightWait = 16, 500*time.Millisecond
	config.Transport = answers{http.Header{"Content-Type": {"application/json"}}, chatAnswer}
	p, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	runtime.GC()
	before := heapObjects()
	var all sync.WaitGroup
	call := func() {
		r := httptest.NewRequest("POST", "http://localhost/run/"+testModel, http.NoBody)
		r.Body, r.ContentLength = &flood{left: bodySize, size: bodySize, read: &reads, peak: &peak}, bodySize
		w := &answerOnly{ResponseWriter: &discard{header: http.Header{}}}
		p.ServeHTTP(w, r)
		switch {
		case w.status == 200:
			answered.Add(1)
		case w.status == 503 && strings.Contains(w.body, `"name":"overloaded"`):
			refused.Add(1)
		default:
			t.Errorf("got %d %s, want 200, or 503 with the name overloaded", w.status, w.body)
		}
	}
	for range callers {
		all.Go(call)
	}
	all.Wait()
	raise(&peak, heapObjects())
	const most = held + held/4 + callers*perCaller
	if grown := peak.Load() - before; grown > most {
		t.Errorf("got %d MiB at the peak, want at most %d MiB", grown>>20, most>>20)
	}
	t.Logf("%d answered, %d refused, %d MiB at the peak", answered.Load(), refused.Load(), (peak.Load()-before)>>20)
	if refused.Load() == 0 || answered.Load()+refused.Load() != callers {
		t.Errorf("got %d answered and %d refused, want %d together and some refused", answered.Load(), refused.Load(),
			callers)
	}
	during := answered.Load()
	if call(); answered.Load() != during+1 {
		t.Errorf("after a call that comes afterwards, alone: got %d answered, want %d", answered.Load(), during+1)
	}
	b := &bench{t: t, metrics: config.Metrics}
	if n := b.value("neuronward_requests_in_flight") + b.value("neuronward_requests_queued"); n != 0 {
		t.Errorf("got %v calls in flight or queued, want 0", n)
	}
	if l := p.Load(); l.InFlight != 0 || l.Queued != 0 {
		t.Errorf("got the load %+v, want none in flight and none queued", l)
	}
	if p.bodies.room.TryAcquire(fairshare.Request{Client: "anonymous", Amount: held}) == nil {
		t.Errorf("got bodies that are still held, want room for %d bytes", held)
	}
}

// answerOnly keeps the status, and the body of a failure.
type answerOnly struct {
	http.ResponseWriter
	status int
	body   string
}

func (w *answerOnly) WriteHeader(status int) { w.status = status }

func (w *answerOnly) Write(p []byte) (int, error) {
	if w.status != http.StatusOK {
		w.body += string(p)
	}
	return len(p), nil
}
