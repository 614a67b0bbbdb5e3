package normalize

import (
	"net/http"
	"strings"
	"testing"
)

func TestReadPage(t *testing.T) {
	const ray = "8885b5d9562815fb"
	page := func(text string) string { return "<html><title>" + text + "</title></html>" }
	for _, tt := range []struct {
		name, body   string
		code, status int
		ray          string
	}{
		{
			"the element before the words", `<i class="cf-error-code">1015</i><h1>Error 1020</h1><h2>Error 502</h2>`,
			1015,
			0, "",
		},
		{"a status in the element before the words", `<i class="cf-error-code">521</i><h1>Error 1020</h1>`, 0, 521, ""},
		{"an element cut short", `<html><i class="cf-error-code`, 0, 0, ""},
		{"an element that ends the page", `<html><i class="cf-error-code">1015`, 1015, 0, ""},
		{"words before the title's number", page("503: Busy, error 1020"), 1020, 0, ""},
		{"a later number when the first is none", page("Error 12 or error 1020"), 1020, 0, ""},
		{"the first of two numbers", page("Error 1020 or error 1015"), 1020, 0, ""},
		{"the first of two statuses", page("Error 502 or error 503"), 0, 502, ""},
		{"the lowest status", page("Error 400"), 0, 400, ""},
		{"the highest status", page("Error 599"), 0, 599, ""},
		{"the lowest code", page("Error 1000"), 1000, 0, ""},
		{"the highest code", page("Error 1999"), 1999, 0, ""},
		{"numbers that are neither", page("Error 399, error 600, error 999, error 2000"), 0, 0, ""},
		{"a title's status", page("x | 522: Connection timed out"), 0, 522, ""},
		{"a number that is no status", page("399 bottles of beer, 600 bottles of wine"), 0, 0, ""},
		{"a status that ends the title", page("x | 502"), 0, 0, ""},
		{"a status before a number", page("502 404 errors"), 0, 404, ""},
		{"the last word that is looked at", page(strings.Repeat("x ", 24) + "502 Bad"), 0, 502, ""},
		{"a word beyond", page(strings.Repeat("x ", 25) + "502 Bad"), 0, 0, ""},
		{"a ray", page("Ray ID: " + ray + " &bull; x"), 0, 0, ray},
		{"a ray that is too short", page("Ray ID: " + ray[1:]), 0, 0, ""},
		{"a long ray", page("Ray ID: " + ray + ray), 0, 0, ray + ray},
		{"a ray that is too long", page("Ray ID: " + ray + ray + "0"), 0, 0, ""},
		{"a ray that is none", page("Ray ID: " + strings.Repeat("x", 16)), 0, 0, ""},
	} {
		p := readPage([]byte(tt.body))
		if p.code != tt.code || p.status != tt.status {
			t.Errorf("%s: got code %d, status %d; want %d, %d", tt.name, p.code, p.status, tt.code, tt.status)
		}
		if p.ray != tt.ray {
			t.Errorf("%s: got ray %q, want %q", tt.name, p.ray, tt.ray)
		}
	}
}

func TestEdgeNumbers(t *testing.T) {
	want := map[int]Code{
		971: APIRateLimited, 1015: APIRateLimited, 1016: UpstreamUnavailable, 1033: UpstreamUnavailable,
		1101: UpstreamUnavailable, 1102: UpstreamUnavailable,
		1104: UpstreamUnavailable,
	}
	for n := 960; n < 1220; n++ {
		code, ok := want[n]
		switch {
		case ok:
		case 1000 <= n && n <= 1199:
			code = EdgeRejected
		default:
			code = byNumber[n]
		}
		if got := byEdge(n); got != code {
			t.Errorf("%d: %s, want %s", n, got, code)
		}
	}
	// A page that shows no number of the edge means what its status says.
	for status, code := range map[int]Code{
		200: UpstreamUnavailable, 400: EdgeRejected, 403: EdgeRejected,
		404: NoSuchRoute, 429: APIRateLimited, 500: UpstreamInternalError,
	} {
		if f := Classify(status, http.Header{}, []byte("<html>Sorry</html>")); f.Code != code {
			t.Errorf("page with %d: %s, want %s", status, f.Code, code)
		}
	}
}

func TestStripTags(t *testing.T) {
	for in, want := range map[string]string{
		"<p>a<br>b": " a b", "a<STYLE>p{}</STYLE>b": "a b", "a<script>if(a<b){}</script>b": "a b",
		"a<style>p{}": "a p{}", "a<styl": "a ", "a<scrip": "a ", "a<style": "a ",
		"a<b": "a ", "a&amp;&#39;": "a&'", "": "", "<": " ", "<>": " ",
	} {
		if got := stripTags([]byte(in)); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
	const most = 4 * maxMessage
	if got := stripTags([]byte(strings.Repeat("a", most-1) + "<b>more")); len(got) != most {
		t.Errorf("%d bytes of a long page, want %d", len(got), most)
	}
	if got := stripTags([]byte(strings.Repeat("a", most-2) + "<b>more")); len(got) != most+3 {
		t.Errorf("got %d bytes of a page that just fits, want %d", len(got), most+3)
	}
}

func TestFoldEqual(t *testing.T) {
	for in, want := range map[string]bool{
		"az<:": true, "AZ<:": true, "Az<:": true, "bz<:": false, "A[<:": false,
		"@z<:": false, "a\x1a<:": false,
	} {
		if got := foldEqual([]byte(in), "az<:"); got != want {
			t.Errorf("foldEqual(%q) = %t, want %t", in, got, want)
		}
	}
	if foldEqual([]byte("["), "{") || foldEqual([]byte("@"), "`") {
		t.Error("got punctuation folded as if it had a case, want it compared as it is")
	}
	for in, want := range map[string]bool{"<P>": true, "<p": false, "<?xml": false, "": false} {
		if got := isHTML([]byte(in)); got != want {
			t.Errorf("isHTML(%q) = %t, want %t", in, got, want)
		}
	}
}
