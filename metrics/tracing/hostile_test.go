package tracing_test

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/neuronward/neuronward/metrics/tracing"
	"github.com/neuronward/neuronward/metrics/tracing/otlptest"
)

// both exports spans and metrics to a collector, with credentials in a header that net/http does not know as such.
func both(t *testing.T, c *otlptest.Collector, log *logHandler) *tracing.Tracer {
	t.Helper()
	o := options(t, c)
	o.Traces.Headers, o.Log = map[string]string{"x-team-key": "collectors-key"}, slog.New(log)
	o.Metrics = o.Traces
	o.Metrics.URL = o.Traces.URL.JoinPath("../metrics")
	return tracer(t, o)
}

// Whom an answer names gets nothing: the headers for the collector hold credentials.
func TestRedirectsAreNotFollowed(t *testing.T) {
	var reached atomic.Int64
	other := otlptest.New(t)
	other.Answer(func(_ http.ResponseWriter, r *http.Request) bool {
		t.Errorf("%s: got a request with the key %q, want none", r.URL.Path, r.Header.Get("X-Team-Key"))
		return false
	})
	c := otlptest.New(t)
	c.Answer(func(w http.ResponseWriter, r *http.Request) bool {
		reached.Add(1)
		io.Copy(io.Discard, r.Body)
		http.Redirect(w, r, other.URL+r.URL.Path, http.StatusTemporaryRedirect)
		return true
	})
	var log logHandler
	tr := both(t, c, &log)
	call(t, tr)
	if err := tr.Close(t.Context()); err == nil || !strings.Contains(err.Error(), "307") {
		t.Errorf("closed with %v, want the metrics' 307", err)
	}
	if log.count("307") == 0 || reached.Load() < 2 {
		t.Errorf("got %d requests, want those of spans and metrics, and the 307 in the log:\n%s",
			reached.Load(), log.text)
	}
}

// A collector's answer may be of any size. The log has the beginning of it.
func TestWhatACollectorAnswersIsCut(t *testing.T) {
	c := otlptest.New(t)
	c.Answer(func(w http.ResponseWriter, r *http.Request) bool {
		io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusBadRequest)
		io.WriteString(w, strings.Repeat("é", 1<<20))
		return true
	})
	var log logHandler
	tr := both(t, c, &log)
	call(t, tr)
	err := tr.Close(t.Context())
	if err == nil || len(err.Error()) > 600 {
		t.Errorf("closed with an error of %d bytes, want 600 at most and some", len(fmt.Sprint(err)))
	}
	if len(log.text) > 1<<15 || log.count("400") == 0 {
		t.Errorf("logged %d bytes, want the status and little more", len(log.text))
	}
}
