package clients

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/neuronward/neuronward/quota"
)

// hashOf returns the hash of a key for the file.
func hashOf(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:])
}

// withHashes replaces {a}, {b}, … by the hashes of fake-key-a, fake-key-b, …
func withHashes(text string) string {
	return regexp.MustCompile(`\{[a-z]\}`).ReplaceAllStringFunc(text,
		func(m string) string { return hashOf("fake-key-" + m[1:2]) })
}

func parse(t testing.TB, text string) *Set {
	t.Helper()
	s, err := Parse("clients.yaml", []byte(withHashes(text)))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestEveryKeyOfAnEntryIsRead(t *testing.T) {
	s := parse(t, `
# who may call
clients:
  - name: search-team
    key_sha256: {a}
    daily_neurons: 2000.5
    monthly_neurons: 30000
    requests_per_minute: 60
    priority: low
    finetunes: true
    models: &chat ["@cf/meta/*", "@cf/baai/*"]
  - {name: 123, key_sha256: "{b}", priority: normal, models: *chat}
  - name: plain
    key_sha256: `+strings.ToUpper(hashOf("fake-key-c"))+`
`)
	type view struct {
		name      string
		neurons   quota.Neurons
		month     quota.Neurons
		requests  int
		priority  quota.Priority
		finetunes bool
		models    string
	}
	want := []view{
		{"search-team", 2_000_500_000, 30_000_000_000, 60, quota.Low, true, "[@cf/meta/* @cf/baai/*]"},
		{"123", 0, 0, 0, quota.Normal, false, "[@cf/meta/* @cf/baai/*]"},
		{"plain", 0, 0, 0, quota.High, false, "[]"},
	}
	for i, c := range s.Clients() {
		got := view{
			c.Name, c.DailyNeurons, c.MonthlyNeurons, c.RequestsPerMinute, c.Priority, c.Finetunes,
			fmt.Sprint(c.models),
		}
		if got != want[i] {
			t.Errorf("client %d: got %+v, want %+v", i+1, got, want[i])
		}
	}
	if len(s.Clients()) != len(want) {
		t.Errorf("got %d clients, want %d", len(s.Clients()), len(want))
	}
	for key, want := range map[string]string{"fake-key-a": "search-team", "fake-key-b": "123", "fake-key-c": "plain"} {
		if c := s.Lookup(key); c == nil || c.Name != want {
			t.Errorf("%s: got %+v, want %s", key, c, want)
		}
	}
}

// A hash that looks like a number is one to YAML: 5e88 and so on.
func TestAHashMayLookLikeANumber(t *testing.T) {
	for _, hash := range []string{
		strings.Repeat("1", 64), "5e8" + strings.Repeat("0", 61),
		"0" + strings.Repeat("7", 63),
	} {
		s := parse(t, "clients:\n  - name: a\n    key_sha256: "+hash+"\n")
		for _, entries := range s.byKey {
			if got := hex.EncodeToString(entries[0].digest[:]); got != hash {
				t.Errorf("got %s, want %s", got, hash)
			}
		}
	}
}

// An empty list is valid: otherwise the key of the last client could not be revoked.
func TestAnEmptyListIsValid(t *testing.T) {
	s := parse(t, "clients: []\n")
	if all := s.Clients(); len(all) != 0 {
		t.Errorf("got %v, want no client", all)
	}
	if c := s.Lookup("fake-key-a"); c != nil {
		t.Errorf("got %+v for a key, want no client", c)
	}
}

func TestMistakes(t *testing.T) {
	const good = "clients:\n  - name: a\n    key_sha256: {a}\n    "
	cases := []struct{ name, text, want string }{
		{"empty file", "", `^clients.yaml is empty; write clients:`},
		{"only a comment", "# nobody yet\n", `^clients.yaml is empty; write clients:`},
		{"only the start of a document", "---\n", `^clients.yaml holds no list of clients; write clients:`},
		{"half written", "clients:\n", `^clients.yaml:1: clients: is not a list; .*clients: \[\] for none$`},
		{"a word", "hello\n", `^clients.yaml holds no list of clients`},
		{"a list at the top", "- name: a\n  key_sha256: {a}\n", `^clients.yaml:1: is a list; write clients: above it$`},
		{
			"another key at the top", "client: []\n",
			`(?s)^clients.yaml holds no list .*\nclients.yaml:1: there is no key "client" at the top; the one key ` +
				`there is clients$`,
		},
		{
			"clients twice", "clients: []\nclients: []\n",
			`^clients.yaml:2: clients stands in line 1 already; make one list of them$`,
		},
		{
			"clients is a mapping", "clients:\n  a: {b: c}\n",
			`^clients.yaml:2: clients: is not a list; begin each entry with a dash`,
		},
		{
			"two documents", "clients: []\n---\nclients: []\n",
			`^clients.yaml:\d: begins a second document; remove the line --- and keep one list$`,
		},
		{
			"not YAML", "clients:\n\t- name: a\n",
			`^clients.yaml:2: is not YAML: found character that cannot start any token; indent with spaces, and quote`,
		},
		{
			"a model without quotes", good + "models: [@cf/meta/*]\n",
			`^clients.yaml:4: is not YAML: found character that cannot start any token; .*quote what begins with ` +
				`a sign`,
		},
		{
			"a key for an alias", "clients: *nwk_hidden\n",
			`^clients.yaml(:1:)? is not YAML: a key stands where none belongs; `,
		},
		{"broken after the document", "clients: []\n...\n\"\n", `is not YAML`},

		{
			"an entry is a word", "clients: [search-team]\n",
			`^clients.yaml:1: is no entry of a client; write - name: and below it key_sha256:$`,
		},
		{"an entry is nothing", "clients:\n  -\n", `^clients.yaml:2: is no entry of a client`},
		{
			"no name", "clients:\n  - key_sha256: {a}\n",
			`^clients.yaml:2: the entry has no name; add it, or make an entry with neuronward client new$`,
		},
		{"no hash", "clients:\n  - name: a\n", `^clients.yaml:2: the entry has no key_sha256; add it`},
		{
			"unknown key", good + "priorty: high\n",
			`^clients.yaml:4: there is no key "priorty"; an entry has name, key_sha256, daily_neurons, ` +
				`monthly_neurons, requests_per_minute, priority, finetunes, models, gateway_headers$`,
		},
		{
			"merge key", "clients:\n  - &x {name: a, key_sha256: {a}}\n  - {<<: *x, name: b, key_sha256: {b}}\n",
			`^clients.yaml:3: there is no key "<<"; an entry has`,
		},
		{
			"the key itself under a key of its own", good + "key: nwk_hidden\n",
			`^clients.yaml:4: there is no key "key"; keys themselves are not kept here: write key_sha256`,
		},
		{"a mapping as a key", good + "{a: b}: c\n", `^clients.yaml:4: there is no such key; an entry has`},
		{"a key twice", good + "name: b\n", `^clients.yaml:4: name stands in line 2 already; keep one of them$`},

		{"no value", good + "priority:\n", `^clients.yaml:4: priority: is empty; write a value, or remove the line$`},
		{"a list for a value", good + "priority: [high]\n", `^clients.yaml:4: priority: is not a single value`},
		{
			"a tag", good + "priority: !secret high\n",
			`^clients.yaml:4: priority: has the tag "!secret", which nothing here reads; write the value alone$`,
		},
		{
			"binary", "clients:\n  - name: !!binary YQ==\n    key_sha256: {a}\n",
			`^clients.yaml:2: name: has the tag "!!binary"`,
		},

		{
			"a name twice", good + "\n  - name: a\n    key_sha256: {b}\n",
			`^clients.yaml:5: name: "a" is the name of the client in line 2 already; give each its own$`,
		},
		{
			"a name with capitals", "clients:\n  - name: Search Team\n    key_sha256: {a}\n",
			`^clients.yaml:2: name: "Search Team" is not a client's name; write 1 to 63 lower-case letters`,
		},
		{
			"a reserved name", "clients:\n  - name: other\n    key_sha256: {a}\n",
			`^clients.yaml:2: name: "other" has a meaning of its own in metrics; choose another name$`,
		},
		{
			"an empty name", "clients:\n  - name: ''\n    key_sha256: {a}\n",
			`^clients.yaml:2: name: is empty; write 1 to 63`,
		},
		{
			"a key for a name", "clients:\n  - name: nwk_hidden\n    key_sha256: {a}\n",
			`^clients.yaml:2: name: \(a key\) begins as a key does; choose another name$`,
		},

		{
			"one key for two", good + "\n  - name: b\n    key_sha256: {a}\n",
			`^clients.yaml:6: key_sha256: is the key in line 3 already; give each client its own$`,
		},
		{
			"one key for two, in capitals",
			good + "\n  - name: b\n    key_sha256: " + strings.ToUpper(hashOf("fake-key-a")) + "\n",
			`^clients.yaml:6: key_sha256: is the key in line 3 already`,
		},
		{
			"the key for its hash", "clients:\n  - name: a\n    key_sha256: nwk_hidden\n",
			`^clients.yaml:3: key_sha256: is a key itself, not its hash; make a new key, since this one has been ` +
				`in a file, and write the 64`,
		},
		{
			"another's key for its hash", "clients:\n  - name: a\n    key_sha256: sk-hidden\n",
			`^clients.yaml:3: key_sha256: has 9 characters; write the 64 hexadecimal digits that neuronward client ` +
				`new prints$`,
		},
		{
			"no hexadecimal", "clients:\n  - name: a\n    key_sha256: " + strings.Repeat("hidden-1", 8) + "\n",
			`^clients.yaml:3: key_sha256: is not hexadecimal; write`,
		},
		{
			"the hash of nothing", "clients:\n  - name: a\n    key_sha256: " + hashOf("") + "\n",
			`^clients.yaml:3: key_sha256: is the hash of nothing; write`,
		},

		{
			"a budget below 0", good + "daily_neurons: -5\n",
			`^clients.yaml:4: daily_neurons: "-5" is not a number of neurons above 0; write one such as 2000, or ` +
				`remove the line`,
		},
		{
			"a budget of 0", good + "daily_neurons: 0\n",
			`^clients.yaml:4: daily_neurons: 0 would allow nothing; remove the line for no budget`,
		},
		{
			"a budget that is no number", good + "daily_neurons: .nan\n",
			`^clients.yaml:4: daily_neurons: ".nan" is not a number`,
		},
		{"a budget of NaN", good + "daily_neurons: NaN\n", `"NaN" is not a number`},
		{"a budget without end", good + "daily_neurons: inf\n", `"inf" is not a number`},
		{"a budget that no account has", good + "daily_neurons: 1e10\n", `"1e10" is not a number`},
		{
			"a budget of the month below 0", good + "monthly_neurons: -5\n",
			`^clients.yaml:4: monthly_neurons: "-5" is not a number of neurons above 0; write one such as 40000, or ` +
				`remove the line`,
		},
		{
			"a budget of the month of 0", good + "monthly_neurons: 0\n",
			`^clients.yaml:4: monthly_neurons: 0 would allow nothing; remove the line for no budget`,
		},
		{"a budget of the month without end", good + "monthly_neurons: inf\n", `"inf" is not a number`},
		{
			"requests below 0", good + "requests_per_minute: -1\n",
			`^clients.yaml:4: requests_per_minute: "-1" is not a whole number from 1 to 1000000; write one such as 60`,
		},
		{
			"no requests", good + "requests_per_minute: 0\n",
			`^clients.yaml:4: requests_per_minute: 0 would allow nothing`,
		},
		{"half a request", good + "requests_per_minute: 0.5\n", `"0.5" is not a whole number`},
		{"too many requests", good + "requests_per_minute: 1000001\n", `"1000001" is not a whole number`},
		{
			"no priority", good + "priority: urgent\n",
			`^clients.yaml:4: priority: "urgent" is no priority; write high, normal or low$`,
		},
		{"a priority in capitals", good + "priority: High\n", `"High" is no priority`},
		{
			"neither true nor false", good + "finetunes: yes\n",
			`^clients.yaml:4: finetunes: "yes" is neither true nor false; write one of them$`,
		},

		{
			"models of nothing", good + "models: []\n",
			`^clients.yaml:4: models: is empty; write a list such as \["@cf/meta/\*"\], or remove the line for ` +
				`every model$`,
		},
		{"one model without a list", good + "models: '@cf/meta/*'\n", `^clients.yaml:4: models: is not a list`},
		{
			"a bad glob, in its own line", good + "models:\n      - '@cf/meta/*'\n      - '@cf/meta/llama-[23]'\n",
			`^clients.yaml:6: models: "@cf/meta/llama-\[23\]" holds a character that no model has in its name; ` +
				`write a model such as .*, or a part of it and \*`,
		},
		{"a question mark", good + "models: ['@cf/m?ta/x']\n", `holds a character that no model has`},
		{"a space", good + "models: ['@cf/meta/* ']\n", `holds a character that no model has`},
		{
			"a slash at the end", good + "models: ['@cf/meta/']\n",
			`^clients.yaml:4: models: "@cf/meta/" ends in a slash; write "@cf/meta/\*" for all models below it$`,
		},
		{"two slashes", good + "models: ['@cf//x']\n", `has an empty or dotted part`},
		{"dots", good + "models: ['@cf/../x']\n", `has an empty or dotted part`},
		{"a slash in front", good + "models: ['/run/x']\n", `has an empty or dotted part`},
		{"an empty model", good + "models: ['']\n", `^clients.yaml:4: models: "" is empty; write a model`},
		{"no model", good + "models: [~]\n", `^clients.yaml:4: models: is empty`},
		{
			"a model twice", good + "models: ['@cf/*', '@cf/*']\n",
			`^clients.yaml:4: models: "@cf/\*" stands in the list already; keep one of them$`,
		},
		{"a very long model", good + "models: ['" + strings.Repeat("x", 257) + "']\n", `is too long; write a model`},
		{
			"very many models", good + "models: [" + strings.Repeat("x,", 201) + "]\n",
			`^clients.yaml:4: models: has 201 entries; write at most 200`,
		},
		{"a list of lists", good + "models: [['@cf/*']]\n", `^clients.yaml:4: models: is not a single value`},
		{
			"an alias of a mistake, each in its line",
			good + "priority: &p no\n  - name: b\n    key_sha256: {b}\n    priority: *p\n",
			`(?s)^clients.yaml:4: priority: "no" is no priority.*\nclients.yaml:7: priority: "no" is no priority`,
		},
		{"an alias of itself", good + "models: &m [*m]\n", `^clients.yaml:4: models: is not a single value`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s, err := Parse("clients.yaml", []byte(withHashes(c.text)))
			var mistakes Mistakes
			if !errors.As(err, &mistakes) || s != nil {
				t.Fatalf("got set %v and error %v, want Mistakes alone", s, err)
			}
			if !regexp.MustCompile(c.want).MatchString(err.Error()) {
				t.Errorf("got\n%v\nwant %s", err, c.want)
			}
			if strings.Contains(err.Error(), "hidden") {
				t.Errorf("got a key in\n%v\nwant none shown", err)
			}
			if got, want := len(mistakes), 1+strings.Count(c.want, `\n`); got != want {
				t.Errorf("got %d mistakes, want %d:\n%v", got, want, err)
			}
			for _, m := range mistakes {
				if strings.Contains(m.Error(), "\n") || !strings.Contains(m.Problem, "; ") {
					t.Errorf("got %q, want what is wrong, a semicolon and what to do, in one line", m)
				}
			}
		})
	}
}

