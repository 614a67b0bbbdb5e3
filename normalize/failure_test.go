package normalize

import (
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
)

// What nobody knows is sent again when the status says that the server is to blame, or that it was too much.
func TestRetryableUnclassified(t *testing.T) {
	for status, want := range map[int]bool{
		400: false, 428: false, 429: true, 430: false, 499: false, 500: true,
		501: true, 599: true,
	} {
		f := Failure{Code: Unclassified, Status: status}
		if f.Retryable() != want {
			t.Errorf("%d: %v", status, !want)
		}
	}
	if c := Code(len(catalog)); c.Entry().Code != Unclassified {
		t.Errorf("the first code outside the set: got %s, want %s", c, Unclassified)
	}
}

// The envelope is valid UTF-8 whatever the message was.
func TestAppendMakesValidUTF8(t *testing.T) {
	for in, want := range map[string]string{
		"\x80": "\ufffd", "a\x80b": "a\ufffdb", "\xff\xfe": "\ufffd\ufffd", "cut \xe6\xbc": "cut \ufffd\ufffd",
		"\ufffd": "\ufffd", "\u0080": "\u0080", "\x7f": "\x7f",
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
			t.Errorf("%d: got %v, want %v", status, ok, want)
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
		if !ok {
			t.Fatalf("%s: Parse() found no failure, want one", name)
		}
		if f.Unclassified != tt.want || f.Code != tt.f.Code {
			t.Errorf("%s: got %s, unclassified %t; want %s, %t", name, f.Code, f.Unclassified, tt.f.Code, tt.want)
		}
	}
}

// What a failure says itself stands; what it leaves open is its entry's. Resolving it again changes nothing.
func TestResolved(t *testing.T) {
	e := OutOfCapacity.Entry()
	for name, tt := range map[string]struct{ f, want Failure }{
		"nothing said": {
			Failure{Code: OutOfCapacity},
			Failure{
				Code: OutOfCapacity, Message: e.Summary, Action: e.Action, Number: 3040, Status: 429,
				Origin:    OriginUpstream,
				Fault:     e.Fault,
				MatchedBy: MatchedStatus,
			},
		},
		"all said": {
			Failure{
				Code: OutOfCapacity, Message: "m", Action: "a", Number: 1, Status: 418, Origin: OriginProxy,
				Fault:     FaultCaller,
				MatchedBy: MatchedText,
			},
			Failure{
				Code: OutOfCapacity, Message: "m", Action: "a", Number: 1, Status: 418, Origin: OriginProxy,
				Fault:     FaultCaller,
				MatchedBy: MatchedText,
			},
		},
		"refused here": {
			Failure{Code: OutOfCapacity, Message: "m", Origin: OriginGuard},
			Failure{
				Code: OutOfCapacity, Message: "m", Action: e.Action, Number: 3040, Status: 429, Origin: OriginGuard,
				Fault:     e.Fault,
				MatchedBy: MatchedRequest,
			},
		},
		"no connection": {
			Failure{Code: UpstreamUnreachable, Message: "m"},
			Failure{
				Code: UpstreamUnreachable, Message: "m", Action: UpstreamUnreachable.Entry().Action, Number: 90011,
				Status: 502, Origin: OriginProxy,
				Fault: UpstreamUnreachable.Entry().Fault, MatchedBy: MatchedTransport,
			},
		},
	} {
		got := tt.f.Resolved()
		if got != tt.want {
			t.Errorf("%s: got %+v, want %+v", name, got, tt.want)
		}
		if again := got.Resolved(); again != got {
			t.Errorf("%s: resolved twice: got %+v, want %+v", name, again, got)
		}
	}
}
