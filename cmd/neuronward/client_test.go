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

// The examples in the help and in the README are files that are valid, but for the hash that they cut short.
func TestTheExamplesAreValidEntries(t *testing.T) {
	_, help, _ := strings.Cut(clientHelp, "All keys of an entry:\n")
	help, _, inHelp := strings.Cut(help, "\nA client sends")
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, example, _ := strings.Cut(string(readme), "```yaml\n")
	example, _, inReadme := strings.Cut(example, "```")
	if !inHelp || !inReadme {
		t.Fatalf("an example in the help: %t, in the README: %t", inHelp, inReadme)
	}
	for _, text := range []string{help, example} {
		set, err := clients.Parse("f", []byte(strings.Replace(text, "5e88…", strings.Repeat("5e88", 16), 1)))
		if err != nil {
			t.Fatal(err)
		}
		c := set.Clients()[0]
		if c.Name != "search-team" || c.RequestsPerMinute != 60 || c.DailyNeurons != 2000*quota.OneNeuron || c.Priority != quota.Normal || !c.Allows("@cf/meta/x") || c.Allows("@cf/baai/x") {
			t.Errorf("%+v of\n%s", c, text)
		}
	}
}
