package normalize

import (
	"strings"
	"testing"
)

func TestTree(t *testing.T) {
	n := tree([]byte(`{"a":[1,{"b":"x\u00e4\ud83d\ude42\/\n"},true,null],'c':'it\'s', "d" : {} , e: 5, "f":"cut`))
	if got := n.get("a").kids[1].get("b").text; got != "xä🙂/\n" {
		t.Errorf("b: got %q, want xä🙂/ and a line break", got)
	}
	a := n.get("a")
	if len(a.kids) != 4 {
		t.Fatalf("a: got %+v, want 4 values", a)
	}
	if first, last := a.kids[0].text, a.kids[3].kind; first != "1" || last != kindNone {
		t.Errorf("a: got %q to kind %v, want 1 to nothing", first, last)
	}
	escaped, want := `\b\f\t\r\x41\q\u00zz\ud83dx\u41`, "  \t\rAq\ufffd00zz\ufffdx\ufffd"
	if got := unescape([]byte(escaped)); got != want {
		t.Errorf("unescape(%q) = %q, want %q", escaped, got, want)
	}
	for name, want := range map[string]string{"c": "it's", "e": "5", "f": "cut"} {
		if got := n.get(name).text; got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	if d, g := n.get("d").kind, n.get("g").kind; d != kindObject || g != kindNone {
		t.Errorf("kinds of d and g = %v, %v, want %v, %v", d, g, kindObject, kindNone)
	}
	for _, s := range []string{
		`{"a"`, `{"a":`, `{"a":}`, `{"a":,"b":1}`, `{:}`, `{,}`, `[,]`, `[}`, `{]`, `[:]`,
		`"\u12`, `"\ud83d\u`, `{"a" "b"}`, `{"a":1 2 3}`, `}`, `\`,
	} {
		tree([]byte(s))
	}
	n = tree([]byte(`{"a":,"b":1}`))
	if got := n.get("b").text; got != "1" {
		t.Errorf("b behind a missing value = %q, want 1", got)
	}
}

func TestUnescape(t *testing.T) {
	for in, want := range map[string]string{
		`plain`: "plain", `\u0041`: "A", `\x41`: "A", `\u004`: "\ufffd", `\x4`: "\ufffd", `a\`: `a\`, `\\`: `\`,
		`\/`: "/", "": "",
		`\ud800\udc00`: "\U00010000", `\ud800\udfff`: "\U000103ff", `\udbff\udc00`: "\U0010fc00",
		`\udbff\udfff`: "\U0010ffff",
		`\ud7ff\udc00`: "\ud7ff\ufffd", `\ue000\udc00`: "\ue000\ufffd", `\ud800\udbff`: "\ufffd\ufffd",
		`\ud800\ue000`: "\ufffd\ue000",
		`\ud83d\n`:     "\ufffd\n", `\ud83dxudc00`: "\ufffdxudc00", `\ud83d\xdc00z`: "\ufffd\u00dc00z",
		`\ud83d\ude4`: "\ufffd\ufffd",
	} {
		if got := unescape([]byte(in)); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestScannerText(t *testing.T) {
	for in, want := range map[string]string{
		`""x`: "", `"a"x`: "a", `"a\"b"x`: `a\"b`, `"a\\"x`: `a\\`, `"\"x`: `\"x`, `"\\"x`: `\\`, `"a`: "a", `"`: "",
		`'it"s'x`: `it"s`,
	} {
		s := scanner{b: []byte(in)}
		if got := string(s.text()); got != want {
			t.Errorf("%s: %q, want %q", in, got, want)
		}
	}
}

func TestScannerSkip(t *testing.T) {
	for in, rest := range map[string]string{
		`{"a":[1,{"b":"}"}],"c":2},z`: ",z", `[[],[[]]],z`: ",z", `"a",z`: ",z", `12,z`: ",z", `,z`: ",z", `}z`: "}z",
		`]z`: "]z", `:z`: ":z", `{"a":1`: "", ``: "", `true}z`: "}z",
	} {
		s := scanner{b: []byte(in)}
		if s.skip(); in[s.i:] != rest {
			t.Errorf("%s: %q is left, want %q", in, in[s.i:], rest)
		}
	}
}

// What lies deeper than maxDepth or beyond maxNodes is skipped, and what follows it is read as if nothing were.
func TestTreeIsBounded(t *testing.T) {
	nested := func(depth int) string { return strings.Repeat(`[`, depth) + "1" + strings.Repeat(`]`, depth) }
	for depth, want := range map[int]bool{maxDepth - 2: true, maxDepth - 1: false, maxDepth: false} {
		root := tree([]byte(`{"a":` + nested(depth) + `,"b":2}`))
		n := root.get("a")
		for n.kind == kindArray && len(n.kids) > 0 {
			n = &n.kids[0]
		}
		if (n.text == "1") != want || root.get("b").text != "2" {
			t.Errorf("depth %d: got %+v, then %+v; want read: %v, then 2", depth, n, root.get("b"), want)
		}
	}
	for _, tt := range []struct{ name, open, value, end string }{
		{"array", "[", "1,", "]"},
		{"object", "{", `"k":1,`, "}"},
	} {
		for count, want := range map[int]int{
			maxNodes - 2: maxNodes - 2, maxNodes - 1: maxNodes - 1,
			maxNodes: maxNodes - 1, 2 * maxNodes: maxNodes - 1,
		} {
			if n := tree([]byte(tt.open + strings.Repeat(tt.value, count) + tt.end)); len(n.kids) != want ||
				n.kids[want-1].text != "1" {
				t.Errorf("%s of %d: %d values, want %d", tt.name, count, len(n.kids), want)
			}
		}
	}
}
