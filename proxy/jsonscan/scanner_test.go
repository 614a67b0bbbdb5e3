package jsonscan

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"unicode/utf16"
	"unicode/utf8"
)

// split cuts a text into pieces of a size, 0 for one piece.
func split(text string, size int) (p Pieces) {
	if size == 0 {
		size = max(len(text), 1)
	}
	for len(text) > 0 {
		n := min(size, len(text))
		p = append(p, []byte(text[:n]))
		text = text[n:]
	}
	return p
}

func TestText(t *testing.T) {
	long := strings.Repeat("0123456789", 20)
	for _, c := range []struct {
		name, raw string
		units     int64
	}{
		{"nothing", `""`, 0},
		{"ASCII", `"abc"`, 3},
		{"long ASCII", `"` + long + `"`, 200},
		{"beyond ASCII behind long ASCII", `"` + long + "é" + long + `"`, 401},
		{"characters of two, three and four bytes", `"é漢😀"`, 4},
		{"many of them", `"` + strings.Repeat("é漢😀x", 50) + `"`, 250},
		{"escapes", `"\"\\\/\b\f\n\r\t"`, 8},
		{"code", `"` + strings.Repeat(`if x == \"\" {\n`, 30) + `"`, 390},
		{"escaped code points", `"\u0041\ud83d\ude00"`, 3},
		{"a backslash before a u", `"\\u0041"`, 6},
		{"bytes that are not UTF-8", "\"\xff\x80\xc3\"", 3},
	} {
		for size := range 40 {
			s := New(split(c.raw, size))
			units, err := s.Text()
			if err != nil {
				t.Fatalf("%s, in pieces of %d: %v", c.name, size, err)
			}
			if units != c.units {
				t.Errorf("%s, in pieces of %d: got %d units, want %d", c.name, size, units, c.units)
			}
			if err := s.End(); err != nil {
				t.Errorf("%s, in pieces of %d: got %v at the end, want nil", c.name, size, err)
			}
		}
	}
}

func TestBase64(t *testing.T) {
	long := strings.Repeat("AZaz09+/-_", 9)
	for _, c := range []struct {
		name, raw string
		skip      int
		ok        bool
		want      string
	}{
		{"nothing", `""`, 0, true, ""},
		{"both alphabets", `"` + long + `=="`, 0, true, long + "=="},
		{"escapes", `"` + long + `\/\r\n` + long + `"`, 0, true, long + `\/\r\n` + long},
		{"behind a prefix", `"data:;base64,` + long + `"`, 13, true, long},
		{"a prefix with an escape", `"a:\/\u0041` + long + `"`, 10, true, long},
		{"another escape", `"AA\tAA"`, 0, false, ""},
		{"an escaped quote", `"AA\"AA"`, 0, false, ""},
		{"text", `"` + long + ` ` + long + `"`, 0, false, ""},
		{"a string that ends in its prefix", `"data"`, 9, false, ""},
	} {
		for size := range 30 {
			text := split(c.raw, size)
			s := New(text)
			from, ok, err := s.Base64(c.skip)
			if err != nil || ok != c.ok {
				t.Fatalf("%s, in pieces of %d: got %v, %v at byte %d, want %v and no error", c.name, size, ok, err,
					s.Offset(), c.ok)
			}
			if err := s.End(); err != nil {
				t.Fatalf("%s, in pieces of %d: got %v at byte %d, want the end", c.name, size, err, s.Offset())
			}
			if !ok {
				continue
			}
			if got := string(text.Bytes(from, s.Offset()-1)); got != c.want {
				t.Errorf("%s, in pieces of %d: got %q, want %q", c.name, size, got, c.want)
			}
		}
	}
}

func TestNumbers(t *testing.T) {
	for _, c := range []struct {
		name, raw string
		numbers   int64
		others    int
	}{
		{"nothing", `[ ]`, 0, 0},
		{"bytes", `[` + strings.Repeat("255,", 100) + `0]`, 101, 0},
		{"space", "[ 1 ,2, 3,\n4,  5 ]", 5, 0},
		{"all kinds", `[-1,0,1.5,-0,1e3,10,2E-7]`, 7, 0},
		{"others among them", `[1,"2",3,[4],{"a":5},null,6]`, 3, 4},
	} {
		for size := range 20 {
			s := New(split(c.raw, size))
			others := 0
			numbers, err := s.Numbers(func() error { others++; return s.Skip() })
			if err != nil || s.End() != nil {
				t.Fatalf("%s, in pieces of %d: got %v at byte %d, want no error at the end", c.name, size, err,
					s.Offset())
			}
			if numbers != c.numbers || others != c.others {
				t.Errorf("%s, in pieces of %d: got %d numbers and %d others, want %d and %d",
					c.name, size, numbers, others, c.numbers, c.others)
			}
		}
	}
}

