package main

import (
	"strings"
	"testing"
)

// A header means one thing, reaches upstream once or not at all, and lends nobody our token for something else.
func TestShellHeaders(t *testing.T) {
	t.Parallel()
	s := newShell(t)
	once := []string{s.posted(shellAI+shellPath, shellBody)}
	passed := func(name, lines string, upstream ...string) shellRow {
		return shellRow{
			name: name, send: post(shellPath, lines+lengthLine, shellBody), answers: []int{200}, open: true,
			upstream: []string{s.posted(shellAI+shellPath, shellBody, upstream...)},
		}
	}
	malformed := func(name, lines string) shellRow {
		return shellRow{name: name, send: post(shellPath, lines+lengthLine, shellBody+smuggled), answers: []int{400}}
	}
	refused := func(name, lines string, status int, says string) shellRow {
		return shellRow{
			name: name, send: post(shellPath, lines+lengthLine, shellBody), answers: []int{status}, open: true,
			says: says,
		}
	}
	audio := func(lines, trailers string) string {
		return post("/run/@cf/openai/whisper", "Content-Type: audio/wav\r\nTransfer-Encoding: chunked\r\n"+lines,
			"4\r\nRIFF\r\n0\r\n"+trailers+"\r\n")
	}
	whisper := []string{
		s.request("POST", shellAI+"/run/@cf/openai/whisper", "Transfer-Encoding: chunked\r\n", "4\r\nRIFF\r\n0\r\n\r\n",
			"Content-Type: audio/wav"),
	}
	s.run(t, []shellRow{
		passed("folded line", "X-Custom: a\r\n  b\r\n\tc\r\n", "X-Custom: a b c"),
		{
			name: "lines that end in LF",
			send: strings.ReplaceAll(post(shellPath, lengthLine, ""), "\r\n", "\n") + shellBody, answers: []int{200},
			open: true, upstream: once,
		},
		passed("space around a value", "X-Custom: \t a \t \r\n", "X-Custom: a"),
		passed("UTF-8 in a value", "X-Custom: é\r\n", "X-Custom: é"),
		malformed("CR in a value", "X-Custom: a\rX-Evil: b\r\n"),
		malformed("NUL in a value", "X-Custom: a\x00b\r\n"),
		malformed("escape in a value", "X-Custom: a\x1bb\r\n"),
		malformed("NUL in a name", "X-Cust\x00om: a\r\n"),
		malformed("space before the colon", "X-Custom : a\r\n"),
		malformed("tab before the colon", "X-Custom\t: a\r\n"),
		malformed("empty name", ": a\r\n"),
		malformed("no colon", "X-Custom\r\n"),
		malformed("UTF-8 in a name", "X-Cüstom: a\r\n"),
		malformed("bracket in a name", "X-[Custom]: a\r\n"),
		{
			name:    "fold before the first header",
			send:    "POST " + shellPath + " HTTP/1.1\r\n " + hostLine + lengthLine + "\r\n" + shellBody,
			answers: []int{400},
		},

		{
			name:    "headers a little too long",
			send:    post(shellPath, "X-Custom: "+strings.Repeat("a", 16<<10)+"\r\n"+lengthLine, shellBody),
			answers: []int{431}, says: "larger than 16 KiB",
		},
		{
			name:    "one header too long",
			send:    post(shellPath, "X-Custom: "+strings.Repeat("a", 70<<10)+"\r\n"+lengthLine, shellBody),
			answers: []int{431}, says: "larger than 16 KiB",
		},
		{
			name: "headers too many",
			send: post(shellPath, strings.Repeat("X-Custom: a\r\n", 8000)+lengthLine, shellBody), answers: []int{431},
		},
		{
			name:    "header without an end",
			send:    "POST " + shellPath + " HTTP/1.1\r\n" + hostLine + "X: " + strings.Repeat("a", 100<<10),
			answers: []int{431}, says: "larger than 16 KiB",
		},
		{
			name: "request line too long", send: post("/run/"+strings.Repeat("a", 70<<10), lengthLine, shellBody),
			answers: []int{431}, says: "larger than 16 KiB",
		},
		{name: "request line without an end", send: "POST /" + strings.Repeat("a", 100<<10), answers: []int{431}},

		passed(
			"credentials of the caller",
			"Authorization: Bearer evil\r\nAuthorization: Bearer evil2\r\nX-Api-Key: evil\r\nX-Api-Key: evil2\r\n"+
				"x-auth-key: evil\r\nX-AUTH-EMAIL: evil\r\nX-Auth-User-Service-Key: evil\r\n",
		),
		passed("credentials for a proxy",
			"Proxy-Authorization: Basic evil\r\nProxy-Connection: keep-alive\r\nProxy-Authenticate: evil\r\n"),
		passed(
			"hop-by-hop: what we set",
			"Connection: x-request-id, authorization, host, content-length, accept-encoding\r\nX-Request-Id: mine\r\n",
			"X-Request-Id: mine",
		),
		passed("hop-by-hop: of the caller's",
			"Connection: keep-alive, X-Custom\r\nX-Custom: evil\r\nKeep-Alive: timeout=5\r\nTE: gzip\r\n"),
		passed("TE: trailers", "TE: trailers\r\n", "Te: trailers"),
		passed(
			"where it came from",
			"Forwarded: for=evil\r\nX-Forwarded-For: evil\r\nX-Forwarded-Host: evil\r\nX-Forwarded-Proto: evil\r\n"+
				"X-Forwarded-Port: 1\r\nX-Forwarded-Server: evil\r\nX-Forwarded-Prefix: /evil\r\n"+
				"X-Forwarded-User: evil\r\nX-Real-Ip: evil\r\n",
		),
		passed(
			"what Cloudflare's edge sets",
			"CF-Connecting-IP: evil\r\nCF-Connecting-IPv6: evil\r\nTrue-Client-IP: evil\r\nCF-IPCountry: evil\r\n"+
				"CF-Ray: evil\r\nCF-Visitor: evil\r\nCF-Worker: evil\r\nCDN-Loop: evil\r\n",
		),
		passed(
			"another method or path",
			"X-HTTP-Method-Override: DELETE\r\nX-HTTP-Method: DELETE\r\nX-Method-Override: DELETE\r\n"+
				"X-Original-URL: /evil\r\nX-Rewrite-URL: /evil\r\n",
		),
		passed(
			"parts of an answer",
			"Range: bytes=0-1\r\nIf-Range: evil\r\nIf-None-Match: evil\r\nIf-Modified-Since: evil\r\n"+
				"If-Match: evil\r\nIf-Unmodified-Since: evil\r\n",
		),
		passed("cookies", "Cookie: a=evil\r\nCookie: b=evil\r\n"),
		passed("compression", "Accept-Encoding: gzip, br\r\nAccept-Encoding: zstd\r\n"),
		passed("a simulated failure", "X-Simulate: 3040\r\n"),
		passed("a name with underscores", "X_Auth_Key: k\r\nContent_Length: 5\r\n", "Content_length: 5",
			"X_auth_key: k"),
		passed("Content-Type twice", "Content-Type: application/json\r\nContent-Type: text/plain\r\n",
			"Content-Type: application/json", "Content-Type: text/plain"),
		passed("Content-Encoding: identity", "Content-Encoding: identity\r\n", "Content-Encoding: identity"),
		refused("Content-Encoding: gzip", "Content-Encoding: gzip\r\n", 400, "bad_input"),
		refused("Content-Encoding twice", "Content-Encoding: identity\r\nContent-Encoding: gzip\r\n", 400, "bad_input"),
		refused("Content-Encoding as a list", "Content-Encoding: identity, gzip\r\n", 400, "bad_input"),
		refused("a page of another site", "Origin: https://evil.example\r\n", 403, "client_forbidden"),
		refused("a page of another site, by Sec-Fetch-Site", "Sec-Fetch-Site: cross-site\r\n", 403, "client_forbidden"),

		{
			name: "trailers of a held body",
			send: post(shellPath, "Transfer-Encoding: chunked\r\nTrailer: Authorization\r\n",
				"e\r\n"+shellBody+"\r\n0\r\nAuthorization: Bearer evil\r\n\r\n"),
			answers: []int{200}, upstream: once,
		},
		{
			name:    "trailers of an upload",
			send:    audio("Trailer: Authorization, X-Evil\r\n", "Authorization: Bearer evil\r\nX-Evil: evil\r\n"),
			answers: []int{200}, upstream: whisper,
		},
		{
			name: "trailers that were not announced", send: audio("", "Authorization: Bearer evil\r\nHost: evil\r\n"),
			answers: []int{200}, upstream: whisper,
		},
		{
			name: "trailers that frame",
			send: audio("Trailer: Content-Length, Transfer-Encoding\r\n", "Content-Length: 5\r\n"), answers: []int{400},
		},
		{
			name: "malformed trailers", send: audio("Trailer: X-Evil\r\n", "X-Evil : evil\r\n"), answers: []int{200},
			upstream: whisper,
		},

		{
			name: "request id with a line end",
			send: post(shellPath, "X-Request-Id: a%0d%0aX-Evil: b\r\n"+lengthLine, shellBody), answers: []int{200},
			open: true, upstream: once, hides: "X-Evil",
		},
		{
			name:    "request id twice",
			send:    post(shellPath, "X-Request-Id: evil\r\nX-Request-Id: evil2\r\n"+lengthLine, shellBody),
			answers: []int{200}, open: true, upstream: once, hides: "evil",
		},
		{
			name:    "request id too long",
			send:    post(shellPath, "X-Request-Id: "+strings.Repeat("e", 129)+"\r\n"+lengthLine, shellBody),
			answers: []int{200}, open: true, upstream: once, hides: "eeee",
		},
		{
			name: "request id in quotes", send: post(shellPath, "X-Request-Id: \"e<v>il\"\r\n"+lengthLine, shellBody),
			answers: []int{200}, open: true, upstream: once, hides: "e<v>il",
		},
	})
}

