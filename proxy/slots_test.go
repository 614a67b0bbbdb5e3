package proxy

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/neuronward/neuronward/normalize"
)

// Callers are those of a proxy whose upstream answers when the test says so.
type callers struct {
	*bench
	arrived []string      // calls that reached upstream, in order
	release chan struct{} // one answer each
}

func newCallers(t *testing.T, most int) *callers {
	t.Helper()
	c := &callers{release: make(chan struct{})}
	config := testConfig(io.Discard)
	config.MaxInFlight = most
	config.Transport = inMemory{http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.arrived = append(c.arrived, r.Header.Get("X-Request-Id"))
		select {
		case <-c.release:
		case <-r.Context().Done():
			return
		}
		answerJSON(200, chatAnswer)(w, r)
	})}
	p, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	c.bench = &bench{t: t, proxy: p, metrics: config.Metrics}
	return c
}

// A caller is one call on its way; it is over when status is set.
type caller struct {
	*httptest.ResponseRecorder
	read  atomic.Bool // its body was looked at
	after time.Duration
	leave context.CancelFunc
	done  chan struct{}
}

// call makes a call and waits until it goes no further.
func (c *callers) call(id string) *caller {
	ctx, leave := context.WithCancel(context.Background())
	a := &caller{ResponseRecorder: httptest.NewRecorder(), leave: leave, done: make(chan struct{})}
	body := strings.NewReader(chat)
	r := httptest.NewRequestWithContext(ctx, "POST", "http://localhost"+chatPath,
		readerFunc(func(p []byte) (int, error) {
			a.read.Store(true)
			return body.Read(p)
		}))
	r.Header.Set("X-Request-Id", id)
	began := time.Now()
	go func() {
		defer close(a.done)
		c.proxy.ServeHTTP(a, r)
		a.after = time.Since(began)
	}()
	synctest.Wait()
	return a
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// empty checks that nothing of any call is left.
func (c *callers) empty() {
	c.t.Helper()
	l := c.proxy.Load()
	wantEqual(c.t, "left in flight", l.InFlight, 0)
	wantEqual(c.t, "left in the queue", l.Queued, 0)
	wantEqual(c.t, "clients left", c.proxy.slots.pool.Status().Tenants, 0)
	if n := c.value("neuronward_requests_in_flight") + c.value("neuronward_requests_queued"); n != 0 {
		c.t.Errorf("in flight or queued: got %v, want 0", n)
	}
}

func TestOverload(t *testing.T) {
	virtually(t, func(t *testing.T) {
		c := newCallers(t, 2)
		first, second := c.call("1"), c.call("2")
		third, fourth, fifth := c.call("3"), c.call("4"), c.call("5")
		if l := c.proxy.Load(); l != (Load{InFlight: 2, Limit: 2, Queued: 2}) {
			t.Errorf("load: got %+v, want %+v", l, Load{InFlight: 2, Limit: 2, Queued: 2})
		}
		served, queued := c.value("neuronward_requests_in_flight"), c.value("neuronward_requests_queued")
		if served != 4 || queued != 2 {
			t.Errorf("got %v in flight, %v queued; want 4, 2", served, queued)
		}
		reference := httptest.NewRecorder()
		c.proxy.ServeHTTP(reference, httptest.NewRequest("GET", "http://localhost/errors/overloaded", nil))
		if reference.Code != 200 {
			t.Errorf("the error reference: got status %d, want 200: %s", reference.Code, reference.Body)
		}
		<-third.done
		<-fourth.done
		for name, call := range map[string]struct {
			*caller
			after time.Duration
			says  string
		}{
			"with a full queue": {fifth, 0, "2 calls are being served and as many wait (NEURONWARD_MAX_IN_FLIGHT)"},
			"in the queue": {
				third, 2 * time.Second,
				"2 calls are being served, and no slot came free within 2s (NEURONWARD_MAX_IN_FLIGHT)",
			},
			"last in the queue": {fourth, 2 * time.Second, "within 2s"},
		} {
			e := c.envelope(call.Body.Bytes())
			wantEqual(t, name+": status", call.Code, 503)
			wantEqual(t, name+": name", e.Error.Name, "overloaded")
			wantEqual(t, name+": number", e.Error.Number, 90009)
			wantEqual(t, name+": origin", e.Error.Origin, "guard")
			wantEqual(t, name+": fault", e.Error.Fault, "proxy")
			wantEqual(t, name+": retryable", e.Error.Retryable, true)
			wantEqual(t, name+": Retry-After", call.Header().Get("Retry-After"), "1")
			wantHas(t, name+": message", e.Error.Message, call.says)
			if call.caller.after != call.after || call.read.Load() {
				t.Errorf("%s: got an answer after %v, body read: %v; want it after %v, body read: false", name,
					call.caller.after, call.read.Load(), call.after)
			}
			if want := `"limit":{"name":"in_flight","client":null,"used":2,"reserved":0,"limit":2,"unit":"calls",` +
				`"window":"at_once"}`; !strings.Contains(call.Body.String(), want) {
				t.Errorf("%s: got %s, want a body with %s", name, call.Body, want)
			}
		}
		close(c.release)
		<-first.done
		<-second.done
		if first.Code != 200 || second.Code != 200 {
			t.Errorf("served: got status %d and %d, want 200 and 200", first.Code, second.Code)
		}
		if n := c.value("neuronward_preempted_total", "reason", "overload", "mode", "enforce"); n != 3 {
			t.Errorf("preempted: got %v, want 3", n)
		}
		c.empty()
	})
}

func TestLineIsInOrderOfArrival(t *testing.T) {
	virtually(t, func(t *testing.T) {
		c := newCallers(t, 4)
		var want []string
		var calls []*caller
		for i := range 8 {
			want = append(want, fmt.Sprint(i))
			calls = append(calls, c.call(want[i]))
		}
		for range calls {
			c.release <- struct{}{}
			synctest.Wait()
		}
		if !slices.Equal(c.arrived, want) {
			t.Errorf("upstream: got calls %v, want %v", c.arrived, want)
		}
		c.empty()
	})
}

func TestWhoLeavesTheLineFreesItsPlace(t *testing.T) {
	virtually(t, func(t *testing.T) {
		c := newCallers(t, 1)
		served, left := c.call("served"), c.call("left")
		left.leave()
		<-left.done
		if left.after != 0 || left.read.Load() {
			t.Errorf("who left: got an end after %v, body read: %v; want 0s, false", left.after, left.read.Load())
		}
		next := c.call("next")
		close(c.release)
		<-served.done
		<-next.done
		if next.Code != 200 || !slices.Equal(c.arrived, []string{"served", "next"}) {
			t.Errorf("got status %d, and calls %v upstream; want 200, and [served next]", next.Code, c.arrived)
		}
		if n := c.value("neuronward_requests_total", "result", "client_gone"); n != 1 {
			t.Errorf("client_gone: got %v, want 1", n)
		}
		c.empty()
	})
}

func TestDrainTurnsTheLineAway(t *testing.T) {
	virtually(t, func(t *testing.T) {
		c := newCallers(t, 1)
		served, waiting := c.call("served"), c.call("waiting")
		c.proxy.Drain()
		c.proxy.Drain() // twice is once
		<-waiting.done
		wantEqual(t, "who waits: status", waiting.Code, 503)
		wantEqual(t, "who waits: name", c.envelope(waiting.Body.Bytes()).Error.Name, "shutting_down")
		wantEqual(t, "who waits: answered after", waiting.after, 0)
		close(c.release)
		<-served.done
		<-c.proxy.Idle()
		if served.Code != 200 {
			t.Errorf("who is served: got status %d, want 200: %s", served.Code, served.Body)
		}
		c.empty()
	})
}

func TestPlaceOfAPanicIsFree(t *testing.T) {
	p, err := New(func() Config {
		c := testConfig(io.Discard)
		c.MaxInFlight, c.Transport = 1, panicking{}
		return c
	}())
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		w := httptest.NewRecorder()
		p.ServeHTTP(w, httptest.NewRequest("POST", "http://localhost"+chatPath, strings.NewReader(chat)))
		var e envelope
		if err := json.Unmarshal(w.Body.Bytes(), &e); err != nil || e.Error.Name != normalize.Internal.String() {
			t.Fatalf("got status %d, %q, error %v; want %s, no error: %s", w.Code, e.Error.Name, err,
				normalize.Internal, w.Body)
		}
	}
}
