package deploytest

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/neuronward/neuronward/proxy/workersai"
)

const (
	upstreamAccount = "0123456789abcdef0123456789abcdef"
	upstreamToken   = "simulated-token"

	// upstreamSimulateHeader is x-simulate under a name that passes the proxy, which therefore takes what comes for
	// Workers AI's own failure.
	upstreamSimulateHeader = "X-Simulate-Upstream"
)

// An upstream is a simulated Workers AI on loopback.
type upstream struct {
	*workersai.Simulator
	url string // for NEURONWARD_UPSTREAM
}

// startUpstream starts one on the free plan. more may be zero.
func startUpstream(t *testing.T, more workersai.Options) *upstream {
	t.Helper()
	more.Account, more.Token = upstreamAccount, upstreamToken
	more.Plan, more.DailyNeurons = workersai.PlanFree, 10_000
	closing := make(chan struct{})
	more.Closing = closing
	u := &upstream{Simulator: workersai.New(more)}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if failure := r.Header.Get(upstreamSimulateHeader); failure != "" {
			r.Header.Set(workersai.SimulateHeader, failure)
		}
		u.ServeHTTP(w, r)
	}))
	t.Cleanup(func() {
		close(closing) // calls that hang end
		server.Close()
	})
	u.url = server.URL + "/client/v4"
	return u
}
