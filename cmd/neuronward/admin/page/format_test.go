package page

import (
	"html/template"
	"regexp"
	"testing"
	"time"
)

// textOf is the text of h.
func textOf(h template.HTML) string {
	return regexp.MustCompile(`<[^>]*>`).ReplaceAllString(string(h), "")
}

func TestFormats(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{amount(neurons(1234.5)), "1,235"},
		{lasted(0), "–"},
		{lasted(340 * time.Microsecond), "0.3 ms"},
		{lasted(38 * time.Millisecond), "38 ms"},
		{lasted(2410 * time.Millisecond), "2.41 s"},
		{lasted(21 * time.Second), "21.0 s"},
		{lasted(150 * time.Second), "2.5 min"},
		{textOf(clock(three.In(time.FixedZone("", 3600)))), "15:24 UTC"},
		{textOf(second(three)), "15:24:07 UTC"},
		{hour(0), "01:00"},
		{hour(23), "24:00"},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
}
