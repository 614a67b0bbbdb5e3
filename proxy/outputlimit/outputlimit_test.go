package outputlimit

import (
	"strconv"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	for text, want := range map[string]Default{
		"256": {Tokens: 256}, "1": {Tokens: 1}, "10000000": {Tokens: 10_000_000}, "fit": {Fit: true},
	} {
		got, err := Parse(text, strconv.Quote)
		if got != want || err != nil {
			t.Errorf("%s: got %+v, error %v, want %+v, none", text, got, err, want)
		}
		if got := want.String(); got != text {
			t.Errorf("%+v: got %q, want %q", want, got, text)
		}
		if !want.IsSet() {
			t.Errorf("%+v: got not set, want set", want)
		}
	}
	for _, text := range []string{"", "0", "-5", "1.5", "1e3", "9 tokens", "Fit", "10000001", "99999999999999999999"} {
		got, err := Parse(text, strconv.Quote)
		if err == nil || got.IsSet() {
			t.Errorf("%q: got %+v, error %v, want none, an error", text, got, err)
			continue
		}
		if got, want := err.Error(), strconv.Quote(text)+" is no number"; !strings.HasPrefix(got, want) {
			t.Errorf("%q: got the error %q, want one that begins with %q", text, got, want)
		}
	}
	if got := (Default{}).String(); got != "" {
		t.Errorf("no default: got %q, want nothing", got)
	}
}

func TestChoose(t *testing.T) {
	const wide = 1 << 40
	for _, c := range []struct {
		name string
		d    Default
		room int64
		left int64 // the largest limit that fits
		want int64
	}{
		{"a number", Default{Tokens: 300}, wide, wide, 300},
		{"a number that does not fit", Default{Tokens: 300}, wide, 0, 300},
		{"a number above the window", Default{Tokens: 5000}, 4000, wide, 4000},
		{"a number in a window that is nearly full", Default{Tokens: 5000}, 20, wide, MinFit},
		{"a small number in such a window", Default{Tokens: 50}, 20, wide, 50},
		{"a number in a window that is too small", Default{Tokens: 5000}, -900, wide, MinFit},
		{"all fits", Default{Fit: true}, wide, wide, MaxFit},
		{"nearly all fits", Default{Fit: true}, wide, MaxFit - 1, MaxFit - 1},
		{"some fits", Default{Fit: true}, wide, 1000, 1000},
		{"little fits", Default{Fit: true}, wide, MinFit + 1, MinFit + 1},
		{"least fits", Default{Fit: true}, wide, MinFit, MinFit},
		{"nothing fits", Default{Fit: true}, wide, 3, MinFit},
		{"the window is less than fits", Default{Fit: true}, 700, 1000, 700},
		{"the window is more than fits", Default{Fit: true}, 1300, 1000, 1000},
		{"the window is full", Default{Fit: true}, -5, 1000, MinFit},
	} {
		got := c.d.Choose(c.room, func(limit int64) bool { return limit <= c.left })
		if got != c.want {
			t.Errorf("%s: got %d, want %d", c.name, got, c.want)
		}
	}
}
