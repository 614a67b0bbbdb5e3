package toxictest

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/neuronward/neuronward/metrics"
	"github.com/neuronward/neuronward/proxy"
	"github.com/neuronward/neuronward/proxy/workersai"
	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/memstore"
	"github.com/neuronward/neuronward/quota/pace"
	"github.com/neuronward/neuronward/quota/price"
)

// TestMain fails the module when a call has left a goroutine behind. Toxiproxy's own are ignored: those of a connection
// that a toxic has closed wait forever for a reader.
func TestMain(m *testing.M) {
	status := m.Run()
	const links = "github.com/Shopify/toxiproxy/v2.(*ToxicLink)."
	if err := goleak.Find(
		goleak.IgnoreAnyFunction(links+"read"), goleak.IgnoreAnyFunction(links+"write"),
		goleak.IgnoreAnyFunction("github.com/Shopify/toxiproxy/v2/toxics.(*ToxicStub).Run"),
	); err != nil && status == 0 {
		fmt.Fprintln(os.Stderr, err)
		status = 1
	}
	os.Exit(status)
}

// A site is a proxy with every feature on and a simulated Workers AI, with a network between the two.
type site struct {
	t       *testing.T
	url     string
	client  *http.Client // of the callers
	proxy   *proxy.Proxy
	server  *httptest.Server
	ledger  *quota.Ledger
	pace    *pace.Limiter
	onward  *http.Transport
	dialer  dialer
	sim     *workersai.Simulator
	price   price.Row    // of countingModel
	serving atomic.Int64 // calls that the simulator answers at present

	made atomic.Int64 // calls
}

const account = "0123456789abcdef0123456789abcdef"

func newSite(t *testing.T, n *situation) *site {
	t.Helper()
	closing := make(chan struct{})
	s := &site{t: t, sim: workersai.New(workersai.Options{Closing: closing})}
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.serving.Add(1)
		defer s.serving.Add(-1)
		s.sim.ServeHTTP(w, r)
	}))
	t.Cleanup(func() { close(closing); upstream.Close() })
	between := network(t, upstream.Listener.Addr().String(), n.toxics...)
	start := func() {
		if err := between.Start(); err != nil {
			t.Error(err)
		}
	}
	s.dialer.refused = start
	if !n.comesUp {
		start()
	}
	s.price, _ = price.Embedded().Row(countingModel)
	var err error
	options := quota.Options{Store: memstore.New(nil), Limit: 1_000_000 * quota.OneNeuron, Wait: hanging}
	if s.ledger, err = quota.New(t.Context(), options); err != nil {
		t.Fatal(err)
	}
	limits, err := pace.ParseTable("text-generation=6000")
	if err != nil {
		t.Fatal(err)
	}
	s.pace = pace.New(limits)
	s.onward = proxy.NewTransport()
	s.onward.DialContext = s.dialer.dial
	c := proxy.Config{
		Account: account, Token: func() string { return "token" }, Loopback: true, Simulate: true,
		Upstream: &url.URL{Scheme: "http", Host: between.Listen, Path: "/client/v4"}, Transport: s.onward,
		MaxBody: 1 << 20, MaxHeld: 16 << 20, MaxInFlight: 64, InFlightWait: hanging,
		FirstByteTimeout: hanging, StreamIdleTimeout: hanging, RetryAfterMax: time.Minute,
		Ledger: s.ledger, Estimator: price.NewEstimator(nil, price.Bound),
		Pace: s.pace, RateWait: hanging, Retries: 2, RetryBudget: 1,
		Models:  price.Embedded().Models(),
		Metrics: metrics.New(metrics.Build{Version: "test"}), Log: slog.New(slog.DiscardHandler),
	}
	if n.silent {
		c.FirstByteTimeout, c.StreamIdleTimeout = silence, silence
	}
	if s.proxy, err = proxy.New(c); err != nil {
		t.Fatal(err)
	}
	s.server = httptest.NewUnstartedServer(s.proxy)
	s.server.Config.BaseContext = s.proxy.BaseContext
	s.server.Start()
	s.url = s.server.URL
	s.client = &http.Client{Transport: &http.Transport{}}
	return s
}

// quiet waits until no call is in flight, neither here nor at Workers AI, where one that comes too late is billed, too.
func (s *site) quiet() {
	s.t.Helper()
	if !soon(func() bool { return s.proxy.Load().InFlight == 0 && s.serving.Load() == 0 }) {
		s.t.Errorf("got %+v here and %d calls at Workers AI, want none in flight", s.proxy.Load(), s.serving.Load())
	}
}

// count checks, once every call has ended, that no neuron that was billed is missing and that no more calls were billed
// than were made.
func (s *site) count() {
	s.t.Helper()
	s.quiet()
	if counted, billed := s.ledger.Snapshot().Account.Used, s.sim.Billed(); counted < billed {
		s.t.Errorf("got %v neurons counted, want the %v that were billed", counted, billed)
	}
	if reached := s.sim.Requests(); reached > s.made.Load() {
		s.t.Errorf("got %d requests at Workers AI, want at most the %d calls", reached, s.made.Load())
	}
}

// close shuts the proxy down and checks that nothing of any call is left and that no neuron is lost.
func (s *site) close() {
	s.t.Helper()
	s.client.CloseIdleConnections()
	s.proxy.Drain()
	select {
	case <-s.proxy.Idle():
	case <-time.After(hanging):
		s.t.Errorf("got %+v, want no call in flight", s.proxy.Load())
	}
	s.server.Close()
	s.onward.CloseIdleConnections()
	if !soon(func() bool { return s.dialer.open.Load() == 0 }) {
		s.t.Errorf("got %d of %d connections to Workers AI open, want none", s.dialer.open.Load(), s.dialer.made.Load())
	}
	s.count()
	snapshot := s.ledger.Snapshot()
	if snapshot.Account.Reserved != 0 || snapshot.InFlight != 0 {
		s.t.Errorf("got %v neurons reserved by %d calls, want none", snapshot.Account.Reserved, snapshot.InFlight)
	}
	for _, p := range s.pace.Snapshot(time.Now()) {
		if p.Waiting != 0 {
			s.t.Errorf("got %+v, want no call waiting", p)
		}
	}
	s.t.Logf("%d calls on %d connections, %d reached Workers AI; %v neurons counted, %v billed",
		s.made.Load(), s.dialer.made.Load(), s.sim.Requests(), snapshot.Account.Used, s.sim.Billed())
	if err := s.ledger.Close(context.Background()); err != nil {
		s.t.Error(err)
	}
}