// Host, and the target in place of it, name this proxy or nobody.
func TestShellHosts(t *testing.T) {
	t.Parallel()
	s := newShell(t)
	once := []string{s.posted(shellAI+shellPath, shellBody)}
	with := func(name, target, hosts string, status int, upstream ...string) shellRow {
		return shellRow{
			name: name, send: "POST " + target + " HTTP/1.1\r\n" + hosts + lengthLine + "\r\n" + shellBody,
			answers: []int{status}, open: status != 400, upstream: upstream,
		}
	}
	s.run(t, []shellRow{
		with("in capitals, with a port and a dot", shellPath, "HOST: LocalHost.:1\r\n", 200, once...),
		with("an address", shellPath, "Host: [::1]:3036\r\n", 200, once...),
		with("none", shellPath, "", 400),
		with("twice", shellPath, hostLine+"Host: evil.example\r\n", 400),
		with("twice the same", shellPath, hostLine+hostLine, 400),
		with("empty", shellPath, "Host:\r\n", 403),
		with("another", shellPath, "Host: evil.example\r\n", 403),
		with("a list", shellPath, "Host: localhost, evil.example\r\n", 400),
		with("a path", shellPath, "Host: localhost/evil\r\n", 400),
		with("a query", shellPath, "Host: localhost?evil\r\n", 400),
		with("user and host", shellPath, "Host: localhost@evil.example\r\n", 400),
		with("host and user", shellPath, "Host: evil.example@localhost\r\n", 400),
		with("two ports", shellPath, "Host: localhost:80:90\r\n", 403),
		with("a port that is a name", shellPath, "Host: localhost:evil.example\r\n", 200, once...),
		with("a suffix", shellPath, "Host: localhost.evil.example\r\n", 403),
		with("a space", shellPath, "Host: localhost evil.example\r\n", 400),
		with("percent-encoded", shellPath, "Host: %6cocalhost\r\n", 403),
		with("a zone", shellPath, "Host: [::1%25evil]\r\n", 200, once...),
		with("target names us", "http://localhost"+shellPath, hostLine, 200, once...),
		with("target names us, Host another", "http://localhost"+shellPath, "Host: evil.example\r\n", 200, once...),
		with("target names another, Host us", "http://evil.example"+shellPath, hostLine, 403),
		with("target with user", "http://localhost@evil.example"+shellPath, hostLine, 403),
		with("target of another scheme", "file://localhost"+shellPath, hostLine, 200, once...),
		with("target without a scheme", "//evil.example"+shellPath, hostLine, 404),
		with("target that is a name", "localhost"+shellPath, hostLine, 400),
		with("target opaque", "mailto:evil", hostLine, 404),
		with("account in the query", shellPath+"?account=evil&account_id=evil", hostLine, 200,
			s.posted(shellAI+shellPath+"?account=evil&account_id=evil", shellBody)),
		with("account of another", "/client/v4/accounts/evil/ai"+shellPath, hostLine, 403),
		with("query in two readings", shellPath+"?a=1;b=2&c=%zz&d=4", hostLine, 200,
			s.posted(shellAI+shellPath+"?d=4", shellBody)),
		with("query with a line end", shellPath+"?a=%0d%0aX-Evil:%201", hostLine, 200,
			s.posted(shellAI+shellPath+"?a=%0d%0aX-Evil:%201", shellBody)),
		with("query with a path", shellPath+"?/../../evil", hostLine, 200,
			s.posted(shellAI+shellPath+"?/../../evil", shellBody)),
		with("query that is long", shellPath+"?"+strings.Repeat("a", 15000), hostLine, 200,
			s.posted(shellAI+shellPath+"?"+strings.Repeat("a", 15000), shellBody)),
	})
}
