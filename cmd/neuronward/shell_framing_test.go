package main

import (
	"strings"
	"testing"
)

// post is a POST to path with the given header lines, each with its line end, and what follows them.
func post(path, lines, rest string) string {
	return "POST " + path + " HTTP/1.1\r\n" + hostLine + lines + "\r\n" + rest
}

// smuggled is what hides behind another request's body. If it is ever a request of its own, upstream sees "evil" in a
// path.
const smuggled = "POST /run/@cf/evil/evil HTTP/1.1\r\n" + hostLine + "X-Request-Id: evil\r\n" + lengthLine + "\r\n" +
	shellBody

// Where a request's body ends must be beyond doubt: what can be read in two ways is refused, or nothing is read after
// it.
func TestShellFraming(t *testing.T) {
	t.Parallel()
	s := newShell(t)
	const chunked = "e\r\n" + shellBody + "\r\n0\r\n\r\n"
	once := []string{s.posted(shellAI+shellPath, shellBody)}
	refused := func(name, lines, rest string, answers ...int) shellRow {
		return shellRow{name: name, send: post(shellPath, lines, rest), answers: answers}
	}
	s.run(t, []shellRow{
		{name: "plain", send: post(shellPath, lengthLine, shellBody), answers: []int{200}, open: true, upstream: once},
		{
			name: "chunked", send: post(shellPath, "Transfer-Encoding: chunked\r\n", chunked), answers: []int{200},
			upstream: once,
		},

		// Both lengths: the chunks count (RFC 9112 6.3), and the connection ends.
		{
			name: "CL then TE, the rest by CL is a request",
			send: post(shellPath, lengthLine+"Transfer-Encoding: chunked\r\n", chunked+smuggled), answers: []int{200},
			upstream: once,
		},
		{
			name:    "TE then CL",
			send:    post(shellPath, "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n", chunked+smuggled),
			answers: []int{200}, upstream: once,
		},
		{
			name: "CL 0 and TE", send: post(shellPath, "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n", chunked),
			answers: []int{200}, upstream: once,
		},
		{
			name:    "CL covers the request behind the last chunk",
			send:    post(shellPath, "Content-Length: 200\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"+smuggled),
			answers: []int{400}, says: "incomplete_request",
		},
		refused("bad CL and TE", "Content-Length: x\r\nTransfer-Encoding: chunked\r\n", chunked, 400),
		{
			name: "two CL and TE",
			send: post(shellPath, "Content-Length: 3\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n",
				chunked+smuggled),
			answers: []int{400},
		},

		{
			name: "TE in capitals", send: post(shellPath, "TRANSFER-ENCODING: CHUNKED\r\n", chunked),
			answers: []int{200}, upstream: once,
		},
		{
			name: "TE after a tab", send: post(shellPath, "Transfer-Encoding:\tchunked\t\r\n", chunked),
			answers: []int{200}, upstream: once,
		},
		refused("TE gzip, chunked", "Transfer-Encoding: gzip, chunked\r\n", chunked, 501),
		refused("TE chunked, identity", "Transfer-Encoding: chunked, identity\r\n", chunked, 501),
		refused("TE chunked twice in a list", "Transfer-Encoding: chunked, chunked\r\n", chunked, 501),
		refused("TE twice", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", chunked, 501),
		refused("TE twice, differing", "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", chunked, 501),
		refused("TE identity", "Transfer-Encoding: identity\r\n"+lengthLine, shellBody, 501),
		refused("TE empty", "Transfer-Encoding:\r\n"+lengthLine, shellBody, 501),
		refused("TE xchunked", "Transfer-Encoding: xchunked\r\n"+lengthLine, shellBody, 501),
		refused("TE quoted", "Transfer-Encoding: \"chunked\"\r\n"+lengthLine, shellBody, 501),
		refused("TE with a vertical tab", "Transfer-Encoding: \x0bchunked\r\n"+lengthLine, shellBody, 400),
		refused("TE with a NUL", "Transfer-Encoding: chunked\x00\r\n"+lengthLine, shellBody, 400),
		refused("TE with a parameter", "Transfer-Encoding: chunked;q=1\r\n"+lengthLine, shellBody, 501),
		refused("space before the colon of TE", "Transfer-Encoding : chunked\r\n"+lengthLine, shellBody, 400),
		{
			name: "TE with an underscore is no TE",
			send: post(shellPath, "Transfer_Encoding: chunked\r\n"+lengthLine, shellBody), answers: []int{200},
			open: true, upstream: []string{s.posted(shellAI+shellPath, shellBody, "Transfer_encoding: chunked")},
		},
		{
			name:    "TE folded onto a second line",
			send:    post(shellPath, "Transfer-Encoding:\r\n chunked\r\n"+lengthLine, chunked+smuggled),
			answers: []int{200}, upstream: once,
		},
		{
			name: "HTTP/1.0 has no TE, and the connection ends",
			send: "POST " + shellPath + " HTTP/1.0\r\n" + hostLine + "Connection: keep-alive\r\n" + lengthLine +
				"Transfer-Encoding: chunked\r\n\r\n" + shellBody + smuggled,
			answers: []int{200}, upstream: once,
		},
		{
			name: "HTTP/1.0 keep-alive with TE alone",
			send: "POST " + shellPath + " HTTP/1.0\r\n" + hostLine + "Connection: keep-alive\r\n" +
				"Transfer-Encoding: chunked\r\n\r\n" + smuggled,
			answers: []int{400}, says: "incomplete_request",
		},

		{
			name:    "chunk extension",
			send:    post(shellPath, "Transfer-Encoding: chunked\r\n", "e;a=b\r\n"+shellBody+"\r\n0;c\r\n\r\n"),
			answers: []int{200}, upstream: once,
		},
		{
			name:    "chunk size in capitals and with zeros",
			send:    post(shellPath, "Transfer-Encoding: chunked\r\n", "000E\r\n"+shellBody+"\r\n000\r\n\r\n"),
			answers: []int{200}, upstream: once,
		},
		refused("long chunk extensions", "Transfer-Encoding: chunked\r\n",
			"e;"+strings.Repeat("a", 5000)+"\r\n"+shellBody+"\r\n0\r\n\r\n", 400),
		refused("many chunks of one byte with extensions", "Transfer-Encoding: chunked\r\n",
			strings.Repeat("1;"+strings.Repeat("a", 2000)+"\r\n \r\n", 40)+"0\r\n\r\n", 400),
		refused("chunk size beyond 64 bits", "Transfer-Encoding: chunked\r\n",
			"10000000000000000e\r\n"+shellBody+"\r\n0\r\n\r\n", 400),
		{
			name: "chunk size of 64 bits",
			send: post(shellPath, "Transfer-Encoding: chunked\r\n",
				"ffffffffffffffff\r\n{"+strings.Repeat(" ", 70<<10)),
			half: true, answers: []int{413},
		},
		refused("chunk size 0x", "Transfer-Encoding: chunked\r\n", "0xe\r\n"+shellBody+"\r\n0\r\n\r\n", 400),
		refused("chunk size with a sign", "Transfer-Encoding: chunked\r\n", "+e\r\n"+shellBody+"\r\n0\r\n\r\n", 400),
		refused("negative chunk size", "Transfer-Encoding: chunked\r\n", "-1\r\n"+shellBody+"\r\n0\r\n\r\n", 400),
		refused("empty chunk size", "Transfer-Encoding: chunked\r\n", "\r\n"+shellBody+"\r\n0\r\n\r\n", 400),
		refused("chunk longer than its size", "Transfer-Encoding: chunked\r\n", "d\r\n"+shellBody+"\r\n0\r\n\r\n", 400),
		refused("chunk size line ends in LF", "Transfer-Encoding: chunked\r\n", "e\n"+shellBody+"\r\n0\r\n\r\n", 400),
		refused("chunk extension hides an LF", "Transfer-Encoding: chunked\r\n", "e;\n"+shellBody+"\r\n0\r\n\r\n", 400),
		refused("chunk data ends in LF", "Transfer-Encoding: chunked\r\n", "e\r\n"+shellBody+"\n0\r\n\r\n", 400),

		{
			name: "equal CL twice", send: post(shellPath, lengthLine+lengthLine, shellBody), answers: []int{200},
			open: true, upstream: once,
		},
		refused("differing CL twice", lengthLine+"Content-Length: 5\r\n", shellBody, 400),
		refused("CL as a list", "Content-Length: 14, 14\r\n", shellBody, 400),
		refused("CL with a sign", "Content-Length: +14\r\n", shellBody, 400),
		refused("negative CL", "Content-Length: -14\r\n", shellBody, 400),
		refused("hexadecimal CL", "Content-Length: 0xe\r\n", shellBody, 400),
		refused("empty CL", "Content-Length:\r\n", shellBody, 400),
		refused("fractional CL", "Content-Length: 14.0\r\n", shellBody, 400),
		refused("CL beyond 64 bits", "Content-Length: 18446744073709551630\r\n", shellBody, 400),
		refused("CL beyond the limit", "Content-Length: 9223372036854775807\r\n", shellBody, 413),
		{
			name: "CL with zeros", send: post(shellPath, "Content-Length: 0014\r\n", shellBody), answers: []int{200},
			open: true, upstream: once,
		},
		refused("CL in two words", "Content-Length: 1 4\r\n", shellBody, 400),
		{
			name: "body of a GET is not a request",
			send: "GET /ai/models/search HTTP/1.1\r\n" + hostLine + "Content-Length: 132\r\n\r\n" + smuggled +
				strings.Repeat(" ", 132-len(smuggled)),
			answers: []int{200}, open: true, upstream: []string{s.request("GET", shellAI+"/models/search", "", "")},
		},
		{name: "no length is no body", send: post(shellPath, "", shellBody+"\r\n\r\n"), answers: []int{400, 400}},
	})
}

// What follows an answer, or comes before it is due, belongs to whom it belongs.
func TestShellConnections(t *testing.T) {
	t.Parallel()
	s := newShell(t)
	once := []string{s.posted(shellAI+shellPath, shellBody)}
	named := func(id string) string { return post(shellPath, "X-Request-Id: "+id+"\r\n"+lengthLine, shellBody) }
	sent := func(id string) string { return s.posted(shellAI+shellPath, shellBody, "X-Request-Id: "+id) }
	large := strings.Repeat(" ", 60<<10)
	audio := post("/run/@cf/openai/whisper", "Content-Type: audio/wav\r\nContent-Length: 60000\r\n",
		"RIFF"+strings.Repeat("x", 59996))
	s.run(t, []shellRow{
		{
			name: "pipelined", send: named("a") + named("b") + named("c"), answers: []int{200, 200, 200}, open: true,
			upstream: []string{sent("a"), sent("b"), sent("c")}, says: "X-Request-Id: c\r\n",
		},
		{
			name: "pipelined, the middle refused", send: named("a") + post("/evil", lengthLine, shellBody) + named("c"),
			answers: []int{200, 404, 200}, open: true, upstream: []string{sent("a"), sent("c")},
		},
		{
			name: "pipelined behind a request that closes",
			send: post(shellPath, "Connection: close\r\n"+lengthLine, shellBody) + smuggled, answers: []int{200},
			upstream: once,
		},
		{
			name: "pipelined behind a malformed one",
			send: post(shellPath, "Bad Name: x\r\n"+lengthLine, shellBody) + smuggled, answers: []int{400},
		},
		{name: "empty lines before a request", send: "\r\n\r\n" + named("a"), answers: []int{400}},
		{
			name: "refused with its body unread",
			send: post("/evil", "Content-Length: 61454\r\n", shellBody+large) + named("b"), answers: []int{404, 200},
			open: true, upstream: []string{sent("b")},
		},
		{
			name: "refused with a long body unread", send: post("/evil", "Content-Length: 10000000\r\n", smuggled),
			answers: []int{404},
		},
		{
			name: "too large, body unread", send: post(shellPath, "Content-Length: 65537\r\n", smuggled), half: true,
			answers: []int{413}, says: "request_too_large",
		},
		{
			name: "answer during the upload", send: audio, early: true,
			answer:  rawAnswer("200 OK", "Connection: close\r\n", shellAnswer),
			answers: []int{200}, open: true,
			upstream: []string{s.request("POST", shellAI+"/run/@cf/openai/whisper", "Content-Length: 60000\r\n", "",
				"Content-Type: audio/wav")},
		},
		{
			name: "Connection: close", send: post(shellPath, "Connection: close\r\n"+lengthLine, shellBody),
			answers: []int{200}, upstream: once, says: "Connection: close\r\n",
		},
		{
			name: "HTTP/1.0", send: "POST " + shellPath + " HTTP/1.0\r\n" + hostLine + lengthLine + "\r\n" + shellBody,
			answers: []int{200}, upstream: once,
		},
		{
			name: "HTTP/1.0 with keep-alive",
			send: "POST " + shellPath + " HTTP/1.0\r\n" + hostLine + "Connection: keep-alive\r\n" + lengthLine +
				"\r\n" + shellBody,
			answers: []int{200}, upstream: once,
		},
		{name: "HTTP/0.9", send: "GET /ai/models/search\r\n", answers: []int{400}},
		{
			name:    "HTTP/2.0 by name",
			send:    "POST " + shellPath + " HTTP/2.0\r\n" + hostLine + lengthLine + "\r\n" + shellBody,
			answers: []int{505},
		},
		{
			name: "HTTP/1.2", send: "POST " + shellPath + " HTTP/1.2\r\n" + hostLine + lengthLine + "\r\n" + shellBody,
			answers: []int{200}, open: true, upstream: once,
		},
		{
			name:    "HTTP/1.1 misspelt",
			send:    "POST " + shellPath + " http/1.1\r\n" + hostLine + lengthLine + "\r\n" + shellBody,
			answers: []int{400},
		},
		{
			name: "TLS hello", send: "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + strings.Repeat("\x00", 20) + "\n",
			answers: []int{400},
		},
		{
			name: "Expect: 100-continue", send: post(shellPath, "Expect: 100-continue\r\n"+lengthLine, shellBody),
			answers: []int{100, 200}, open: true, upstream: once,
		},
		{
			name: "Expect: 100-continue, refused before the body",
			send: post("/evil", "Expect: 100-continue\r\n"+lengthLine, ""), half: true, answers: []int{404},
		},
		{
			name: "Expect of something else", send: post(shellPath, "Expect: 200-ok\r\n"+lengthLine, shellBody),
			answers: []int{417},
		},
		{
			name: "Expect twice", send: post(shellPath, "Expect: x\r\nExpect: 100-continue\r\n"+lengthLine, shellBody),
			answers: []int{417},
		},
		{
			name: "WebSocket",
			send: post(shellPath, "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n"+lengthLine,
				shellBody),
			answers: []int{404}, open: true, says: "route_not_proxied",
		},
		{
			name:    "WebSocket among others",
			send:    post(shellPath, "Connection: Upgrade\r\nUpgrade: h2c, websocket\r\n"+lengthLine, shellBody),
			answers: []int{200}, open: true, upstream: once,
		},
		{
			name: "h2c",
			send: post(
				shellPath,
				"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"+
					"HTTP2-Settings: AAMAAABkAAQAAP__\r\n"+lengthLine,
				shellBody,
			),
			answers: []int{200}, open: true, upstream: once,
		},
	})
}
