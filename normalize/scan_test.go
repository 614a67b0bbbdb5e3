package normalize

import "testing"

func TestTree(t *testing.T) {
	n := tree([]byte(`{"a":[1,{"b":"x\u00e4\ud83d\ude42\/\n"},true,null],'c':'it\'s', "d" : {} , e: 5, "f":"cut`))
	if got := n.get("a").kids[1].get("b").text; got != "xä🙂/\n" {
		t.Errorf("b is %q", got)
	}
	if a := n.get("a"); len(a.kids) != 4 || a.kids[0].text != "1" || a.kids[3].kind != kindNone {
		t.Errorf("a is %+v", a)
	}
	if got := unescape([]byte(`\b\f\t\r\x41\q\u00zz\ud83dx\u41`)); got != "  \t\rAq\ufffd00zz\ufffdx\ufffd" {
		t.Errorf("%q", got)
	}
	if n.get("c").text != "it's" || n.get("d").kind != kindObject || n.get("e").text != "5" || n.get("f").text != "cut" || n.get("g").kind != kindNone {
		t.Errorf("%+v", n)
	}
	for _, s := range []string{`{"a"`, `{"a":`, `{"a":}`, `{"a":,"b":1}`, `{:}`, `{,}`, `[,]`, `[}`, `{]`, `[:]`, `"\u12`, `"\ud83d\u`, `{"a" "b"}`, `{"a":1 2 3}`, `}`, `\`} {
		tree([]byte(s))
	}
	if n := tree([]byte(`{"a":,"b":1}`)); n.get("b").text != "1" {
		t.Errorf("%+v", n)
	}
}
