package page

import (
	"html/template"
	"regexp"
	"testing"
	"time"
)

// words is the text of h.
func words(h template.HTML) string {
	return regexp.MustCompile(`<[^>]*>`).ReplaceAllString(string(h), "")
}

func TestFormats(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{rounded(0), "0"},
		{rounded(0.004), "under 0.01"},
		{rounded(0.5), "0.50"},
		{rounded(12), "12"},
		{rounded(99.994), "99.99"},
		{rounded(100.4), "100"},
		{rounded(1234.5), "1,235"},
		{rounded(1e6), "1,000,000"},
		{rounded(-1234), "-1,234"},
		{amount(neurons(1234.5)), "1,235"},
		{about(0), "0"},
		{about(47), "47"},
		{about(1834), "1,800"},
		{about(12_345), "12,000"},
		{about(183), "180"},
		{span(0), "0 s"},
		{span(-time.Second), "0 s"},
		{span(59 * time.Second), "59 s"},
		{span(2*time.Minute + 31*time.Second), "3 min"},
		{span(59*time.Minute + 40*time.Second), "1 h"},
		{span(2*time.Hour + 20*time.Minute), "2 h 20 min"},
		{span(23*time.Hour + 59*time.Minute + 50*time.Second), "24 h"},
		{lasted(0), "–"},
		{lasted(340 * time.Microsecond), "0.3 ms"},
		{lasted(38 * time.Millisecond), "38 ms"},
		{lasted(2410 * time.Millisecond), "2.41 s"},
		{lasted(21 * time.Second), "21.0 s"},
		{lasted(150 * time.Second), "2.5 min"},
		{plural(1, "call", "calls"), "1 call"},
		{plural(2000, "call", "calls"), "2,000 calls"},
		{words(clock(three.In(time.FixedZone("", 3600)))), "15:24 UTC"},
		{words(second(three)), "15:24:07 UTC"},
		{hour(0), "01:00"},
		{hour(23), "24:00"},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
}
