package metrics

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/neuronward/neuronward/normalize"
)

func scrape(t *testing.T, m *Metrics, accept string) (contentType, body string) {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, "/metrics", nil)
	r.Header.Set("Accept", accept)
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, r)
	return w.Header().Get("Content-Type"), w.Body.String()
}

// holds reports each of wants that a scrape lacks.
func holds(t *testing.T, body string, wants ...string) {
	t.Helper()
	for _, want := range wants {
		if !strings.Contains(body, want) {
			t.Errorf("the scrape lacks %q", want)
		}
	}
	if t.Failed() {
		t.Logf("the scrape:\n%s", body)
	}
}

// lines ends each sample with its newline, so that a value is not found as the beginning of another.
func lines(samples ...string) []string {
	for i := range samples {
		samples[i] += "\n"
	}
	return samples
}

func TestEveryEntryIsExportedAtZeroFromTheStart(t *testing.T) {
	_, body := scrape(t, New(Build{Version: "1.2.3", Commit: "abc"}), "text/plain")
	for _, e := range normalize.Catalog() {
		for _, origin := range e.Origins {
			holds(t, body, fmt.Sprintf("neuronward_errors_total{code=%q,fault=%q,name=%q,origin=%q} 0\n",
				strconv.Itoa(e.Number), e.Fault, e.Slug, origin))
		}
	}
	holds(
		t, body,
		`neuronward_errors_total{code="10000",fault="operator",name="authentication_failed",origin="upstream"} 0`,
		`neuronward_errors_total{code="7003",fault="operator",name="no_such_route",origin="upstream"} 0`,
		`neuronward_build_info{commit="abc",goversion="go`,
		"neuronward_requests_in_flight 0", "neuronward_requests_queued 0", "go_goroutines", "process_",
	)
}

func TestNamesAndHelpPassTheLinter(t *testing.T) {
	m := New(Build{})
	m.Began()
	m.Ended(&Call{
		Route: "run", Model: Other, Client: "anonymous", Result: ResultOK,
		Duration: time.Second, FirstByte: time.Second,
	})
	m.Unclassified(418)
	spend(m)
	problems, err := testutil.GatherAndLint(m.Gatherer())
	if err != nil || len(problems) > 0 {
		t.Errorf("got problems %v, error %v; want none", problems, err)
	}
}

func TestCallsAreCountedOnce(t *testing.T) {
	m := New(Build{})
	for range 3 {
		m.Began()
	}
	m.Ended(&Call{
		Route: "run", Model: "m", Client: "c", Result: ResultOK, Stream: true, RequestID: "req-1",
		Duration: 2 * time.Second, FirstByte: 1500 * time.Millisecond, Overhead: 20 * time.Microsecond,
	})
	m.Ended(&Call{Route: "run", Model: "m", Client: "c", Result: "out_of_capacity", Duration: time.Millisecond})
	m.Failed(normalize.OutOfCapacity, normalize.OriginUpstream, normalize.FaultUpstream)
	m.Unclassified(599)
	m.Unclassified(0)
	_, body := scrape(t, m, "text/plain")
	holds(t, body, lines(
		`neuronward_requests_total{client="c",model="m",result="ok",route="run"} 1`,
		`neuronward_requests_total{client="c",model="m",result="out_of_capacity",route="run"} 1`,
		"neuronward_requests_in_flight 1",
		`neuronward_request_duration_seconds_count{route="run",stream="true"} 1`,
		`neuronward_request_duration_seconds_bucket{route="run",stream="true",le="600"} 1`,
		`neuronward_time_to_first_byte_seconds_count{route="run"} 1`, // the failed call had no first byte
		"neuronward_overhead_seconds_count 2",
		`neuronward_errors_total{code="3040",fault="upstream",name="out_of_capacity",origin="upstream"} 1`,
		`neuronward_unclassified_total{status="599"} 1`,
		`neuronward_unclassified_total{status="other"} 1`,
	)...)
}

func TestExemplarsGoToScrapersThatAsk(t *testing.T) {
	m := New(Build{})
	m.Began()
	m.Ended(&Call{
		Route: "run", Model: "m", Client: "c", Result: ResultOK, Duration: 2 * time.Second, RequestID: "req-1",
	})
	kind, body := scrape(t, m, "application/openmetrics-text; version=1.0.0")
	if want := "application/openmetrics-text"; !strings.HasPrefix(kind, want) {
		t.Errorf("got %s, want %s", kind, want)
	}
	holds(t, body, `# {request_id="req-1"} 2`)
	m.Began()
	m.Ended(&Call{
		Route: "models", Result: ResultOK, Duration: 2 * time.Second, RequestID: "req-2",
		TraceID: strings.Repeat("a", 32),
	})
	m.Began()
	m.Ended(&Call{ // of both ids Prometheus would refuse the exemplar
		Route: "errors", Result: ResultOK, Duration: 2 * time.Second, RequestID: strings.Repeat("r", 79),
		TraceID: strings.Repeat("b", 32),
	})
	_, body = scrape(t, m, "application/openmetrics-text; version=1.0.0")
	holds(t, body, `request_id="req-2"`, `trace_id="`+strings.Repeat("a", 32)+`"`,
		`# {trace_id="`+strings.Repeat("b", 32)+`"} 2`)
}

func BenchmarkEnded(b *testing.B) {
	m := New(Build{})
	c := &Call{
		Route: "v1/chat/completions", Model: "m", Client: "anonymous", Result: ResultOK, RequestID: "r",
		Duration: 300 * time.Millisecond, FirstByte: 200 * time.Millisecond,
	}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			m.Began()
			m.Ended(c)
		}
	})
}

func TestMinutesCountTheSameEvents(t *testing.T) {
	m := New(Build{})
	m.Began()
	m.Ended(&Call{
		Route: "run", Model: "m", Client: "team", Result: ResultOK, Duration: time.Second, FirstByte: time.Millisecond,
	})
	m.Began()
	m.Failed(normalize.OutOfCapacity, normalize.OriginUpstream, normalize.FaultUpstream)
	m.Ended(&Call{
		Route: "run", Model: "m", Client: "team", Result: normalize.OutOfCapacity.String(), Duration: time.Second,
	})
	m.Spent("m", "team", "reported", 1.5)
	now := time.Now()
	s := m.Minutes().Models(now)["m"]
	if s.Calls != 2 || s.Failed != 1 {
		t.Errorf("got %d calls, %d failed; want 2, 1", s.Calls, s.Failed)
	}
	if s.Neurons != 1.5 {
		t.Errorf("got %g neurons, want 1.5", s.Neurons)
	}
	if s.P50 < 800*time.Millisecond || s.FirstByteP50 == 0 {
		t.Errorf("got P50 %s, first byte %s; want about 1 s, above 0", s.P50, s.FirstByteP50)
	}
	if client := m.Minutes().Clients(now)["team"]; client != s {
		t.Errorf("got %+v for the client, want the model's %+v", client, s)
	}
	f := m.Minutes().Failures(now)
	if len(f) != 1 || f[0].Code != normalize.OutOfCapacity {
		t.Fatalf("got failures %+v, want out_of_capacity alone", f)
	}
	if got := f[0].Hour.Total(); got != 1 {
		t.Errorf("got %d failures, want 1", got)
	}
}
