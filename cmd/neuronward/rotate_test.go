package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/neuronward/neuronward/proxy/clients"
)

// What client rotate prints replaces key_sha256 as it is, and then both keys are the client's.
func TestClientRotate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "clients.yaml")
	old := clients.NewKey()
	entry := "clients:\n  - name: search-team\n    key_sha256: " + old.SHA256 + "\n"
	if err := os.WriteFile(path, []byte(entry), 0o600); err != nil {
		t.Fatal(err)
	}
	rotate := func(args ...string) (int, string, string) {
		var out, errs bytes.Buffer
		code := run(t.Context(), append([]string{"client", "rotate"}, args...),
			[]string{"NEURONWARD_CLIENTS_FILE=" + path}, strings.NewReader(""), &out, &errs)
		return code, out.String(), errs.String()
	}
	code, out, errs := rotate("search-team", "--keep", "24h")
	if code != exitDone || errs != "" {
		t.Fatalf("got exit %d and %q, want %d and nothing on stderr", code, errs, exitDone)
	}
	key := regexp.MustCompile(`(?m)^  (nwk_[a-z2-7]{52})$`).FindStringSubmatch(out)
	at := strings.Index(out, "    key_sha256:")
	if key == nil || at < 0 {
		t.Fatalf("got\n%s\nwant a key and key_sha256", out)
	}
	set, err := clients.Parse(path, []byte("clients:\n  - name: search-team\n"+out[at:]))
	if err != nil {
		t.Fatalf("got %v, want no mistake in\n%s", err, out[at:])
	}
	for _, secret := range []string{key[1], old.Secret} {
		if c := set.Lookup(secret); c == nil || c.Name != "search-team" {
			t.Errorf("got the client %+v, want search-team by both keys", c)
		}
	}
	keys := set.Keys()
	if len(keys) != 2 {
		t.Fatalf("got the keys %+v, want two", keys)
	}
	if !keys[0].Expires.IsZero() || keys[1].Expires.IsZero() {
		t.Errorf("got the keys %+v, want a new one that stays and an old one that expires", keys)
	}
	if code, _, errs := rotate("nobody"); code != exitUsage || !strings.Contains(errs, "no client of the name nobody") {
		t.Errorf("an unknown client: got exit %d and %q, want %d and its name", code, errs, exitUsage)
	}
}

// A rotation lets no key live longer than the file said, and writes down none that is invalid already.
func TestClientRotateProlongsNoKey(t *testing.T) {
	path := filepath.Join(t.TempDir(), "clients.yaml")
	lasting, soon, gone := clients.NewKey().SHA256, clients.NewKey().SHA256, clients.NewKey().SHA256
	expiry := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	entry := "clients:\n  - name: search-team\n    key_sha256:\n      - " + lasting + "\n" +
		"      - {sha256: " + soon + ", expires: " + expiry + "}\n" +
		"      - {sha256: " + gone + ", expires: 2020-01-01T00:00:00Z}\n"
	if err := os.WriteFile(path, []byte(entry), 0o600); err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	code := run(t.Context(), []string{"client", "rotate", "search-team", "--keep", "24h"},
		[]string{"NEURONWARD_CLIENTS_FILE=" + path}, strings.NewReader(""), &out, &errs)
	if code != exitDone {
		t.Fatalf("client rotate = exit %d with %q, want %d", code, &errs, exitDone)
	}
	if want := "{sha256: " + soon + ", expires: " + expiry + "}"; !strings.Contains(out.String(), want) {
		t.Errorf("client rotate prints\n%s\nwant %s: it expires before 24h are over", &out, want)
	}
	if strings.Contains(out.String(), gone) {
		t.Errorf("client rotate prints\n%s\nwant it without %s, which has expired", &out, gone)
	}
	if !strings.Contains(out.String(), lasting) {
		t.Errorf("client rotate prints\n%s\nwant %s, which is valid", &out, lasting)
	}
}