func TestAllMistakesAreReportedByLine(t *testing.T) {
	_, err := Parse("/etc/clients.yaml", []byte(withHashes(`clients:
  - name: A
    key_sha256: 12
    priority: no
  - name: b
    key_sha256: {a}
    models: ["?", "@cf/"]
    what: 1
  - name: c
    key_sha256: {a}
    daily_neurons: -1
defaults: {}
`)))
	var got []string
	for line := range strings.SplitSeq(err.Error(), "\n") {
		got = append(got, strings.Join(strings.SplitN(line, " ", 3)[:2], " "))
	}
	want := []string{
		"/etc/clients.yaml:2: name:", "/etc/clients.yaml:3: key_sha256:", "/etc/clients.yaml:4: priority:",
		"/etc/clients.yaml:7: models:", "/etc/clients.yaml:7: models:", "/etc/clients.yaml:8: there",
		"/etc/clients.yaml:10: key_sha256:", "/etc/clients.yaml:11: daily_neurons:", "/etc/clients.yaml:12: there",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%v\nwant\n%s", err, strings.Join(want, "\n"))
	}
}

func TestManyMistakesAreCutInALogLine(t *testing.T) {
	_, err := Parse("f", []byte("clients: ["+strings.Repeat("x,\n", 30)+"]"))
	var mistakes Mistakes
	if !errors.As(err, &mistakes) || len(mistakes) != 30 {
		t.Fatalf("got %d mistakes, want 30: %v", len(mistakes), err)
	}
	lines := strings.Split(mistakes.First(10), "\n")
	if len(lines) != 10+1 || lines[10] != "and 20 more" {
		t.Errorf("got %q, want 10 mistakes and 20 more", lines)
	}
}

