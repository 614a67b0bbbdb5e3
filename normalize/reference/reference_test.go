package reference

import (
	"strings"
	"testing"

	"github.com/neuronward/neuronward/normalize"
)

func TestRender(t *testing.T) {
	const browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
	for _, c := range []struct {
		name      string
		request   Request
		kind      string
		has, lack string
	}{
		{
			"all, for a browser",
			Request{Accept: browser},
			"text/html; charset=utf-8",
			`<a href="/errors/out_of_capacity">`, "Today",
		},
		{
			"all, as a part of another page",
			Request{Accept: browser, Home: "/"},
			"text/html; charset=utf-8",
			`<a href="/">Today</a>`, "<script",
		},
		{
			"one, for a browser",
			Request{Topic: "out_of_capacity", Accept: browser},
			"text/html; charset=utf-8",
			"<h1><code>out_of_capacity</code></h1>", "account_limited",
		},
		{
			"one by its number",
			Request{Topic: "4006", Accept: browser},
			"text/html; charset=utf-8",
			"<h1><code>account_limited</code></h1>", "out_of_capacity",
		},
		{
			"all, for curl",
			Request{Accept: "*/*", UserAgent: "curl/8.5.0"},
			"text/plain; charset=utf-8",
			"out_of_capacity", "<",
		},
		{
			"one, for curl",
			Request{Topic: "3040", Accept: "*/*", UserAgent: "curl/8.5.0"},
			"text/plain; charset=utf-8",
			"who can fix it:", "<",
		},
		{"all, for a machine", Request{}, "application/json", `"out_of_capacity"`, "who can fix it"},
		{
			"one, for a machine",
			Request{Topic: "3040", Accept: "application/json, text/html"},
			"application/json",
			`"number": 3040`, "account_limited",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, ok, err := Render(c.request)
			if err != nil || !ok {
				t.Fatalf("Render(%+v) = %t, %v, want true and no error", c.request, ok, err)
			}
			if p.ContentType != c.kind {
				t.Errorf("got content type %s, want %s", p.ContentType, c.kind)
			}
			if body := string(p.Body); !strings.Contains(body, c.has) || strings.Contains(body, c.lack) {
				t.Errorf("got a page, want %q in it and not %q:\n%s", c.has, c.lack, body)
			}
		})
	}
	if _, ok, err := Render(Request{Topic: "<script>"}); ok || err != nil {
		t.Errorf("an entry that there is not: got %t, %v; want false and no error", ok, err)
	}
	for _, e := range normalize.Catalog() {
		p, ok, err := Render(Request{Topic: e.Slug, Accept: browser})
		if !ok || err != nil {
			t.Fatalf("%s: got %t, %v; want true and no error", e.Slug, ok, err)
		}
		if !strings.Contains(string(p.Body), e.Slug) {
			t.Errorf("%s: got a page without it, want it in\n%s", e.Slug, p.Body)
		}
	}
}

// The style is a part of the page and of its policy: what could end it early must not be in it.
func TestStyleStaysInItsPlace(t *testing.T) {
	p, _, err := Render(Request{Accept: "text/html"})
	if err != nil {
		t.Fatal(err)
	}
	if want := "<style>" + Style + "</style>"; !strings.Contains(string(p.Body), want) {
		t.Errorf("got page\n%s\nwant %s in it", p.Body, want)
	}
	if strings.Contains(Style, "</") || strings.Contains(Policy(), "unsafe") {
		t.Errorf("got style %q, policy %q; want no end of a tag and nothing unsafe", Style, Policy())
	}
}
