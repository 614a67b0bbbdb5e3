package clients

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// While one key replaces the other both are the client's, until the old one expires.
func TestRotation(t *testing.T) {
	const file = `clients:
  - name: a
    key_sha256:
      - '{o}'
      - {sha256: '{n}', expires: 2026-12-31T00:00:00Z}
      - {sha256: '{l}'}
  - name: b
    key_sha256: {sha256: '{b}', expires: 2026-11-30T12:00:00+01:00}
`
	at := func(text string) time.Time {
		now, err := time.Parse(time.RFC3339, text)
		if err != nil {
			t.Fatal(err)
		}
		return now
	}
	s := parse(t, file)
	if all := s.Clients(); len(all) != 2 {
		t.Fatalf("got %d clients, want 2", len(all))
	}
	for _, c := range []struct{ key, now, want string }{
		{"o", "2026-12-30T00:00:00Z", "a"},
		{"n", "2026-12-30T23:59:59Z", "a"},
		{"n", "2026-12-31T00:00:00Z", "key_expired"},
		{"l", "2030-01-01T00:00:00Z", "a"},
		{"b", "2026-11-30T10:59:59Z", "b"},
		{"b", "2026-11-30T11:00:00Z", "key_expired"},
		{"z", "2026-11-30T00:00:00Z", "unknown_key"},
	} {
		client, refusal := s.Identify(http.Header{"X-Api-Key": {"fake-key-" + c.key}}, true, at(c.now))
		got := refusal.String()
		if client != nil {
			got = client.Name
		}
		if got != c.want {
			t.Errorf("key %s at %s: got %s, want %s", c.key, c.now, got, c.want)
		}
	}

	// An expired key beside a valid one is no reason to refuse: SDKs fill in more than one header.
	h := http.Header{"X-Api-Key": {"fake-key-n"}, "Authorization": {"Bearer fake-key-o"}}
	if client, refusal := s.Identify(h, true, at("2027-01-01T00:00:00Z")); client == nil || client.Name != "a" {
		t.Errorf("an expired key beside a valid one: got %+v, %v, want client a", client, refusal)
	}

	// When a key was last used is kept when the file is read again.
	again := parse(t, file)
	again.Inherit(s)
	for i, want := range []string{"2027-01-01T00:00:00Z", "2026-12-30T23:59:59Z", "2030-01-01T00:00:00Z"} {
		k := again.Keys()[i]
		if got := k.LastUsed.Format(time.RFC3339); got != want {
			t.Errorf("key %d: got last used %s, want %s", i, got, want)
		}
		if k.Client != "a" || len(k.ID) != 8 {
			t.Errorf("key %d: got client %s, id %q, want a and 8 characters", i, k.Client, k.ID)
		}
	}
	if hashes := again.Hashes("a"); len(hashes) != 3 {
		t.Errorf("got %d hashes of a, want 3", len(hashes))
	}
}

func TestMistakesInKeys(t *testing.T) {
	for text, want := range map[string]string{
		"[]":                              "is an empty list",
		"{sha256: '{a}', expires: soon}":  "is no time",
		"{expires: 2026-12-31T00:00:00Z}": "has no sha256",
		"{sha256: '{a}', until: 2026-12-31T00:00:00Z}": `there is no key "until" here`,
		"['{a}', '{a}']":         "is the key in line",
		"['{a}', {sha256: abc}]": "has 3 characters",
	} {
		_, err := Parse("f", []byte(withHashes("clients:\n  - name: a\n    key_sha256: "+text+"\n")))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q in it", text, err, want)
		}
	}
}
