package proxy

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/neuronward/neuronward/normalize"
)

func TestErrorReference(t *testing.T) {
	b := newBench(t, http.NotFoundHandler())
	get := func(path string, header ...string) (*http.Response, string) {
		res, body := b.do("GET", path, "", header...)
		return res, string(body)
	}
	for _, c := range []struct{ accept, agent, kind string }{
		{"text/html,application/xhtml+xml", "Mozilla/5.0", "text/html; charset=utf-8"},
		{"*/*", "curl/8.5.0", "text/plain; charset=utf-8"},
		{"application/json", "curl/8.5.0", "application/json"},
		{"*/*", "python-requests/2", "application/json"},
	} {
		for _, path := range []string{"/errors", "/errors/account_limited", "/errors/4006", "/errors/90012"} {
			res, body := get(path, "Accept", c.accept, "User-Agent", c.agent)
			if res.StatusCode != 200 || res.Header.Get("Content-Type") != c.kind {
				t.Errorf("%s for %s: got status %d, type %q; want 200, %q", path, c.accept, res.StatusCode,
					res.Header.Get("Content-Type"), c.kind)
			}
			for i, e := range normalize.Catalog() {
				wanted := path == "/errors" || path == "/errors/"+e.Slug ||
					path == "/errors/4006" && e.Slug == "account_limited" ||
					path == "/errors/90012" && e.Slug == "stream_interrupted"
				if wanted && !strings.Contains(body, e.Slug) {
					t.Errorf("%s for %s: got a page without entry %d, want %s in it", path, c.accept, i, e.Slug)
				}
			}
			if strings.Contains(body, "<script") ||
				strings.Contains(res.Header.Get("Content-Security-Policy"), "unsafe") {
				t.Errorf("%s: got a script: %v, and the policy %q; want no script, and a policy without \"unsafe\"",
					path, strings.Contains(body, "<script"), res.Header.Get("Content-Security-Policy"))
			}
		}
	}
	var entry struct {
		Name   string
		Number int
	}
	if _, body := get("/errors/3036", "Accept", "application/json"); json.Unmarshal([]byte(body), &entry) != nil {
		t.Errorf("3036: got %s, want JSON", body)
	}
	wantEqual(t, "3036: name", entry.Name, "account_limited")
	wantEqual(t, "3036: number", entry.Number, 3036)
	if res, body := get("/errors/<script>alert(1)</script>", "Accept", "text/html"); res.StatusCode != 404 ||
		b.envelope([]byte(body)).Error.Name != "route_not_proxied" {
		t.Errorf("an unknown entry: got status %d and %s, want 404 and route_not_proxied", res.StatusCode, body)
	}
	if res, _ := get("/errors", "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate"); res.StatusCode != 200 {
		t.Errorf("a link from a dashboard: got status %d, want 200", res.StatusCode)
	}
	if res, body := b.do("POST", "/errors", "", "Sec-Fetch-Site", "cross-site"); res.StatusCode != 403 {
		t.Errorf("a cross-site post: got status %d, want 403: %s", res.StatusCode, body)
	}
}

// People paste what they have, keys among it: no answer repeats them, and no browser passes them on.
func TestReferenceShowsNoKey(t *testing.T) {
	b := newBench(t, http.NotFoundHandler())
	const key = "nwk_0123456789abcdefghijklmnopqrstuvwxyzABCDEFG"
	for _, path := range []string{"/errors/" + key, "/errors?q=" + key, "/errors?q=Bearer+" + key} {
		for _, accept := range []string{"text/html", "application/json"} {
			res, body := b.do("GET", path, "", "Accept", accept)
			if strings.Contains(string(body), key) {
				t.Errorf("%s as %s: got the key in %s, want it removed", path, accept, body)
			}
			if policy := res.Header.Get("Referrer-Policy"); res.StatusCode == 200 && policy != "no-referrer" {
				t.Errorf("%s as %s: got Referrer-Policy %q, want no-referrer", path, accept, policy)
			}
		}
	}
}

func TestEveryDocURLLeadsToAnEntry(t *testing.T) {
	b := newBench(t, http.NotFoundHandler())
	for _, e := range normalize.Catalog() {
		var envelope struct {
			Error struct {
				DocURL string `json:"doc_url"`
			} `json:"error"`
		}
		if err := json.Unmarshal((&normalize.Failure{Code: e.Code}).Append(nil), &envelope); err != nil {
			t.Fatal(err)
		}
		if res, body := b.do("GET", envelope.Error.DocURL, "", "Accept", "application/json"); res.StatusCode != 200 ||
			!strings.Contains(string(body), e.Slug) {
			t.Errorf("%s: got status %d and %s, want 200 and an entry %s", envelope.Error.DocURL, res.StatusCode, body,
				e.Slug)
		}
	}
}
