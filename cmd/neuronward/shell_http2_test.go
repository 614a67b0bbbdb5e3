package main

import (
	"encoding/binary"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
)

// What HTTP/2 knows of a frame here (RFC 9113, section 6).
const (
	frameData         = 0
	frameHeaders      = 1
	frameReset        = 3
	frameSettings     = 4
	framePing         = 6
	frameGoAway       = 7
	frameContinuation = 9

	endStream  = 1
	endHeaders = 4
)

// frame is one frame; a stream of 0 is the connection.
func frame(kind, flags byte, stream uint32, payload string) string {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(payload))<<8|uint32(kind))
	b = append(b, flags)
	return string(binary.BigEndian.AppendUint32(b, stream)) + payload
}

// fields encodes names and values as they are: literals that are not indexed (RFC 7541, section 6.2.2).
func fields(pairs ...string) string {
	var b strings.Builder
	for i, s := range pairs {
		if i%2 == 0 {
			b.WriteByte(0)
		}
		if len(s) >= 127 {
			panic("a string that takes two bytes to count")
		}
		b.WriteByte(byte(len(s)))
		b.WriteString(s)
	}
	return b.String()
}

// outcome reads frames until a stream has ended, and says how: "200", "404", or another status; "refused" is 400, a
// reset or the end of the connection, whichever net/http gets to first.
func outcome(in io.Reader, stream uint32) string {
	status := ""
	for {
		var head [9]byte
		if _, err := io.ReadFull(in, head[:]); errors.Is(err, os.ErrDeadlineExceeded) {
			return "silence"
		} else if err != nil {
			return "refused"
		}
		payload := make([]byte, binary.BigEndian.Uint32(head[:])>>8)
		if _, err := io.ReadFull(in, payload); err != nil {
			return "refused"
		}
		kind, flags, of := head[3], head[4], binary.BigEndian.Uint32(head[5:])
		if kind == frameGoAway || kind == frameReset && of == stream {
			return "refused"
		}
		if of != stream {
			continue
		}
		if kind == frameHeaders && status == "" {
			for len(payload) > 1 && payload[0]>>5 == 1 { // the size of the dynamic table (section 6.3)
				payload = payload[1:]
			}
			// The static table has these statuses (RFC 7541, appendix A); others are literals.
			var known bool
			if status, known = map[byte]string{0x88: "200", 0x8c: "refused", 0x8d: "404"}[payload[0]]; !known {
				status = "another"
			}
		}
		if (kind == frameHeaders || kind == frameData) && flags&endStream != 0 {
			return status
		}
	}
}

// HTTP/2 comes over TLS alone: without TLS its beginning is a request that is not understood.
func TestShellHTTP2InTheClear(t *testing.T) {
	t.Parallel()
	newShell(t).run(t, []shellRow{{
		name: "preface", send: "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(frameSettings, 0, 0, ""),
		answers: []int{505}, says: "NEURONWARD_TLS_CERT",
	}})
}

