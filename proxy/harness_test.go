package proxy

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"

	"github.com/neuronward/neuronward/metrics"
	"github.com/neuronward/neuronward/proxy/jsonscan"
	"github.com/neuronward/neuronward/proxy/measure"
	"github.com/neuronward/neuronward/proxy/routing"
	"github.com/neuronward/neuronward/quota/workload"
)

const (
	testAccount     = "0123456789abcdef0123456789abcdef"
	testToken       = "canary-token-0123456789-abcdefghijklmnop"
	testModel       = "@cf/meta/llama-3.1-8b-instruct-fp8"
	testSpeechModel = "@cf/openai/whisper" // takes recordings as they are
)

// A bench is a proxy on a real listener in front of an upstream that the test
// writes.
type bench struct {
	t        testing.TB
	proxy    *Proxy
	url      string
	upstream *httptest.Server
	metrics  *metrics.Metrics
	log      *safeBuffer
	serving  sync.WaitGroup // calls that have not ended

	simulating sync.WaitGroup // calls that the simulator has not ended
}

// safeBuffer is a bytes.Buffer for several goroutines.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func newBench(t testing.TB, upstream http.Handler, change ...func(*Config)) *bench {
	t.Helper()
	b := &bench{t: t, metrics: metrics.New(metrics.Build{Version: "test"}), log: &safeBuffer{}}
	b.upstream = httptest.NewServer(upstream)
	t.Cleanup(b.upstream.Close)
	u, err := url.Parse(b.upstream.URL + "/client/v4")
	if err != nil {
		t.Fatal(err)
	}
	c := testConfig(b.log)
	c.Upstream, c.Metrics = u, b.metrics
	for _, f := range change {
		f(&c)
	}
	if b.proxy, err = New(c); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b.serving.Add(1)
		defer b.serving.Done()
		b.proxy.ServeHTTP(w, r)
	}))
	server.Config.BaseContext = b.proxy.BaseContext
	server.Start()
	t.Cleanup(server.Close)
	b.url = server.URL
	return b
}

// testConfig is what a proxy needs in a test.
func testConfig(log io.Writer) Config {
	return Config{
		Account: testAccount, Token: func() string { return testToken }, Loopback: true,
		Upstream: &url.URL{Scheme: "http", Host: "upstream.invalid", Path: "/client/v4"},
		MaxBody:  1 << 20, MaxHeld: 16 << 20, HeldWait: 50 * time.Millisecond,
		FirstByteTimeout: time.Minute, StreamIdleTimeout: time.Minute, RetryAfterMax: time.Minute,
		Linger: time.Millisecond, MaxSessions: 100,
		Setting: func(key string) string { return "NEURONWARD_" + key },
		Models:  []string{testModel}, Metrics: metrics.New(metrics.Build{Version: "test"}),
		Log: slog.New(slog.NewJSONHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
}

// do sends a request and returns its answer, whole.
func (b *bench) do(method, path, body string, header ...string) (*http.Response, []byte) {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), method, b.url+path, strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	res, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		b.t.Fatalf("reading the answer: %v", err)
	}
	return res, answer
}

// envelope is what the tests read of an error answer.
type envelope struct {
	Error struct {
		Message, Type, Code, Name, Origin, Fault, Model string
		Param                                           *string
		Number, Status                                  int
		Retryable                                       bool
		MatchedBy                                       string `json:"matched_by"`
	} `json:"error"`
	RequestID string `json:"request_id"`
}

func (b *bench) envelope(body []byte) envelope {
	b.t.Helper()
	var e envelope
	if err := json.Unmarshal(body, &e); err != nil || e.Error.Name == "" {
		b.t.Fatalf("got %.300s (%v), want an envelope with the name of an error", body, err)
	}
	return e
}

// wantEqual checks one value of several that a call is judged by.
func wantEqual[V comparable](t testing.TB, what string, got, want V) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// wantHas checks that a text has a part.
func wantHas(t testing.TB, what, text, part string) {
	t.Helper()
	if !strings.Contains(text, part) {
		t.Errorf("%s: got %.500q, want %q in it", what, text, part)
	}
}

// wantLacks checks that a text has no such part.
func wantLacks(t testing.TB, what, text, part string) {
	t.Helper()
	if strings.Contains(text, part) {
		t.Errorf("%s: got %.500q, want nothing of %q in it", what, text, part)
	}
}

// ended waits until no call is in flight, its record is written, and the simulator, where there is one, has billed it.
func (b *bench) ended() {
	b.t.Helper()
	b.proxy.Drain()
	<-b.proxy.Idle()
	b.simulating.Wait()
}

// value sums the samples of a series whose labels include the given pairs.
func (b *bench) value(name string, labels ...string) float64 {
	b.t.Helper()
	families, err := b.metrics.Gatherer().Gather()
	if err != nil {
		b.t.Fatal(err)
	}
	sum := 0.0
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			if matches(m, labels) {
				sum += m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
			}
		}
	}
	return sum
}

func matches(m *dto.Metric, labels []string) bool {
	for i := 0; i < len(labels); i += 2 {
		found := false
		for _, l := range m.GetLabel() {
			found = found || l.GetName() == labels[i] && l.GetValue() == labels[i+1]
		}
		if !found {
			return false
		}
	}
	return true
}

// chat is a request body for testModel.
const chat = `{"model":"` + testModel + `","messages":[{"role":"user","content":"Hello"}]}`

// answerJSON answers every call with one JSON body.
func answerJSON(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func routeOf(t testing.TB, path string) *routing.Route {
	t.Helper()
	d, f := routing.Resolve(http.MethodPost, "/ai/"+path)
	if f != nil {
		t.Fatalf("%s: got the failure %v, want a route", path, f)
	}
	return d.Route
}

// callTo is the record of a call to a destination.
func callTo(p *Proxy, r *http.Request, d routing.Destination) *call {
	c := &call{ctx: r.Context(), inbound: r, credentials: &p.credentials}
	p.setTarget(c, d)
	return c
}

// requestOf measures a JSON body that is sent to a path below …/ai/.
func requestOf(path string, task workload.Task, body string) workload.Request {
	d, _ := routing.Resolve(http.MethodPost, "/ai/"+path)
	found, err := measure.Scan(jsonscan.Pieces{[]byte(body)}, measure.Options{
		Protocol: d.Route.Protocol, Count: true,
	})
	if err != nil {
		panic(err)
	}
	return found.Request(task)
}
