package main

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"github.com/neuronward/neuronward/proxy/clients"
)

// newClientOf runs client new and returns what it printed.
func newClientOf(t *testing.T, args ...string) string {
	t.Helper()
	var out, errs bytes.Buffer
	if code := run(t.Context(), append([]string{"client", "new"}, args...), nil, strings.NewReader(""), &out, &errs); code != exitDone || errs.Len() > 0 {
		t.Fatalf("exit %d: %s", code, errs.String())
	}
	return out.String()
}

// What is printed can be pasted below clients: as it is, and the key then is the client's.
func TestClientNewPrintsAnEntryThatHoldsItsKey(t *testing.T) {
	out := newClientOf(t, "search-team")
	key := regexp.MustCompile(`(?m)^  (nwk_[a-z2-7]{52})$`).FindStringSubmatch(out)
	_, list, found := strings.Cut(out, ", below clients:\n")
	if key == nil || !found || strings.Count(out, "nwk_") != 1 {
		t.Fatalf("printed:\n%s", out)
	}
	set, err := clients.Parse("clients.yaml", []byte("clients:\n"+list))
	if err != nil {
		t.Fatal(err)
	}
	if c := set.Lookup(key[1]); c == nil || c.Name != "search-team" {
		t.Errorf("the key is that of %+v", c)
	}
	if strings.Contains(newClientOf(t, "search-team"), key[1]) {
		t.Error("the same key twice")
	}
}

func TestClientNewForMachines(t *testing.T) {
	var c newClient
	if err := json.Unmarshal([]byte(newClientOf(t, "search-team", "--json")), &c); err != nil {
		t.Fatal(err)
	}
	set, err := clients.Parse("f", []byte("clients:\n  - {name: "+c.Name+", key_sha256: "+c.SHA256+"}\n"))
	if err != nil {
		t.Fatal(err)
	}
	if found := set.Lookup(c.Key); found == nil || found.Name != "search-team" {
		t.Errorf("the key of %+v is that of %+v", c, found)
	}
}

// The example in the help is a file that is valid, but for the hash that it cuts short.
func TestTheHelpShowsAValidEntry(t *testing.T) {
	_, text, _ := strings.Cut(clientHelp, "All that an entry can say:\n")
	text, _, found := strings.Cut(text, "\nA client sends")
	if !found {
		t.Fatal("the help has no example")
	}
	set, err := clients.Parse("f", []byte(strings.Replace(text, "5e88…", strings.Repeat("5e88", 16), 1)))
	if err != nil {
		t.Fatal(err)
	}
	c := set.Clients()[0]
	if c.Name != "search-team" || c.RequestsPerMinute != 60 || !c.Allows("@cf/meta/x") || c.Allows("@cf/baai/x") {
		t.Errorf("%+v", c)
	}
}
