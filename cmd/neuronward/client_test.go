package main

import (
	"bytes"
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/neuronward/neuronward/proxy/clients"
	"github.com/neuronward/neuronward/quota"
)

// newClientOf runs client new and returns what it printed.
func newClientOf(t *testing.T, args ...string) string {
	t.Helper()
	var out, errs bytes.Buffer
	code := run(t.Context(), append([]string{"client", "new"}, args...), nil, strings.NewReader(""), &out, &errs)
	if code != exitDone || errs.Len() > 0 {
		t.Fatalf("got exit %d and stderr %q, want %d and none", code, errs.String(), exitDone)
	}
	return out.String()
}

// What is printed can be pasted below clients: as it is, and the key then is the client's.
func TestClientNewPrintsAnEntryThatHoldsItsKey(t *testing.T) {
	out := newClientOf(t, "search-team")
	key := regexp.MustCompile(`(?m)^  (nwk_[a-z2-7]{52})$`).FindStringSubmatch(out)
	_, list, found := strings.Cut(out, ", below clients:\n")
	if key == nil || !found {
		t.Fatalf("got\n%s\nwant a key and its entry", out)
	}
	equal(t, "keys printed", strings.Count(out, "nwk_"), 1)
	set, err := clients.Parse("clients.yaml", []byte("clients:\n"+list))
	if err != nil {
		t.Fatal(err)
	}
	if c := set.Lookup(key[1]); c == nil || c.Name != "search-team" {
		t.Errorf("got the client %+v for the key, want search-team", c)
	}
	if strings.Contains(newClientOf(t, "search-team"), key[1]) {
		t.Error("got the same key again, want another one")
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
		t.Errorf("got the client %+v for the key of %+v, want search-team", found, c)
	}
}

// The examples in the help and in the documents are files that are valid, but for the hash that they cut short.
func TestTheExamplesAreValidEntries(t *testing.T) {
	_, help, _ := strings.Cut(clientHelp(), "An entry can have these fields:\n")
	help, _, inHelp := strings.Cut(help, "\nA client sends")
	readme, err := os.ReadFile("../../proxy/clients/README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, example, _ := strings.Cut(string(readme), "```yaml\n")
	example, _, inReadme := strings.Cut(example, "```")
	if !inHelp || !inReadme {
		t.Fatalf("got an example in the help: %t, in the README: %t; want both", inHelp, inReadme)
	}
	front, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, short, _ := strings.Cut(string(front), "```yaml\n")
	short, _, _ = strings.Cut(short, "```")
	for _, text := range []string{help, example, short} {
		set, err := clients.Parse("f", []byte(strings.Replace(text, "5e88…", strings.Repeat("5e88", 16), 1)))
		if err != nil {
			t.Fatal(err)
		}
		c := set.Clients()[0]
		equal(t, "name", c.Name, "search-team")
		equal(t, "requests_per_minute", c.RequestsPerMinute, 60)
		equal(t, "daily_neurons", c.DailyNeurons, 2000*quota.OneNeuron)
		equal(t, "priority", c.Priority, quota.Normal)
		equal(t, "allows @cf/meta/x", c.Allows("@cf/meta/x"), true)
		equal(t, "allows @cf/baai/x", c.Allows("@cf/baai/x"), false)
	}
}