// HTTP/2 has its own ways to say a thing twice; what reaches upstream is HTTP/1 of ours.
func TestShellHTTP2(t *testing.T) {
	t.Parallel()
	s := newSecureShell(t, "h2")
	once := []string{s.posted(shellAI+shellPath, shellBody)}
	standard := []string{":method", "POST", ":scheme", "http", ":authority", "localhost", ":path", shellPath}
	with := func(pairs ...string) string { return fields(append(slices.Clone(standard), pairs...)...) }
	instead := func(name string, value ...string) string {
		pairs := slices.Clone(standard)
		i := slices.Index(pairs, name)
		return fields(slices.Concat(pairs[:i], value, pairs[i+2:])...)
	}
	for _, row := range []struct {
		name     string
		head     string
		body     string
		trailers string
		outcome  string
		upstream []string
	}{
		{name: "plain", head: with(), outcome: "200", upstream: once},
		{name: "length", head: with("content-length", "14"), outcome: "200", upstream: once},
		{name: "length too short", head: with("content-length", "13"), outcome: "refused"},
		{name: "length too long", head: with("content-length", "15"), outcome: "refused"},
		{name: "length of 0, and a request", head: with("content-length", "0"), body: smuggled, outcome: "refused"},
		{
			name: "differing lengths", head: with("content-length", "14", "content-length", "5"), outcome: "200",
			upstream: once,
		},
		{name: "length with a sign", head: with("content-length", "+14"), outcome: "refused"},
		{name: "transfer-encoding", head: with("transfer-encoding", "chunked"), outcome: "refused"},
		{name: "connection", head: with("connection", "authorization"), outcome: "refused"},
		{name: "proxy-connection", head: with("proxy-connection", "close"), outcome: "refused"},
		{name: "keep-alive", head: with("keep-alive", "1"), outcome: "refused"},
		{name: "upgrade", head: with("upgrade", "websocket"), outcome: "refused"},
		{name: "te", head: with("te", "gzip"), outcome: "refused"},
		{name: "name in capitals", head: with("X-Evil", "b"), outcome: "refused"},
		{name: "name with a line end", head: with("x-a\r\nx-evil", "b"), outcome: "refused"},
		{name: "name with a colon", head: with("x-a: evil", "b"), outcome: "refused"},
		{name: "name with a space", head: with("x-a ", "b"), outcome: "refused"},
		{name: "empty name", head: with("", "b"), outcome: "refused"},
		{name: "value with a line end", head: with("x-a", "b\r\nx-evil: c"), outcome: "refused"},
		{name: "value with LF", head: with("x-a", "b\nx-evil: c"), outcome: "refused"},
		{name: "value with NUL", head: with("x-a", "b\x00"), outcome: "refused"},
		{
			name: "method with a line end", head: instead(":method", ":method", "POST /evil HTTP/1.1\r\nX-Evil: a\r\n"),
			outcome: "refused",
		},
		{
			name: "path with a line end", head: instead(":path", ":path", shellPath+" HTTP/1.1\r\nX-Evil: a\r\n"),
			outcome: "refused",
		},
		{name: "path with a space", head: instead(":path", ":path", shellPath+" HTTP/1.1"), outcome: "404"},
		{
			name: "path that is a URL", head: instead(":path", ":path", "http://evil.example"+shellPath),
			outcome: "200", upstream: once,
		},
		{name: "path of another place", head: instead(":path", ":path", "/../evil"), outcome: "404"},
		{name: "path twice", head: with(":path", "/evil"), outcome: "refused"},
		{
			name: "path behind a header",
			head: fields(":method", "POST", ":scheme", "http", ":authority", "localhost", "x-a", "b", ":path",
				shellPath),
			outcome: "refused",
		},
		{name: "no path", head: instead(":path"), outcome: "refused"},
		{name: "no method", head: instead(":method"), outcome: "refused"},
		{name: "unknown pseudo-header", head: with(":evil", "a"), outcome: "refused"},
		{name: "an answer's pseudo-header", head: with(":status", "200"), outcome: "refused"},
		{name: "another host", head: instead(":authority", ":authority", "evil.example"), outcome: "another"},
		{
			name: "host with a line end", head: instead(":authority", ":authority", "localhost\r\nx-evil: a"),
			outcome: "refused",
		},
		{
			name: "host with a user", head: instead(":authority", ":authority", "localhost@evil.example"),
			outcome: "refused",
		},
		{name: "host beside the authority", head: with("host", "evil.example"), outcome: "200", upstream: once},
		{name: "another scheme", head: instead(":scheme", ":scheme", "http://evil.example/?"), outcome: "refused"},
		{name: "CONNECT", head: fields(":method", "CONNECT", ":authority", "evil.example:443"), outcome: "another"},
		{
			name: "extended CONNECT",
			head: fields(":method", "CONNECT", ":protocol", "websocket", ":scheme", "http", ":authority", "localhost",
				":path", shellPath),
			outcome: "refused",
		},
		{
			name: "credentials", head: with("authorization", "Bearer evil", "x-api-key", "evil", "cookie", "evil"),
			outcome: "200", upstream: once,
		},
		{
			name: "trailers", head: with("trailer", "x-evil"), trailers: fields("x-evil", "evil"), outcome: "200",
			upstream: once,
		},
		{
			name: "trailers with credentials", head: with("trailer", "authorization"),
			trailers: fields("authorization", "Bearer evil"), outcome: "refused",
		},
		{name: "trailers with a path", head: with(), trailers: fields(":path", "/evil"), outcome: "refused"},
	} {
		t.Run(row.name, func(t *testing.T) {
			s.begin("", false)
			conn := s.dial(t)
			body := row.body
			if body == "" {
				body = shellBody
			}
			send := "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(frameSettings, 0, 0, "") + frame(frameHeaders,
				endHeaders, 1, row.head)
			if row.trailers == "" {
				send += frame(frameData, endStream, 1, body)
			} else {
				send += frame(frameData, 0, 1, body) + frame(frameHeaders, endHeaders|endStream, 1, row.trailers)
			}
			if _, err := io.WriteString(conn, send); err != nil {
				t.Fatal(err)
			}
			if got := outcome(conn, 1); got != row.outcome {
				t.Errorf("%s, want %s", got, row.outcome)
			}
			if got := s.requests(); !slices.Equal(got, row.upstream) {
				t.Errorf("upstream got %q\nwant %q", got, row.upstream)
			}
		})
	}
}
