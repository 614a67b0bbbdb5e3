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
				t.Fatal(ok, err)
			}
			if body := string(p.Body); p.ContentType != c.kind || !strings.Contains(body, c.has) ||
				strings.Contains(body, c.lack) {
				t.Errorf("%s, want %s with %q and without %q:\n%s", p.ContentType, c.kind, c.has, c.lack, body)
			}
		})
	}
	if _, ok, err := Render(Request{Topic: "<script>"}); ok || err != nil {
		t.Error("an entry that there is not", ok, err)
	}
	for _, e := range normalize.Catalog() {
		if p, ok, err := Render(Request{Topic: e.Slug, Accept: browser}); !ok || err != nil ||
			!strings.Contains(string(p.Body), e.Slug) {
			t.Error(e.Slug, ok, err)
		}
	}
}

// The style is a part of the page and of its policy: what could end it early must not be in it.
func TestStyleStaysInItsPlace(t *testing.T) {
	p, _, err := Render(Request{Accept: "text/html"})
	if err != nil || !strings.Contains(string(p.Body), "<style>"+Style+"</style>") || strings.Contains(Style, "</") ||
		strings.Contains(Policy(), "unsafe") {
		t.Error("the style is not on the page as the policy has it", err)
	}
}
