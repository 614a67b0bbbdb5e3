package measure

import (
	"io"
	"strings"
	"testing"
)

func TestDecode(t *testing.T) {
	for _, c := range []struct {
		name, text string
		list       bool
		want       string
	}{
		{"base64", "aGVsbG8h", false, "hello!"},
		{"padded", "aGVsbG8=", false, "hello"},
		{"padding ends it", "aGVsbG8=aGVsbG8=", false, "hello"},
		{"both alphabets", "-_-_+/+/", false, "\xfb\xff\xbf\xfb\xff\xbf"},
		{"escaped", `\/\/\/\/aGVs\r\nbG8h`, false, "\xff\xff\xffhello!"},
		{"nothing", "", false, ""},
		{"a list", "[104, 101,108,108 ,111]", true, "hello"},
		{"a list of larger numbers", "[360,65536,1.5]", true, "h\x00\x0f"},
		{"an empty list", "[ ]", true, ""},
	} {
		r := base64Reader(strings.NewReader(c.text))
		if c.list {
			r = listReader(strings.NewReader(c.text))
		}
		if got, err := io.ReadAll(r); string(got) != c.want || err != nil {
			t.Errorf("%s: got %q, %v, want %q", c.name, got, err, c.want)
		}
	}
}