// Whatever the text, Parse returns, reports mistakes in lines that exist, shows no key, and returns a Set in which each
// client is found.
func FuzzParse(f *testing.F) {
	f.Add([]byte(withHashes("clients:\n  - name: a\n    key_sha256: {a}\n    models: ['@cf/*']\n    " +
		"daily_neurons: 1\n")))
	f.Add([]byte(withHashes("clients:\n  - &x {name: a, key_sha256: {a}, requests_per_minute: 1, priority: low}\n  " +
		"- *x\n")))
	f.Add([]byte("clients: []\n---\n"))
	f.Add([]byte("clients: &a [*a]\n"))
	f.Add([]byte("a: b: c\n"))
	f.Add([]byte("clients:\n  - {name: nwk_hidden, key_sha256: nwk_hidden, nwk_hidden: 1}\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := Parse("f", text)
		if err != nil {
			var mistakes Mistakes
			if !errors.As(err, &mistakes) || len(mistakes) == 0 {
				t.Fatalf("got error %v, want Mistakes", err)
			}
			if s != nil {
				t.Fatalf("got set %v beside %v, want none", s, err)
			}
			lines := strings.Count(string(text), "\n") + strings.Count(string(text), "\r") +
				strings.Count(string(text), "\u0085") +
				strings.Count(string(text), "\u2028") + strings.Count(string(text), "\u2029") + 2
			for _, m := range mistakes {
				if m.Line < 0 || m.Line > lines {
					t.Errorf("got %+v, want one of %d lines", m, lines)
				}
				if m.Problem == "" {
					t.Errorf("got %+v, want a problem", m)
				}
				if strings.Contains(m.Error(), "nwk_hidden") {
					t.Errorf("got a key in %v, want none shown", m)
				}
			}
			return
		}
		names := make(map[string]bool)
		for _, entries := range s.byKey {
			for _, e := range entries {
				names[e.client.Name] = true
			}
		}
		if len(names) != len(s.Clients()) {
			t.Errorf("got %d names, want one for each of %d clients", len(names), len(s.Clients()))
		}
		for _, c := range s.Clients() {
			if err := CheckName(c.Name); err != nil {
				t.Errorf("got the name %q, want a valid one: %v", c.Name, err)
			}
			if c.DailyNeurons < 0 || c.RequestsPerMinute < 0 {
				t.Errorf("got a limit below 0 in %+v, want none", c)
			}
			if c.Priority > quota.Low {
				t.Errorf("got priority %d, want at most %d", c.Priority, quota.Low)
			}
			if c.models != nil && len(c.models) == 0 {
				t.Errorf("got an empty list of models in %+v, want nil or a list", c)
			}
		}
	})
}
