package config

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"net/url"
	"strconv"
	"strings"
	"testing"
)

// A fake token with characters that each encoding writes differently.
const oddToken = `fake+token/with "odd" <chars>&\32`

func TestRedactorFindsEveryForm(t *testing.T) {
	quoted, err := json.Marshal(oddToken)
	if err != nil {
		t.Fatal(err)
	}
	var inHTML strings.Builder
	if err := template.Must(template.New("").Parse("{{.}}")).Execute(&inHTML, oddToken); err != nil {
		t.Fatal(err)
	}
	encoded := map[string]string{
		"as it is":       oddToken,
		"URL query":      url.QueryEscape(oddToken),
		"URL path":       url.PathEscape(oddToken),
		"JSON":           string(quoted),
		"HTML":           inHTML.String(),
		"Go":             strconv.Quote(oddToken),
		"base64":         base64.StdEncoding.EncodeToString([]byte(oddToken)),
		"base64, URL":    base64.URLEncoding.EncodeToString([]byte(oddToken)),
		"base64 of more": base64.StdEncoding.EncodeToString([]byte("user:" + oddToken + " and more")),
		"base64, 1 off":  base64.RawURLEncoding.EncodeToString([]byte("a" + oddToken + "z")),
		"base64, 2 off":  base64.RawStdEncoding.EncodeToString([]byte("ab" + oddToken)),
	}
	for name, text := range encoded {
		t.Run(name, func(t *testing.T) {
			red := new(Redactor)
			red.Add(oddToken)
			got := written(t, red, "before "+text+" after\n")
			if !strings.Contains(got, RedactedMark) {
				t.Errorf("wrote %q, want %s in it", got, RedactedMark)
			}
			if !strings.HasPrefix(got, "before ") || !strings.HasSuffix(got, " after\n") {
				t.Errorf("wrote %q, want the text before and after the secret unchanged", got)
			}
			// The characters at both ends may remain that depend on the text around the secret.
			const maxRest = 8
			rest := strings.TrimSuffix(strings.TrimPrefix(strings.Replace(got, RedactedMark, "", 1), "before "),
				" after\n")
			if around := len("user: and more") * 4 / 3; len(rest) > around+maxRest {
				t.Errorf("got %q left of %q, want %d characters at most", rest, text, around+maxRest)
			}
		})
	}
}

// Every way to split a line into three writes must give what one write gives.
func TestRedactingWriterSplits(t *testing.T) {
	const secret, line = "tok-0123456789", "tok-0123 a tok-0123456789 b tok-tok-0123456789"
	red := new(Redactor)
	red.Add(secret)
	want := "tok-0123 a [redacted] b tok-[redacted]"
	for i := range len(line) + 1 {
		for j := i; j <= len(line); j++ {
			if got := written(t, red, line[:i], line[i:j], line[j:]); got != want {
				t.Fatalf("split at %d and %d: wrote %q, want %q", i, j, got, want)
			}
		}
	}
}

func TestRedactingWriterHoldsBackNoWholeLine(t *testing.T) {
	red := new(Redactor)
	red.Add("tok-0123456789")
	var out bytes.Buffer
	w := red.Writer(&out)
	for _, line := range []string{"ends like the secret tok-01\n", "t\n", "\n"} {
		out.Reset()
		if n, err := w.Write([]byte(line)); n != len(line) || err != nil {
			t.Fatalf("Write(%q) = %d, %v, want %d and no error", line, n, err, len(line))
		}
		if out.String() != line {
			t.Errorf("wrote %q, want the whole line %q", out.String(), line)
		}
	}
}

func TestRedactorKeepsOldSecrets(t *testing.T) {
	red := new(Redactor)
	red.Add("first-secret-value")
	red.Add("")
	red.Add("second-secret-value")
	if got, want := written(t, red, "first-secret-value second-secret-value"), "[redacted] [redacted]"; got != want {
		t.Errorf("wrote %q, want %q", got, want)
	}
}

// written returns what a redacting writer makes of the parts.
func written(t *testing.T, red *Redactor, parts ...string) string {
	t.Helper()
	var out bytes.Buffer
	w := red.Writer(&out)
	for _, p := range parts {
		if n, err := w.Write([]byte(p)); n != len(p) || err != nil {
			t.Fatalf("Write(%q) = %d, %v, want %d and no error", p, n, err, len(p))
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// The password of an address with several hosts, which is no URL, is known as well.
func TestRedactEnvironment(t *testing.T) {
	for address, password := range map[string]string{
		"redis://u:hidden-word@h":                         "hidden-word",
		"redis+sentinel://u:hidden%40word@h:1,i:2/m?db=1": "hidden@word",
		"rediss+cluster://:hidden-word@[::1]:1,i:2":       "hidden-word",
		"redis://u:hidden%word@h":                         "hidden%word",
		"redis://u:hidden@word@h":                         "hidden@word",
	} {
		red := new(Redactor)
		RedactEnvironment(map[string]string{"NEURONWARD_STORE": address}, red)
		var out bytes.Buffer
		fmt.Fprintln(red.Writer(&out), "it is "+password+".")
		if strings.Contains(out.String(), password) {
			t.Errorf("%s: got %q, want it without the password", address, out.String())
		}
	}
}
