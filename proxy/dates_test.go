package proxy

import (
	"testing"
	"time"
)

func TestDates(t *testing.T) {
	t.Parallel()
	var d dates
	at := time.Date(2026, 5, 31, 23, 59, 59, 0, time.UTC)
	for _, c := range []struct {
		text string
		want time.Time // zero: it is no date
	}{
		{"", time.Time{}},
		{"Sun, 31 May 2026 23:59:59 GMT", at},
		{"Sun, 31 May 2026 23:59:59 GMT", at},
		{"Mon, 01 Jun 2026 00:00:00 GMT", at.Add(time.Second)},
		{"tomorrow", time.Time{}},
		{"tomorrow", time.Time{}},
		{"Sun, 31 May 2026 23:59:59 GMT", at},
	} {
		if got, ok := d.parse(c.text); !got.Equal(c.want) || ok == c.want.IsZero() {
			t.Errorf("parse(%q) = %v, %v, want %v", c.text, got, ok, c.want)
		}
	}
}
