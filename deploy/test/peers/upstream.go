package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"
)

const (
	answer = `{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":` +
		`{"role":"assistant","content":"All work and no play."},"finish_reason":"stop"}],` +
		`"usage":{"prompt_tokens":210,"completion_tokens":6,"total_tokens":216}}`
	event = `data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":` +
		`{"content":" token"},"finish_reason":null}]}` + "\n\n"
	pause = 10 * time.Millisecond // between events

	internalError = `{"errors":[{"message":"AiError: Internal error","code":5001}],"success":false,"result":{},` +
		`"messages":[]}`
)

// vector is the answer with one embedding.
var vector = `{"object":"list","data":[{"object":"embedding","index":0,"embedding":[` +
	strings.Repeat("-0.0123456789,", 1023) + `0.5]}],"model":"m","usage":{"prompt_tokens":210,"total_tokens":210}}`

// A shape is what upstream answers to a call that names it in X-Shape.
type shape struct {
	text  []byte // written at once, in HTTP/1.1
	ends  bool   // then the connection ends
	waits bool   // or nothing more comes
	each  []byte // or this, again and again after a pause
}

// shapes are all of them. The empty name is what a proxy asks by itself.
var shapes = func() map[string]shape {
	whole := func(status, text string) shape {
		return shape{text: fmt.Appendf(nil, "HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n"+
			"Cf-Ray: 9a0000000000abcd-FRA\r\nServer: cloudflare\r\n\r\n%s", status, len(text), text)}
	}
	const stream = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
	chunk := func(text string) string { return fmt.Sprintf("%x\r\n%s\r\n", len(text), text) }
	begun := []byte(stream + chunk(event))
	return map[string]shape{
		"":       whole("200 OK", answer),
		"json":   whole("200 OK", answer),
		"vector": whole("200 OK", vector),
		"events": {text: begun, each: []byte(chunk(event))},
		"idle":   {text: begun, waits: true},
		// Those of a soak.
		"brief": {text: []byte(stream + chunk(event) + chunk(event) + chunk("data: [DONE]\n\n") + "0\r\n\r\n")},
		"fail":  whole("500 Internal Server Error", internalError),
		"cut": {
			text: []byte("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 5000\r\n\r\n{"),
			ends: true,
		},
		"torn": {text: []byte(stream + chunk(event) + chunk(event[:20])), ends: true},
	}
}()

// An upstream answers every call: plain as raw bytes, or over TLS with HTTP/2.
type upstream struct {
	plain, secure *url.URL
	cert          string // file that secure is trusted by
	ln            net.Listener
	tls           *httptest.Server
}

func newUpstream(dir string) (*upstream, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it lasts as long as the program
	if err != nil {
		return nil, err
	}
	u := &upstream{plain: &url.URL{Scheme: "http", Host: ln.Addr().String()}, ln: ln}
	go u.accept()
	u.tls = httptest.NewUnstartedServer(http.HandlerFunc(serveHTTP2))
	u.tls.EnableHTTP2 = true
	u.tls.StartTLS()
	if u.secure, err = url.Parse(u.tls.URL); err != nil {
		return nil, err
	}
	u.cert = filepath.Join(dir, "upstream.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: u.tls.Certificate().Raw})
	return u, os.WriteFile(u.cert, text, 0o600)
}

func (u *upstream) close() {
	u.ln.Close() //nolint:errcheck // the program ends
	u.tls.CloseClientConnections()
}

// trust is the configuration of a client that trusts upstream.
func (u *upstream) trust() *tls.Config {
	c := u.tls.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
	c.ServerName, c.NextProtos = "example.com", nil // a name that the certificate has
	return c
}

func (u *upstream) accept() {
	for {
		conn, err := u.ln.Accept()
		if err != nil {
			return
		}
		go serveRaw(conn)
	}
}

// serveRaw answers calls on one connection without taking memory for one.
func serveRaw(conn net.Conn) {
	defer conn.Close()
	in := bufio.NewReaderSize(conn, 64<<10)
	for {
		s, err := readCall(in)
		if err != nil {
			return
		}
		if _, err := conn.Write(s.text); err != nil || s.ends {
			return
		}
		if s.waits {
			_, _ = in.ReadByte() // until the proxy leaves
			return
		}
		for s.each != nil {
			time.Sleep(pause)
			if _, err := conn.Write(s.each); err != nil {
				return
			}
		}
	}
}

// readCall reads a call to its end and returns the shape that it asks for.
func readCall(in *bufio.Reader) (s shape, err error) {
	s = shapes[""]
	for length := 0; ; {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return s, err
		}
		_, value, _ := bytes.Cut(line, []byte(":"))
		switch value = bytes.TrimSpace(value); {
		case hasName(line, "x-shape:"):
			s = shapes[string(value)]
		case hasName(line, "content-length:"):
			length = number(value)
		case hasName(line, "transfer-encoding:"):
			length = -1
		case len(line) == 2:
			return s, skipBody(in, length)
		}
	}
}

func serveHTTP2(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cf-Ray", "9a0000000000abcd-FRA")
	flush := http.NewResponseController(w)
	write := func(text string) bool {
		_, err := io.WriteString(w, text)
		return err == nil && flush.Flush() == nil
	}
	shape := r.Header.Get("X-Shape")
	switch shape {
	case "events", "idle", "brief", "torn":
		h.Set("Content-Type", "text/event-stream")
		if !write(event) {
			return
		}
	}
	switch shape {
	case "vector":
		_, _ = io.WriteString(w, vector)
	case "fail":
		w.WriteHeader(http.StatusInternalServerError)
		_, _ = io.WriteString(w, internalError)
	case "cut":
		h.Set("Content-Length", "5000")
		write("{")
		panic(http.ErrAbortHandler)
	case "torn":
		write(event[:20])
		panic(http.ErrAbortHandler)
	case "brief":
		_, _ = io.WriteString(w, event+"data: [DONE]\n\n")
	case "idle":
		<-r.Context().Done()
	case "events":
		for {
			select {
			case <-time.After(pause):
			case <-r.Context().Done():
				return
			}
			if !write(event) {
				return
			}
		}
	default:
		_, _ = io.WriteString(w, answer)
	}
}
