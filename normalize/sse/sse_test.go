package sse

import (
	"bytes"
	"testing"
)

func TestParse(t *testing.T) {
	for _, c := range []struct {
		name, block string
		data        string // "none" where there is none
		event       string
		fields      bool
	}{
		{"nothing", "", "none", "", false},
		{"blank lines and comments", "\n\r\n: c\n:\n", "none", "", false},
		{"half a blank line", "\r", "none", "", false},
		{"one line", "data: a\n\n", "a", "", true},
		{"no space", "data:a\n\n", "a", "", true},
		{"one space alone is taken off", "data:  a \n\n", " a ", "", true},
		{"no data in it", "data:\n\n", "", "", true},
		{"no end", "data:", "", "", true},
		{"carriage returns", "event: x\r\ndata: a\r\n\r\n", "a", "x", true},
		{"a carriage return within", "data: a\rb\n\n", "a\rb", "", true},
		{"two lines", "data: a\ndata: b\n\n", "a\nb", "", true},
		{"three lines, others between", "data: a\nid: 1\ndata: b\n: c\ndata: c\n", "a\nb\nc", "", true},
		{"the last name counts", "event: x\ndata: a\nevent: yy\n\n", "a", "yy", true},
		{"names that are others", "dat: a\ndata a\neven: x\nDATA: a\n data: a\ndatax: a\n", "none", "", true},
		{"half a name", "dat", "none", "", true},
		{"blank lines within", "id: 1\n\ndata: a\n\ndata: b", "a\nb", "", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := Parse([]byte(c.block))
			data := "none"
			if e.Data != nil {
				data = string(e.Data)
			}
			if data != c.data {
				t.Errorf("data: got %q, want %q", data, c.data)
			}
			if got := string(e.Name); got != c.event {
				t.Errorf("name: got %q, want %q", got, c.event)
			}
			if e.Fields != c.fields {
				t.Errorf("fields: got %v, want %v", e.Fields, c.fields)
			}
		})
	}
}

func TestDone(t *testing.T) {
	for block, want := range map[string]bool{
		"data: [DONE]\n\n": true, "data:[DONE]": true, "event: x\ndata:  [DONE] \r\n\r\n": true,
		"data: [DONE] x\n\n": false, "data: \"[DONE]\"\n\n": false, ": [DONE]\n\n": false, "": false,
	} {
		e := Parse([]byte(block))
		if got := e.Done(); got != want {
			t.Errorf("%q: got %v, want %v", block, got, want)
		}
	}
}

func TestCut(t *testing.T) {
	for _, c := range []struct{ stream, event, rest string }{
		{"", "", ""},
		{"data: a", "data: a", ""},
		{"data: a\n\n", "data: a\n\n", ""},
		{"data: a\r\n\r\ndata: b\n\n", "data: a\r\n\r\n", "data: b\n\n"},
		{"\ndata: a\n\n", "\n", "data: a\n\n"},
		{"data: a\n\r", "data: a\n\r", ""},
	} {
		if event, rest := Cut([]byte(c.stream)); string(event) != c.event || string(rest) != c.rest {
			t.Errorf("%q: got %q and %q, want %q and %q", c.stream, event, rest, c.event, c.rest)
		}
	}
}

func TestIsStream(t *testing.T) {
	for body, want := range map[string]bool{
		"data: a": true, "event:": true, "id:1": true, "retry: 3\n": true, ": c": true,
		"": false, "data": false, "odd: a": false, "<html>": false, " data: a": false,
	} {
		if got := IsStream([]byte(body)); got != want {
			t.Errorf("%q: got %v, want %v", body, got, want)
		}
	}
}

func TestEventsOfOneLineCostNoAllocation(t *testing.T) {
	stream := []byte("event: x\ndata: {\"a\":1}\n\ndata: b\r\n\r\n")
	var s Splitter
	if n := testing.AllocsPerRun(100, func() {
		begin := 0
		for at := 0; at < len(stream); {
			part, n := s.Next(stream[at:])
			at += n
			if part.Field == Blank {
				_ = s.Event(stream[begin:at])
				begin = at
			}
		}
	}); n != 0 {
		t.Errorf("got %v allocations, want none", n)
	}
}

// split returns the events of a stream whose bytes come in pieces of one size, and what has come of the next one.
func split(stream []byte, size int) (events []Event) {
	var s Splitter
	begin := 0
	for at := 0; at < len(stream); {
		part, n := s.Next(stream[at:min(at+size, len(stream))])
		at += n
		if part.Field == Blank {
			events = append(events, s.Event(stream[begin:at]))
			begin = at
		}
	}
	return append(events, s.Event(stream[begin:]))
}

// Any pieces give the same events, each is what Parse makes of its bytes, and together they are all of the stream.
func FuzzSplitter(f *testing.F) {
	for _, seed := range []string{
		"data: a\n\ndata: b\ndata: c\r\n\r\n", "event: x\r\ndata:y\n\n: c\n\nid: 1\n\r\n", "\r\n\r\r\n\n", "dat",
		"data:", "even\nevent:\n\n",
	} {
		f.Add([]byte(seed), uint8(1))
		f.Add([]byte(seed), uint8(3))
	}
	f.Fuzz(func(t *testing.T, stream []byte, size uint8) {
		whole, pieces := split(stream, max(len(stream), 1)), split(stream, max(int(size), 1))
		if len(whole) != len(pieces) {
			t.Fatalf("got %d events, want %d as of the whole", len(pieces), len(whole))
		}
		rest := stream
		for i, want := range whole {
			var event []byte
			event, rest = Cut(rest)
			same(t, "in pieces", pieces[i], want)
			same(t, "parsed", Parse(event), want)
		}
		if len(rest) > 0 {
			t.Errorf("got %q behind the last event, want nothing", rest)
		}
	})
}

func same(t *testing.T, how string, got, want Event) {
	t.Helper()
	if !bytes.Equal(got.Data, want.Data) || (got.Data == nil) != (want.Data == nil) {
		t.Errorf("%s: got data %q, want %q", how, got.Data, want.Data)
	}
	if !bytes.Equal(got.Name, want.Name) {
		t.Errorf("%s: got name %q, want %q", how, got.Name, want.Name)
	}
	if got.Fields != want.Fields {
		t.Errorf("%s: got fields %v, want %v", how, got.Fields, want.Fields)
	}
}
