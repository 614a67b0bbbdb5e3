package health

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/neuronward/neuronward/normalize"
)

func TestHandler(t *testing.T) {
	t.Parallel()
	ready := Verdict{Code: normalize.StoreUnavailable} // without a reason the code says nothing
	draining := Verdict{Reason: "draining", Code: normalize.ShuttingDown}
	starting := Verdict{Reason: "starting", Code: normalize.ShuttingDown, Message: "Not yet."}
	noStore := Verdict{Reason: "/secret/path: disk on fire", Code: normalize.StoreUnavailable}
	const passed = http.StatusTeapot // what the handler behind answers
	for name, tt := range map[string]struct {
		verdict      Verdict
		method, path string
		host         string
		want         int
		says         string // in the body
	}{
		"alive":                  {ready, http.MethodGet, "/livez", "", http.StatusOK, "ok\n"},
		"alive, HEAD":            {ready, http.MethodHead, "/livez", "", http.StatusOK, ""},
		"alive, a slash":         {ready, http.MethodGet, "/livez/", "", http.StatusOK, "ok\n"},
		"alive while draining":   {draining, http.MethodGet, "/livez", "", http.StatusOK, "ok\n"},
		"alive without a store":  {noStore, http.MethodGet, "/livez", "", http.StatusOK, "ok\n"},
		"ready":                  {ready, http.MethodGet, "/readyz", "", http.StatusOK, "ok\n"},
		"draining":               {draining, http.MethodGet, "/readyz", "", 503, `"name":"shutting_down"`},
		"draining, HEAD":         {draining, http.MethodHead, "/readyz", "", 503, ""},
		"starting":               {starting, http.MethodGet, "/readyz", "", 503, `"message":"Not yet."`},
		"without a store":        {noStore, http.MethodGet, "/readyz", "", 503, `"name":"store_unavailable"`},
		"a setting in the texts": {noStore, http.MethodGet, "/readyz", "", 503, "X_ON_STORE_FAILURE=allow"},
		"POST":                   {ready, http.MethodPost, "/livez", "", passed, "call"},
		"OPTIONS":                {ready, http.MethodOptions, "/readyz", "", passed, "call"},
		"a call":                 {ready, http.MethodGet, "/v1/models", "", passed, "call"},
		"a longer path":          {ready, http.MethodGet, "/livez/x", "", passed, "call"},
		"two slashes":            {ready, http.MethodGet, "/livez//", "", passed, "call"},
		"a host of others":       {ready, http.MethodGet, "/readyz", "evil.example", passed, "call"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := Handler(Options{
				Verdict:       func() Verdict { return tt.verdict },
				AllowedHost:   func(host string) bool { return host != "evil.example" },
				RetryAfterMax: time.Minute,
				Setting:       func(key string) string { return "X_" + key },
				Next: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					w.WriteHeader(passed)
					io.WriteString(w, "call")
				}),
			})
			server := httptest.NewServer(h)
			t.Cleanup(server.Close)
			r, err := http.NewRequestWithContext(t.Context(), tt.method, server.URL+tt.path, http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			r.Host = tt.host
			resp, err := server.Client().Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			body, err := io.ReadAll(resp.Body)
			if err != nil {
				t.Fatal(err)
			}
			if resp.StatusCode != tt.want {
				t.Errorf("status = %d, want %d", resp.StatusCode, tt.want)
			}
			if !strings.Contains(string(body), tt.says) {
				t.Errorf("body = %s, want %q in it", body, tt.says)
			}
			if tt.method == http.MethodHead && len(body) > 0 {
				t.Errorf("body = %s, want none", body)
			}
			if strings.Contains(string(body), "/secret/path") {
				t.Errorf("body = %s, want nothing of the reason for people in it", body)
			}
			if tt.want == http.StatusServiceUnavailable {
				envelope(t, tt.verdict.Code, resp.Header, body)
			}
		})
	}
}

// envelope checks the answer of a process that is not ready. body is empty for HEAD.
func envelope(t *testing.T, want normalize.Code, h http.Header, body []byte) {
	t.Helper()
	for name, value := range map[string]string{
		"Content-Type": "application/json", "X-Should-Retry": "true", "Cache-Control": "no-store",
	} {
		if got := h.Get(name); got != value {
			t.Errorf("%s = %q, want %q", name, got, value)
		}
	}
	for _, name := range []string{"Retry-After", "X-Request-Id"} {
		if h.Get(name) == "" {
			t.Errorf("%s is not there, want it", name)
		}
	}
	if len(body) == 0 {
		return
	}
	f, ok := normalize.Parse(body)
	if !ok {
		t.Fatalf("body = %s, want an envelope", body)
	}
	if f.Code != want {
		t.Errorf("code = %v, want %v", f.Code, want)
	}
	if f.RequestID != h.Get("X-Request-Id") {
		t.Errorf("request id = %q, want that of the header, %q", f.RequestID, h.Get("X-Request-Id"))
	}
}

// A probe that speaks HTTP/1.0 names no host; a request of HTTP/1.1 that names none is not for us.
func TestProbesWithoutAHost(t *testing.T) {
	t.Parallel()
	const passed = http.StatusTeapot
	h := Handler(Options{
		Verdict:     func() Verdict { return Verdict{} },
		AllowedHost: func(host string) bool { return host == "localhost" },
		Next:        http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(passed) }),
	})
	for _, c := range []struct {
		minor int
		host  string
		want  int
	}{
		{0, "", http.StatusOK},
		{0, "localhost", http.StatusOK},
		{0, "evil.example", passed},
		{1, "", passed},
	} {
		for _, path := range []string{"/livez", "/readyz"} {
			w := httptest.NewRecorder()
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, http.NoBody)
			r.Host, r.ProtoMinor = c.host, c.minor
			h.ServeHTTP(w, r)
			if w.Code != c.want {
				t.Errorf("%s by HTTP/1.%d with the host %q: got %d, want %d", path, c.minor, c.host, w.Code, c.want)
			}
		}
	}
}
