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

func TestEveryEntryIsThereAtZeroFromTheStart(t *testing.T) {
	_, body := scrape(t, New(Build{Version: "1.2.3", Commit: "abc"}), "text/plain")
	for _, e := range normalize.Catalog() {
		for _, origin := range e.Origins {
			want := fmt.Sprintf("neuronward_errors_total{code=%q,fault=%q,name=%q,origin=%q} 0\n", strconv.Itoa(e.Number), e.Fault, e.Slug, origin)
			if !strings.Contains(body, want) {
				t.Errorf("missing: %s", want)
			}
		}
	}
	for _, want := range []string{
		`neuronward_errors_total{code="10000",fault="operator",name="authentication_failed",origin="upstream"} 0`,
		`neuronward_build_info{commit="abc",goversion="go`, "neuronward_requests_in_flight 0", "neuronward_requests_queued 0", "go_goroutines", "process_",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("missing: %s", want)
		}
	}
}

func TestNamesAndHelpPassTheLinter(t *testing.T) {
	m := New(Build{})
	m.Began()
	m.Ended(&Call{Route: "run", Model: Other, Client: "anonymous", Result: ResultOK, Duration: time.Second, FirstByte: time.Second})
	m.Unclassified(418)
	spend(m)
	problems, err := testutil.GatherAndLint(m.Gatherer())
	if err != nil || len(problems) > 0 {
		t.Errorf("%v %v", problems, err)
	}
}

func TestCallsAreCountedOnce(t *testing.T) {
	m := New(Build{})
	for range 3 {
		m.Began()
	}
	m.Ended(&Call{Route: "run", Model: "m", Client: "c", Result: ResultOK, Duration: 2 * time.Second, FirstByte: 1500 * time.Millisecond, Stream: true, RequestID: "req-1", Overhead: 20 * time.Microsecond})
	m.Ended(&Call{Route: "run", Model: "m", Client: "c", Result: "out_of_capacity", Duration: time.Millisecond})
	m.Failed(normalize.OutOfCapacity, normalize.OriginUpstream, normalize.FaultUpstream)
	m.Unclassified(599)
	m.Unclassified(0)
	_, body := scrape(t, m, "text/plain")
	for _, want := range []string{
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
	} {
		if !strings.Contains(body, want+"\n") {
			t.Errorf("missing: %s", want)
		}
	}
}

func TestExemplarsGoToScrapersThatAsk(t *testing.T) {
	m := New(Build{})
	m.Began()
	m.Ended(&Call{Route: "run", Model: "m", Client: "c", Result: ResultOK, Duration: 2 * time.Second, RequestID: "req-1"})
	kind, body := scrape(t, m, "application/openmetrics-text; version=1.0.0")
	if !strings.HasPrefix(kind, "application/openmetrics-text") || !strings.Contains(body, `# {request_id="req-1"} 2`) {
		t.Errorf("%s\n%s", kind, body)
	}
}

func BenchmarkEnded(b *testing.B) {
	m := New(Build{})
	c := &Call{Route: "v1/chat/completions", Model: "m", Client: "anonymous", Result: ResultOK, Duration: 300 * time.Millisecond, FirstByte: 200 * time.Millisecond, RequestID: "r"}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			m.Began()
			m.Ended(c)
		}
	})
}

func TestMinutesSeeWhatTheSeriesSee(t *testing.T) {
	m := New(Build{})
	m.Began()
	m.Ended(&Call{Route: "run", Model: "m", Client: "team", Result: ResultOK, Duration: time.Second, FirstByte: time.Millisecond})
	m.Began()
	m.Failed(normalize.OutOfCapacity, normalize.OriginUpstream, normalize.FaultUpstream)
	m.Ended(&Call{Route: "run", Model: "m", Client: "team", Result: normalize.OutOfCapacity.String(), Duration: time.Second})
	m.Spent("m", "team", "reported", 1.5)
	now := time.Now()
	s := m.Minutes().Models(now)["m"]
	if s.Calls != 2 || s.Failed != 1 || s.Neurons != 1.5 || s.Median < 800*time.Millisecond || s.FirstByteMedian == 0 || m.Minutes().Clients(now)["team"] != s {
		t.Errorf("%+v", s)
	}
	if f := m.Minutes().Failures(now); len(f) != 1 || f[0].Code != normalize.OutOfCapacity || f[0].Total != 1 {
		t.Errorf("%+v", f)
	}
}
