package main

import (
	"bufio"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"time"
)

const (
	answer = `{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":` +
		`{"role":"assistant","content":"All work and no play."},"finish_reason":"stop"}],` +
		`"usage":{"prompt_tokens":210,"completion_tokens":6,"total_tokens":216}}`
	event = `data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":` +
		`{"content":" token"},"finish_reason":null}]}` + "\n\n"
	pause = 10 * time.Millisecond // between events
)

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
	whole := fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n"+
		"Cf-Ray: 9a0000000000abcd-FRA\r\nServer: cloudflare\r\n\r\n%s", len(answer), answer)
	head := []byte("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
	chunk := fmt.Appendf(nil, "%x\r\n%s\r\n", len(event), event)
	for {
		shape := byte(0)
		length, chunked := 0, false
		for {
			line, err := in.ReadSlice('\n')
			if err != nil {
				return
			}
			switch {
			case hasName(line, "x-shape:"):
				shape = line[len("x-shape: ")]
			case hasName(line, "content-length:"):
				length = number(line[len("content-length: ") : len(line)-2])
			case hasName(line, "transfer-encoding:"):
				chunked = true
			}
			if len(line) == 2 {
				break
			}
		}
		if chunked {
			length = -1
		}
		if skipBody(in, length) != nil {
			return
		}
		if shape != 'e' && shape != 'i' { // what a proxy asks by itself gets no stream either
			if _, err := conn.Write(whole); err != nil {
				return
			}
			continue
		}
		if _, err := conn.Write(append(head[:len(head):len(head)], chunk...)); err != nil {
			return
		}
		if shape == 'i' {
			_, _ = in.ReadByte() // until the proxy leaves
			return
		}
		for {
			time.Sleep(pause)
			if _, err := conn.Write(chunk); err != nil {
				return
			}
		}
	}
}

func serveHTTP2(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	shape := r.Header.Get("X-Shape")
	if shape != "events" && shape != "idle" {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cf-Ray", "9a0000000000abcd-FRA")
		_, _ = io.WriteString(w, answer)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	flush := http.NewResponseController(w)
	for {
		if _, err := io.WriteString(w, event); err != nil || flush.Flush() != nil {
			return
		}
		if shape == "idle" {
			<-r.Context().Done()
			return
		}
		select {
		case <-time.After(pause):
		case <-r.Context().Done():
			return
		}
	}
}
