package main

import (
	"strings"
	"testing"
)

// What upstream says reaches the caller as one answer, whole or visibly not, and nothing of it is the next caller's.
func TestShellAnswers(t *testing.T) {
	t.Parallel()
	s := newShell(t)
	once := []string{s.posted(shellAI+shellPath, shellBody)}
	call := post(shellPath, "X-Request-Id: mine\r\n"+lengthLine, shellBody)
	mine := []string{s.posted(shellAI+shellPath, shellBody, "X-Request-Id: mine")}
	passed := func(name, answer, says, hides string) shellRow {
		return shellRow{
			name: name, send: call, answers: []int{200}, open: true, upstream: mine, answer: answer, says: says,
			hides: hides,
		}
	}
	header := func(name, lines, says, hides string) shellRow {
		return passed(name, rawAnswer("200 OK", lines, shellAnswer), says, hides)
	}
	failed := func(name, answer string) shellRow {
		return shellRow{
			name: name, send: call, answers: []int{502}, open: true, upstream: mine, answer: answer, says: `"origin":`,
			hides: "evil",
		}
	}
	const kind = "Content-Type: application/json\r\n"
	early := "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
	s.run(t, []shellRow{
		header("a folded header", "X-Custom: a\r\n b\r\n", "X-Custom: a b\r\n", ""),
		header("lines that end in LF", "X-Custom: a\nX-Other: b\n", "X-Other: b\r\n", ""),
		failed("CR in a value", rawAnswer("200 OK", "X-Custom: a\rX-Evil: evil\r\n", shellAnswer)),
		failed("NUL in a value", rawAnswer("200 OK", "X-Custom: a\x00evil\r\n", shellAnswer)),
		header("space before a colon", "X-Evil : evil\r\n", "", "evil"),
		failed("no colon", rawAnswer("200 OK", "evil\r\n", shellAnswer)),
		header("cookies are upstream's to set", "Set-Cookie: __cf_bm=x; HttpOnly\r\n",
			"Set-Cookie: __cf_bm=x; HttpOnly\r\n", ""),
		header(
			"hop-by-hop",
			"Connection: keep-alive, X-Evil\r\nX-Evil: evil\r\nKeep-Alive: evil\r\nProxy-Authenticate: evil\r\n"+
				"Upgrade: evil\r\nProxy-Connection: evil\r\n",
			"", "evil",
		),
		header("hop-by-hop: what we set", "Connection: keep-alive, x-request-id, content-type, content-length\r\n",
			"X-Request-Id: mine\r\n", ""),
		header(
			"our own headers",
			"X-Request-Id: evil\r\nRequest-Id: evil\r\nX-Neuronward-Neurons: evil\r\n"+
				"Access-Control-Allow-Origin: evil\r\n",
			"X-Request-Id: mine\r\n", "evil",
		),
		header("equal lengths", "Content-Length: 68\r\n", "Content-Length: 68\r\n", ""),
		failed("differing lengths", rawAnswer("200 OK", "Content-Length: 5\r\n", shellAnswer+"evil")),
		failed("a list of lengths", "HTTP/1.1 200 OK\r\n"+kind+"Content-Length: 4, 4\r\n\r\nevil"),
		failed("a negative length", "HTTP/1.1 200 OK\r\n"+kind+"Content-Length: -1\r\n\r\nevil"),
		failed("a length with a sign", "HTTP/1.1 200 OK\r\n"+kind+"Content-Length: +4\r\n\r\nevil"),
		passed(
			"length and chunks",
			"HTTP/1.1 200 OK\r\n"+kind+"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n4\r\ngood\r\n0\r\n\r\n",
			"good", "Content-Length: 2",
		),
		failed("gzip as a transfer",
			"HTTP/1.1 200 OK\r\n"+kind+"Transfer-Encoding: gzip, chunked\r\n\r\n4\r\nevil\r\n0\r\n\r\n"),
		failed(
			"chunks twice",
			"HTTP/1.1 200 OK\r\n"+kind+"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nevil\r\n"+
				"0\r\n\r\n",
		),
		passed("until the connection closes", "HTTP/1.1 200 OK\r\n"+kind+"Connection: close\r\n\r\n"+shellAnswer,
			shellAnswer, ""),
		failed("no body", "HTTP/1.1 200 OK\r\n"+kind+"Content-Length: 0\r\n\r\n"),
		passed(
			"trailers",
			"HTTP/1.1 200 OK\r\n"+kind+"Transfer-Encoding: chunked\r\nTrailer: X-Custom\r\n\r\n4\r\ngood\r\n0\r\n"+
				"X-Custom: a\r\n\r\n",
			"good", "X-Custom",
		),
		{
			name: "shorter than it says", send: call, answers: []int{502}, open: true, upstream: mine,
			answer: "HTTP/1.1 200 OK\r\n" + kind + "Connection: close\r\nContent-Length: 100\r\n\r\n{\"x\":1",
			says:   "stream_interrupted",
		},
		{
			name: "speech shorter than it says", send: call, upstream: mine,
			answer: "HTTP/1.1 200 OK\r\nContent-Type: audio/mpeg\r\nConnection: close\r\n" +
				"Content-Length: 100\r\n\r\nID3",
		},
		{
			name: "a second answer behind the first", send: call, answers: []int{200}, open: true, dropped: true,
			upstream: mine, answer: wellAnswered + rawAnswer("200 OK", "", `{"evil":1}`), hides: "evil",
		},

		failed("no HTTP", "evil\r\n\r\n"),
		failed("HTTP/0.9", "<html>evil</html>\n"),
		failed("no status", "HTTP/1.1\r\n\r\n"),
		failed("a status that is a word", "HTTP/1.1 evil OK\r\n\r\n"),
		failed("a status of four digits", "HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n"),
		failed("a status below 100", "HTTP/1.1 099 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"),
		failed("a status above 599", "HTTP/1.1 799 OK\r\nContent-Length: 4\r\n\r\nodd!"),
		failed("headers too long",
			rawAnswer("200 OK", "X-Custom: "+strings.Repeat("evil", 80<<10)+"\r\n", shellAnswer)),
		failed("a redirect", "HTTP/1.1 302 Found\r\nLocation: http://evil.example/\r\nContent-Length: 0\r\n\r\n"),
		failed("another protocol, unasked", "HTTP/1.1 101 Switching Protocols\r\nConnection: close\r\n\r\n"),
		failed("nothing", "\r\n"),

		{
			name: "100 unasked", send: call, answers: []int{100, 200}, open: true, upstream: mine,
			answer: "HTTP/1.1 100 Continue\r\n\r\n" + wellAnswered,
		},
		{
			name: "some 1xx", send: call, answers: []int{103, 103, 200}, open: true, upstream: mine,
			answer: early + early + wellAnswered,
		},
		{
			name: "the links of a 103, and no secret in them", send: call, answers: []int{103, 200}, open: true,
			upstream: mine,
			answer: "HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\nLink: </?" + fakeToken + ">\r\n" +
				"Set-Cookie: evil\r\nX-Request-Id: evil\r\nX-Neuronward-Neurons: evil\r\n\r\n" + wellAnswered,
			says: "HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\nLink: </?[removed]>\r\n\r\n", hides: "evil",
		},
		{
			name: "headers of another 1xx", send: call, answers: []int{102, 200}, open: true, upstream: mine,
			answer: "HTTP/1.1 102 Processing\r\nLink: evil\r\nX-Evil: evil\r\n\r\n" + wellAnswered,
			says:   "HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 200 OK\r\n", hides: "evil",
		},
		{
			name: "1xx without end", send: call, answers: []int{103, 103, 103, 103, 103, 502}, open: true,
			upstream: mine, answer: strings.Repeat(early, 10000) + wellAnswered, says: "upstream_unreachable",
		},
		{
			name:    "1xx to HTTP/1.0",
			send:    "POST " + shellPath + " HTTP/1.0\r\n" + hostLine + lengthLine + "\r\n" + shellBody,
			answers: []int{200}, upstream: once, answer: early + wellAnswered,
		},
	})
	s.signal()
	s.exit()
	if log := s.log.String(); strings.Contains(log, "{\"evil\"") || strings.Contains(log, "Unsolicited") {
		t.Errorf("got an answer in the log, want none: %s", log)
	}
}
