package proxy

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/memstore"
	"github.com/neuronward/neuronward/quota/pace"
	"github.com/neuronward/neuronward/quota/price"
)

// BenchmarkCost is a call with all that the binary has on by itself: limits, the count and the log. Its caller and its
// upstream write fixed bytes and allocate nothing, so that the allocations are the proxy's alone, with those of
// net/http. A stream has 100 events.
func BenchmarkCost(b *testing.B) {
	const event = `data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,` +
		`"delta":{"content":"token"},"finish_reason":null}],"usage":{"prompt_tokens":9,"completion_tokens":9}}` + "\n\n"
	answer := fmt.Sprintf("HTTP/1.1 200 OK\r\nDate: Mon, 30 Nov 2026 12:00:00 GMT\r\nServer: cloudflare\r\n"+
		"Content-Type: application/json\r\nContent-Length: %d\r\nCf-Ray: 9a0000000000abcd-FRA\r\n"+
		"Cf-Ai-Req-Id: 01234567-89ab-cdef-0123-456789abcdef\r\n\r\n%s", len(chatAnswer), chatAnswer)
	stream := []string{"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"}
	for range 100 {
		stream = append(stream, fmt.Sprintf("%x\r\n%s\r\n", len(event), event))
	}
	stream = append(stream, "e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n")
	for _, shape := range []struct {
		name    string
		answers []string // written one by one
		end     string   // of the caller's answer
	}{{"json", []string{answer}, ""}, {"sse", stream, "0\r\n\r\n"}} {
		upstream := rawUpstream(b, shape.answers)
		for _, impl := range []struct {
			name    string
			handler http.Handler
		}{{"stock", fullDuplex(stockProxy(b, upstream))}, {"neuronward", fullProxy(b, upstream)}} {
			b.Run("shape="+shape.name+"/impl="+impl.name, func(b *testing.B) {
				server := httptest.NewServer(impl.handler)
				defer server.Close()
				caller := newRawCaller(b, server.Listener.Addr().String(), shape.end)
				defer caller.conn.Close()
				caller.call(b)
				runtime.GC()
				b.ReportAllocs()
				for b.Loop() {
					caller.call(b)
				}
			})
		}
	}
}

// stockProxy returns the proxy of the standard library in front of an upstream.
func stockProxy(b *testing.B, upstream *url.URL) http.Handler {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	b.Cleanup(transport.CloseIdleConnections)
	return &httputil.ReverseProxy{
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(upstream) },
		Transport: transport,
		ErrorLog:  log.New(io.Discard, "", 0),
	}
}

// fullProxy returns this proxy with what the binary has on by itself.
func fullProxy(b *testing.B, upstream *url.URL) http.Handler {
	b.Helper()
	ledger, err := quota.New(b.Context(), quota.Options{Store: memstore.New(nil), Limit: 1e9 * neuron})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = ledger.Close(context.Background()) }) // all is settled
	rates, err := pace.ParseTable("text-generation=1000000")
	if err != nil {
		b.Fatal(err)
	}
	transport := NewTransport()
	b.Cleanup(transport.CloseIdleConnections)
	c := testConfig(io.Discard)
	c.Upstream, c.Transport = upstream, transport
	c.Log = slog.New(slog.NewJSONHandler(io.Discard, nil))
	c.Ledger, c.Estimator = ledger, price.NewEstimator(nil, price.Bound)
	c.Pace, c.RateWait = pace.New(rates), time.Minute
	c.MaxInFlight = 1024
	c.FirstByteTimeout, c.StreamIdleTimeout, c.ReadPause = time.Minute, time.Minute, time.Minute
	c.UploadPause, c.UploadRate = time.Minute, 1
	p, err := New(c)
	if err != nil {
		b.Fatal(err)
	}
	return p
}

// rawUpstream answers every request of calls with the same bytes, in as many writes as there are texts.
func rawUpstream(b *testing.B, answers []string) *url.URL {
	b.Helper()
	ln, err := (&net.ListenConfig{}).Listen(b.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { ln.Close() })
	var pieces [][]byte
	for _, a := range answers {
		pieces = append(pieces, []byte(a))
	}
	serve := func(conn net.Conn) {
		defer conn.Close()
		requests := bufio.NewReader(conn)
		for skipMessage(requests, nil) == nil {
			for _, p := range pieces {
				if _, err := conn.Write(p); err != nil {
					return
				}
			}
		}
	}
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go serve(conn)
		}
	}()
	return &url.URL{Scheme: "http", Host: ln.Addr().String(), Path: "/client/v4"}
}

// A rawCaller makes the same call again and again.
type rawCaller struct {
	conn    net.Conn
	in      *bufio.Reader
	request []byte
	end     []byte
}

func newRawCaller(b *testing.B, addr, end string) *rawCaller {
	b.Helper()
	conn, err := (&net.Dialer{}).DialContext(b.Context(), "tcp", addr)
	if err != nil {
		b.Fatal(err)
	}
	body := `{"model":"` + testModel + `","max_tokens":256,"messages":[{"role":"user","content":"` +
		strings.Repeat("All work and no play. ", 40) + `"}]}`
	request := fmt.Sprintf("POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:3036\r\nAccept: application/json\r\n"+
		"Content-Type: application/json\r\nUser-Agent: OpenAI/Python 1.99.0\r\n"+
		"Authorization: Bearer nothing-to-see-here\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	return &rawCaller{conn: conn, in: bufio.NewReader(conn), request: []byte(request), end: []byte(end)}
}

func (c *rawCaller) call(b *testing.B) {
	b.Helper()
	if _, err := c.conn.Write(c.request); err != nil {
		b.Fatal(err)
	}
	if err := skipMessage(c.in, c.end); err != nil {
		b.Fatal(err)
	}
}

// skipMessage reads a message of HTTP/1.1: as far as its length says, or to the line with which its last chunk ends.
func skipMessage(in *bufio.Reader, end []byte) error {
	length := 0
	for {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return err
		}
		if name := []byte("Content-Length: "); bytes.HasPrefix(line, name) {
			for _, digit := range bytes.TrimSpace(line[len(name):]) {
				length = 10*length + int(digit-'0')
			}
		}
		if len(line) == 2 {
			break
		}
	}
	if length > 0 || len(end) == 0 {
		_, err := in.Discard(length)
		return err
	}
	for {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return err
		}
		if bytes.Equal(line, end[:3]) {
			_, err := in.ReadSlice('\n')
			return err
		}
	}
}
