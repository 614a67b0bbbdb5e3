package main

import (
	"net/http"
	"strings"
	"testing"
)

// Every way to spell a path in a second way is tried on every route: none of them is asked of upstream.
func TestShellPaths(t *testing.T) {
	t.Parallel()
	s := newShell(t)
	suffixes := []string{
		"//", "/.", "/..", "/../evil", "/%2e", "/%2e%2e", "/%2E./evil", "%2f%2f", "%2f..%2f..%2fevil",
		"/%252e%252e/evil", "%252f", "%25", "/..;/evil",
		";evil=1", "%3bevil", `\`, `\..\evil`, "%5c", "%00", "%00.json", "%0d%0aX-Evil:%201", "%0a", "%20", "+%09",
		"%7f", "#evil", "%23evil", "%3fevil", "%26", "*", "%2a", "'", "%22",
		"/%c0%ae%c0%ae/evil", "%c0%af", "%e0%80%af", "%ff", "\xff", "é", "%c3%a9", "/%e2%80%a5/evil", "%ef%bc%8f",
		"%e2%81%84", "/|evil", "/$evil", "/{evil}",
	}
	prefixes := []string{"/evil/..", "/.", "/..", "/", "/%2e", "/%2e%2e", "/%2f", `/\`, "/;", "/%00", "/x"}
	for _, route := range []string{
		"POST " + shellPath, "POST /ai/run", "POST /ai" + shellPath, "POST " + shellAI + shellPath,
		"POST /v1/chat/completions", "POST /v1/embeddings", "POST /v1/responses", "POST /v1/messages",
		"POST /ai/tomarkdown", "GET /ai/tomarkdown/supported", "GET /v1/models", "GET /ai/models/search",
		"GET /ai/models/schema", "GET /ai/tasks/search", "GET /ai/authors/search",
		"GET /ai/finetunes", "GET /ai/finetunes/public", "GET " + shellAI + "/models/search",
	} {
		method, path, _ := strings.Cut(route, " ")
		targets := []string{strings.ToUpper(path), strings.Replace(path, "/", "//", 2)}
		for _, suffix := range suffixes {
			targets = append(targets, path+suffix)
		}
		for _, prefix := range prefixes {
			targets = append(targets, prefix+path)
		}
		t.Run(strings.ReplaceAll(path[1:], "/", "_"), func(t *testing.T) {
			for _, target := range targets {
				if !s.check(t, &shellRow{
					send:    method + " " + target + " HTTP/1.1\r\n" + hostLine + lengthLine + "\r\n" + shellBody,
					answers: []int{404}, open: true,
					says: `"name":"route_not_proxied"`, hides: "\nX-Evil:",
				}) {
					t.Errorf("want the above of %s %q", method, target)
				}
			}
		})
	}
}

// One spelling goes upstream, whichever came; and a target that is none, or a method that a path does not take, is
// refused.
func TestShellTargets(t *testing.T) {
	t.Parallel()
	s := newShell(t)
	once := []string{s.posted(shellAI+shellPath, shellBody)}
	request := func(line string) string { return line + "\r\n" + hostLine + lengthLine + "\r\n" + shellBody }
	spelt := func(target string) shellRow {
		return shellRow{
			name: target, send: request("POST " + target + " HTTP/1.1"), answers: []int{200}, open: true,
			upstream: once,
		}
	}
	malformed := func(line string) shellRow { return shellRow{name: line, send: request(line), answers: []int{400}} }
	refused := func(line string, status int) shellRow {
		return shellRow{name: line, send: request(line), answers: []int{status}, open: true, hides: "\nX-Evil:"}
	}
	long := "/run/" + strings.Repeat("a/", 7500) + "a"
	s.run(t, []shellRow{
		spelt("/run/@cf%2Fmeta%2Fllama-3.1-8b-instruct-fp8"), spelt("/run/%40cf/meta/llama-3.1-8b-instruct-fp8"),
		spelt(shellPath + "/"), spelt(shellPath + "%2f"), // one slash at the end changes nothing
		spelt("/%72un%2f@cf/meta/llama%2d3.1-8b-instruct-fp8"),
		spelt("/client%2fv4/accounts/" + hexAccount + "/ai" + shellPath), spelt("/%61i" + shellPath),
		{
			name: "a path of 15 kB", send: request("POST " + long + " HTTP/1.1"), answers: []int{200}, open: true,
			upstream: []string{s.posted(shellAI+long, shellBody)},
		},

		malformed("POST /run/% HTTP/1.1"), malformed("POST /run/%zz HTTP/1.1"), malformed("POST /run/%u002e HTTP/1.1"),
		malformed("POST " + shellPath + " x HTTP/1.1"),
		malformed("POST " + shellPath + "\tHTTP/1.1"), malformed("POST " + shellPath + "\x00 HTTP/1.1"),
		malformed("POST " + shellPath + "\x7f HTTP/1.1"), malformed("POST  " + shellPath + " HTTP/1.1"),
		malformed(" POST " + shellPath + " HTTP/1.1"), malformed("POST " + shellPath), malformed("POST"),
		malformed("PO(ST " + shellPath + " HTTP/1.1"), malformed("POST * HTTP/1.1 "),
		malformed("POST " + shellPath + "\r HTTP/1.1"), malformed("POST run HTTP/1.1"), malformed("POST ? HTTP/1.1"),
		malformed("POST http://[::1 HTTP/1.1"), malformed("POST http://localhost:evil" + shellPath + " HTTP/1.1"),

		refused("post "+shellPath+" HTTP/1.1", 405), refused("GET "+shellPath+" HTTP/1.1", 405),
		refused("DELETE "+shellPath+" HTTP/1.1", 405), refused("PUT /ai/finetunes HTTP/1.1", 405),
		refused("TRACE "+shellPath+" HTTP/1.1", 405), refused("OPTIONS "+shellPath+" HTTP/1.1", 405),
		refused("OPTIONS * HTTP/1.1", 404), refused("BREW /ai/models/search HTTP/1.1", 405),
		refused("HEAD /ai/models/search HTTP/1.1", 405), refused("PROPFIND "+shellPath+" HTTP/1.1", 405),
		refused(strings.Repeat("A", 5000)+" "+shellPath+" HTTP/1.1", 405),
		refused("CONNECT localhost:443 HTTP/1.1", 404), refused("CONNECT evil.example:443 HTTP/1.1", 403),
		refused("CONNECT "+shellPath+" HTTP/1.1", 405),
		refused("POST /client/v4/accounts/"+hexAccount+"%2f..%2fevil/ai"+shellPath+" HTTP/1.1", 404),
		refused("POST /client/v4/accounts//ai"+shellPath+" HTTP/1.1", 404),
		refused("POST /client/v4/user/tokens/verify HTTP/1.1", 404), refused("POST /ai/finetunes HTTP/1.1", 405),
		refused("GET /ai/run/../../../../user/tokens HTTP/1.1", 404),
		refused("POST /run/@cf/x%0d%0aX-Evil:%201 HTTP/1.1", 404),

		{
			name: "a model of line ends",
			send: post("/v1/chat/completions", "Content-Length: 52\r\n",
				`{"model":"a\r\nX-Evil: b\u0000","messages":[],"x":1}`),
			answers: []int{400}, open: true, hides: "X-Evil: b\r\n",
			answer: rawAnswer("400 Bad Request", "",
				`{"errors":[{"message":"No such model a\r\nX-Evil: b","code":5007}]}`),
			says: `"name":"no_such_model"`,
			upstream: []string{
				s.posted(shellAI+"/v1/chat/completions", `{"model":"a\r\nX-Evil: b\u0000","messages":[],"x":1}`),
			},
		},
		{
			name: "a model not of text", send: post("/v1/chat/completions", "Content-Length: 14\r\n", `{"model":["x"]`),
			answers: []int{400}, open: true,
		},
		{
			name: "a model twice",
			send: post("/v1/chat/completions", "Content-Length: 40\r\n",
				`{"model":"a","model":"b","messages":[] } `[:40]),
			answers: []int{400}, open: true,
		},
	})
	if status, body := s.do(http.MethodPost, s.app+"/errors/%0d%0aX-Evil:1", ""); status == 200 {
		t.Errorf("got %d %s, want another status", status, body)
	}
}
