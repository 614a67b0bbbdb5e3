package main

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"strings"
	"time"
)

const (
	hostileTick = time.Second // between two bytes, frames or streams of a hostile connection

	// headersSize is what hostile connections send of headers at once: a little less than the limit of 16 KiB.
	headersSize = 15 << 10

	// floodFrames is how many frames a flood sends a second. One that reads no answer sends more of them at once than
	// the server keeps answers for (10,000).
	floodFrames, deafFrames = 200, 20_000
)

// A hostileKind is one way to keep a connection from being of use. attack returns once the connection has ended.
type hostileKind struct {
	name     string
	protocol string // by ALPN; "" is a connection without a handshake
	attack   func(ctx context.Context, c net.Conn)
}

// plainKinds are those against a listener without TLS.
func plainKinds() []hostileKind { return append(http1Kinds(""), idleKind("idle after connect", "")) }

// secureKinds are those against a listener with TLS.
func secureKinds() []hostileKind {
	return append(
		append(http1Kinds("http/1.1"), http2Kinds()...),
		idleKind("idle after connect", ""),
		idleKind("idle after the handshake, HTTP/1.1", "http/1.1"), idleKind("idle after the handshake, HTTP/2", "h2"),
		hostileKind{"half a ClientHello", "", func(ctx context.Context, c net.Conn) {
			half := append([]byte{22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3}, make([]byte, 200)...)
			say(ctx, c, string(half), "")
		}},
	)
}

// say sends begin, and then again every tick until the connection ends. It reads what comes and forgets it.
func say(ctx context.Context, c net.Conn, begin, again string) {
	sayMore(ctx, c, begin, func() string { return again })
}

// sayMore is say of what differs from tick to tick.
func sayMore(ctx context.Context, c net.Conn, begin string, again func() string) {
	if _, err := io.WriteString(c, begin); err != nil {
		return
	}
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		_, _ = io.Copy(io.Discard, c)
	}()
	tick := time.NewTicker(hostileTick)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-closed:
			return
		case <-tick.C:
			if _, err := io.WriteString(c, again()); err != nil {
				return
			}
		}
	}
}

func idleKind(name, protocol string) hostileKind {
	return hostileKind{name, protocol, func(ctx context.Context, c net.Conn) { say(ctx, c, "", "") }}
}

// http1Kinds are those that speak HTTP/1.1.
func http1Kinds(protocol string) []hostileKind {
	const request, length = "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n", "Content-Length: 10000\r\n\r\n"
	kind := func(name, begin, again string) hostileKind {
		return hostileKind{name, protocol, func(ctx context.Context, c net.Conn) { say(ctx, c, begin, again) }}
	}
	return []hostileKind{
		kind("headers byte by byte", request+"x-a: ", "a"),
		kind("large headers", request+"x-a: "+strings.Repeat("a", headersSize), "a"),
		kind("many headers", request+strings.Repeat("a: b\r\n", headersSize/6), "a: b\r\n"),
		kind("slow body", request+length, "a"),
		kind("idle after a refused request", request+"Content-Length: 0\r\n\r\n", ""),
	}
}

// http2Kinds are those that speak HTTP/2.
func http2Kinds() []hostileKind {
	nothing := func(*http2Caller) string { return "" }
	kind := func(name string, begin, again func(*http2Caller) string) hostileKind {
		return hostileKind{name, "h2", func(ctx context.Context, c net.Conn) {
			caller := &http2Caller{next: 1}
			sayMore(ctx, c, http2Begin+begin(caller), func() string { return again(caller) })
		}}
	}
	return []hostileKind{
		kind("HTTP/2 and then nothing", nothing, nothing),
		kind("CONTINUATION without end", (*http2Caller).beginHeaders, (*http2Caller).continuation),
		kind("idle streams", (*http2Caller).fillStreams, (*http2Caller).request),
		kind("slow bodies", (*http2Caller).request, (*http2Caller).slowBody),
		kind("PING and SETTINGS", nothing, (*http2Caller).flood),
		{"PING, and no answer is read", "h2", deaf},
	}
}

const http2Begin = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + "\x00\x00\x00\x04\x00\x00\x00\x00\x00"

// An http2Caller is the caller's end of a connection of HTTP/2.
type http2Caller struct{ next uint32 } // stream

// request is one without the end of its body.
func (c *http2Caller) request() string {
	c.next += 2
	return frame(frameHeaders, endHeaders, c.next-2, fields(":method", "POST", ":scheme", "https",
		":authority", "localhost", ":path", chatPath))
}

// beginHeaders are headers in several frames, and not their end.
func (c *http2Caller) beginHeaders() string {
	const size = 100
	begin := frame(frameHeaders, 0, 1, fields(":method", "POST", ":scheme", "https", ":authority", "localhost",
		":path", chatPath))
	for range headersSize / (size + 32) { // a field counts 32 bytes more
		begin += frame(frameContinuation, 0, 1, fields("x-a", strings.Repeat("a", size)))
	}
	return begin
}

func (c *http2Caller) continuation() string { return frame(frameContinuation, 0, 1, "") }

// fillStreams opens as many streams as one connection may have.
func (c *http2Caller) fillStreams() string {
	var all strings.Builder
	for range 100 {
		all.WriteString(c.request())
	}
	return all.String()
}

// slowBody is a byte of the last request's body, and the next request.
func (c *http2Caller) slowBody() string { return frame(frameData, 0, c.next-2, "a") + c.request() }

// flood is frames that the server must answer.
func (c *http2Caller) flood() string {
	return strings.Repeat(ping+frame(frameSettings, 0, 0, ""), floodFrames/2)
}

var ping = frame(framePing, 0, 0, "01234567")

// deaf sends frames that the server must answer, and reads no answer.
func deaf(ctx context.Context, c net.Conn) {
	if tcp, ok := c.(*tls.Conn).NetConn().(*net.TCPConn); ok {
		_ = tcp.SetReadBuffer(4 << 10)
	}
	const atOnce = 500
	pings := strings.Repeat(ping, atOnce)
	if _, err := io.WriteString(c, http2Begin); err != nil {
		return
	}
	for range deafFrames / atOnce {
		if _, err := io.WriteString(c, pings); err != nil {
			return
		}
	}
	<-ctx.Done()
}