func TestObject(t *testing.T) {
	long := strings.Repeat("n", maxName)
	const raw = `{ "a" : 1 , "a":[true], "mod\u0065l":"x", "é":{}, "":null , "%s":"y"}`
	want := []string{`a=1`, `a=[true]`, `model="x"`, `é={}`, `=null`, `="y"`}
	text := fmt.Sprintf(raw, long)
	for size := range 60 {
		s := New(split(text, size))
		var got []string
		err := s.Object(func(name []byte) error {
			start, first := s.Offset(), s.Peek()
			if depth := s.Depth; depth != 1 {
				t.Errorf("got depth %d, want 1", depth)
			}
			if err := s.Skip(); err != nil {
				return err
			}
			value := string(s.Since(start))
			if value[0] != first {
				t.Errorf("got %q from Peek, want the first byte of %q", first, value)
			}
			got = append(got, string(name)+"="+value)
			return nil
		})
		if err != nil || s.End() != nil {
			t.Fatalf("in pieces of %d: got %v at byte %d, want no error at the end", size, err, s.Offset())
		}
		if s.Depth != 0 {
			t.Fatalf("in pieces of %d: got depth %d at the end, want 0", size, s.Depth)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("in pieces of %d: got %q, want %q", size, got, want)
		}
	}
}

func TestDepth(t *testing.T) {
	for _, c := range []struct {
		depth int
		want  bool
	}{{MaxDepth, true}, {MaxDepth + 1, false}} {
		for _, text := range []string{
			strings.Repeat("[", c.depth) + strings.Repeat("]", c.depth),
			strings.Repeat("[", c.depth-1) + "1,2" + strings.Repeat("]", c.depth-1),
			strings.Repeat(`{"a":`, c.depth-1) + `"b"` + strings.Repeat("}", c.depth-1),
		} {
			s := New(split(text, 100))
			err := s.Skip()
			_, tooDeep := errors.AsType[*FieldError](err)
			if (err == nil) != c.want || tooDeep == c.want {
				t.Errorf("depth %d of %.10s: got %v, want accepted: %v", c.depth, text, err, c.want)
			}
		}
	}
}

func TestPieces(t *testing.T) {
	const text = "0123456789"
	for size := 1; size <= len(text); size++ {
		p := split(text, size)
		if got := p.Len(); got != int64(len(text)) {
			t.Errorf("in pieces of %d: got length %d, want %d", size, got, len(text))
		}
		for from := range len(text) + 1 {
			for to := from; to <= len(text); to++ {
				if got := string(p.Bytes(int64(from), int64(to))); got != text[from:to] {
					t.Errorf("in pieces of %d, from %d to %d: got %q, want %q", size, from, to, got, text[from:to])
				}
			}
		}
	}
}

// FuzzSkip compares Skip with encoding/json: both take the same texts for JSON, in whatever pieces they lie, and both
// find the same length of a string.
func FuzzSkip(f *testing.F) {
	for _, seed := range []string{
		`{"a":[1,-0,0.5,1e3,true,false,null,"\u00e9\n"],"b":{}}`, `[1, 2,03]`, `"` + strings.Repeat("é漢😀", 9) + `"`,
		`[1,]`, `[1,03,4]`, `[1, 0,10,-2,3 ,4]`,
		`{"a":1,}`, `{"a" 1}`, "\"\x1f\"", `"\x"`, `"\u12g4"`, `nul`, `-`, `1.`, `1e`, `[[[[]]]]`, `tru`, ` {} x`,
		"\"\xff\"",
	} {
		f.Add(seed, uint8(0))
		f.Add(seed, uint8(3))
	}
	f.Fuzz(func(t *testing.T, text string, size uint8) {
		read := func(size int) error {
			s := New(split(text, size))
			s.Space()
			if err := s.Skip(); err != nil {
				return err
			}
			return s.End()
		}
		whole, inPieces := read(0), read(int(size))
		if fmt.Sprint(whole) != fmt.Sprint(inPieces) {
			t.Errorf("got %v in pieces of %d, want %v", inPieces, size, whole)
		}
		if _, tooDeep := errors.AsType[*FieldError](whole); tooDeep {
			return
		}
		if valid := json.Valid([]byte(text)); valid != (whole == nil) {
			t.Fatalf("got %v, want valid: %v", whole, valid)
		}
		var want string
		if whole != nil || json.Unmarshal([]byte(text), &want) != nil || !strings.HasPrefix(text, `"`) ||
			!utf8.ValidString(text) {
			return
		}
		s := New(split(text, int(size)))
		got, err := s.Text()
		if err != nil {
			t.Fatal(err)
		}
		if units := int64(len(utf16.Encode([]rune(want)))); got != units {
			t.Errorf("got %d units, want %d", got, units)
		}
	})
}
