package normalize

import (
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
)

// What nobody knows is sent again when the status says that the server is to blame, or that it was too much.
func TestRetryableUnclassified(t *testing.T) {
	for status, want := range map[int]bool{400: false, 428: false, 429: true, 430: false, 499: false, 500: true, 501: true, 599: true} {
		f := Failure{Code: Unclassified, Status: status}
		if f.Retryable() != want {
			t.Errorf("%d: %v", status, !want)
		}
	}
	if c := numCodes; c.Entry().Code != Unclassified {
		t.Errorf("the first code outside the set is %s", c)
	}
}

// The envelope is valid UTF-8 whatever the message was.
func TestAppendMakesValidUTF8(t *testing.T) {
	for in, want := range map[string]string{
		"\x80": "\ufffd", "a\x80b": "a\ufffdb", "\xff\xfe": "\ufffd\ufffd", "cut \xe6\xbc": "cut \ufffd\ufffd", "\ufffd": "\ufffd", "\u0080": "\u0080", "\x7f": "\x7f",
		"~ ": "~ ", "\x1f": `\u001f`, "é": "é",
	} {
		got := appendString(nil, in)
		if string(got) != `"`+want+`"` || !utf8.Valid(got) {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestParseRefusesStatusesOutOfRange(t *testing.T) {
	ours := string((&Failure{Code: OutOfCapacity}).Append(nil))
	for status, want := range map[int]bool{99: false, 100: true, 400: true, 599: true, 600: false} {
		body := strings.Replace(ours, `"status":429`, `"status":`+strconv.Itoa(status), 1)
		if _, ok := Parse([]byte(body)); ok != want {
			t.Errorf("%d: %v", status, ok)
		}
	}
}

func TestParseTellsUnclassified(t *testing.T) {
	for name, tt := range map[string]struct {
		f    Failure
		want bool
	}{
		"a known code":        {Failure{Code: OutOfCapacity}, false},
		"nothing fitted":      {Failure{Code: Unclassified}, true},
		"a number of its own": {Failure{Code: RequestTooLarge, Number: 5999}, true},
	} {
		f, ok := Parse(tt.f.Append(nil))
		if !ok || f.Unclassified != tt.want || f.Code != tt.f.Code {
			t.Errorf("%s: %v, %+v", name, ok, f)
		}
	}
}
