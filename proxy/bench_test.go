package proxy

import (
	"fmt"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/neuronward/neuronward/metrics"
)

// Each benchmark runs the same calls through this proxy and through a stock
// httputil.ReverseProxy, so that the two are compared in one run. cpu-µs/op is
// the CPU time of the whole process: caller, proxy and upstream.

func BenchmarkServeHTTP(b *testing.B) {
	var sse strings.Builder
	for i := range 200 {
		fmt.Fprintf(&sse,
			"data: {\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"model\":%q,\"choices\":[{\"index\":0,"+
				"\"delta\":{\"content\":\"token %d\"},\"finish_reason\":null}],\"p\":\"abcdefghij\"}\n\n", testModel, i)
	}
	events := strings.SplitAfter(sse.String(), "\n\n")[:200]
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if r.Header.Get("X-Shape") != "sse" {
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, chatAnswer)
			return
		}
		w.Header().Set("Content-Type", "text/event-stream")
		flush := http.NewResponseController(w)
		for _, e := range events {
			_, _ = io.WriteString(w, e)
			_ = flush.Flush()
		}
		_, _ = io.WriteString(w, "data: [DONE]\n\n")
	}))
	defer upstream.Close()
	target, err := url.Parse(upstream.URL + "/client/v4")
	if err != nil {
		b.Fatal(err)
	}
	ours, err := New(Config{
		Account: testAccount, Token: func() string { return testToken }, Upstream: target, Loopback: true,
		MaxBody: 32 << 20, MaxHeld: 256 << 20, FirstByteTimeout: time.Minute, StreamIdleTimeout: time.Minute,
		RetryAfterMax: time.Minute,
		Models:        []string{testModel}, Metrics: metrics.New(metrics.Build{}),
		Log: slog.New(slog.NewJSONHandler(io.Discard, nil)),
	})
	if err != nil {
		b.Fatal(err)
	}
	stock := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.URL.Path = "/client/v4/accounts/" + testAccount + "/ai" + r.In.URL.Path
		},
		Transport: http.DefaultTransport.(*http.Transport).Clone(),
		ErrorLog:  log.New(io.Discard, "", 0),
	}
	// The binary always has a timer that is due soon. Without one, each timer that
	// a call sets wakes the runtime's poller, which would be measured here.
	defer time.NewTicker(time.Second).Stop()
	for _, shape := range []string{"json", "sse"} {
		for _, p := range []struct {
			name    string
			handler http.Handler
		}{{"stock", fullDuplex(stock)}, {"neuronward", ours}} {
			b.Run("shape="+shape+"/impl="+p.name, func(b *testing.B) {
				server := httptest.NewServer(p.handler)
				defer server.Close()
				client := &http.Client{Transport: NewTransport()}
				b.ReportAllocs()
				before := cpu()
				for b.Loop() {
					r, _ := http.NewRequest("POST", server.URL+"/v1/chat/completions", strings.NewReader(chat))
					r.Header.Set("Content-Type", "application/json")
					r.Header.Set("X-Shape", shape)
					res, err := client.Do(r)
					if err != nil {
						b.Fatal(err)
					}
					if _, err := io.Copy(io.Discard, res.Body); err != nil {
						b.Fatal(err)
					}
					res.Body.Close()
				}
				b.ReportMetric(float64((cpu()-before).Microseconds())/float64(b.N), "cpu-µs/op")
			})
		}
	}
}

// fullDuplex keeps net/http from closing the request's body when the first byte
// of the answer is sent. A stock proxy needs it: its transport may still be
// looking for the body's end then, and breaks the connection when it finds it
// closed.
func fullDuplex(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).EnableFullDuplex()
		h.ServeHTTP(w, r)
	})
}

// cpu is the CPU time that this process has taken.
func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// answers is a transport that answers from memory: what is left is the proxy.
type answers struct {
	header http.Header
	body   string
}

func (a answers) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		_, _ = io.Copy(io.Discard, r.Body)
		_ = r.Body.Close()
	}
	return &http.Response{
		StatusCode: 200, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: a.header.Clone(),
		ContentLength: int64(len(a.body)), Body: io.NopCloser(strings.NewReader(a.body)), Request: r,
	}, nil
}

// BenchmarkOwnShare leaves the network out: the handler on its own, beside a
// stock one, for answers of two sizes. The bytes allocated must not grow with
// the answer.
func BenchmarkOwnShare(b *testing.B) {
	target := &url.URL{Scheme: "http", Host: "upstream.invalid", Path: "/client/v4"}
	for _, size := range []int{200, 1 << 20} {
		body := `{"result":{"response":"` + strings.Repeat("a", size) + `"},"success":true}`
		next := answers{header: http.Header{"Content-Type": {"application/json"}}, body: body}
		ours, err := New(Config{
			Account: testAccount, Token: func() string { return testToken }, Upstream: target,
			MaxBody: 32 << 20, MaxHeld: 256 << 20, FirstByteTimeout: time.Minute, StreamIdleTimeout: time.Minute,
			Models: []string{testModel}, Metrics: metrics.New(metrics.Build{}), Transport: next,
			Log: slog.New(slog.NewJSONHandler(io.Discard, nil)),
		})
		if err != nil {
			b.Fatal(err)
		}
		stock := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }, Transport: next}
		for _, p := range []struct {
			name    string
			handler http.Handler
		}{{"stock", stock}, {"neuronward", ours}} {
			b.Run(fmt.Sprintf("bytes=%d/impl=%s", size, p.name), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					r := httptest.NewRequest("POST", "/v1/chat/completions", strings.NewReader(chat))
					p.handler.ServeHTTP(&discard{header: http.Header{}}, r)
				}
			})
		}
	}
}

// discard is a ResponseWriter that keeps nothing.
type discard struct{ header http.Header }

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) Write(p []byte) (int, error) { return len(p), nil }
func (d *discard) WriteHeader(int)             {}
