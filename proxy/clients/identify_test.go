package clients

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestIdentify(t *testing.T) {
	s := parse(t, "clients:\n  - {name: a, key_sha256: '{a}'}\n  - {name: b, key_sha256: '{b}'}\n")
	const a, b, stranger = "fake-key-a", "fake-key-b", "fake-key-of-nobody"
	type given map[string][]string
	one := func(name, value string) given { return given{name: {value}} }
	cases := []struct {
		name    string
		headers given
		ours    string // with a token of ours: the client, or the refusal
		theirs  string // without
	}{
		{name: "nothing", headers: nil, ours: "no_key", theirs: "no_key"},
		{name: "Authorization", headers: one("Authorization", "Bearer "+a), ours: "a", theirs: "key_misplaced"},
		{name: "Authorization without Bearer", headers: one("Authorization", a), ours: "a", theirs: "key_misplaced"},
		{
			name:    "Authorization, bearer in small letters and spaces",
			headers: one("Authorization", " bearer \t"+a+" "),
			ours:    "a", theirs: "key_misplaced",
		},
		{name: "x-api-key", headers: one("X-Api-Key", a), ours: "a", theirs: "a"},
		{name: "x-api-key with Bearer", headers: one("X-Api-Key", "Bearer "+a), ours: "a", theirs: "a"},
		{name: "cf-aig-authorization", headers: one("Cf-Aig-Authorization", "Bearer "+a), ours: "a", theirs: "a"},
		{name: "cf-aig-authorization without Bearer", headers: one("Cf-Aig-Authorization", a), ours: "a", theirs: "a"},
		{name: "a header that carries none", headers: one("X-Auth-Key", a), ours: "no_key", theirs: "no_key"},

		{name: "empty", headers: one("X-Api-Key", ""), ours: "no_key", theirs: "no_key"},
		{name: "Bearer alone", headers: one("Authorization", "Bearer "), ours: "no_key", theirs: "no_key"},
		{
			name: "Bearer grown together", headers: one("X-Api-Key", "Bearer"+a), ours: "unknown_key",
			theirs: "unknown_key",
		},
		{name: "another scheme", headers: one("Authorization", "Basic "+a), ours: "unknown_key", theirs: "no_key"},
		{name: "a stranger's key", headers: one("X-Api-Key", stranger), ours: "unknown_key", theirs: "unknown_key"},
		{
			name: "the hash for the key", headers: one("X-Api-Key", hashOf(a)), ours: "unknown_key",
			theirs: "unknown_key",
		},
		{
			name: "a key with more behind it", headers: one("X-Api-Key", a+", "+b), ours: "unknown_key",
			theirs: "unknown_key",
		},

		{
			name:    "the caller's token and a key",
			headers: given{"Authorization": {"Bearer " + stranger}, "X-Api-Key": {a}}, ours: "a", theirs: "a",
		},
		{
			name: "the caller's token alone", headers: one("Authorization", "Bearer "+stranger), ours: "unknown_key",
			theirs: "no_key",
		},
		{
			name: "a stranger's key of our form in Authorization", headers: one("Authorization", "Bearer nwk_removed"),
			ours: "unknown_key", theirs: "key_misplaced",
		},
		{
			name: "the key in two places", headers: given{"Authorization": {"Bearer " + a}, "X-Api-Key": {a}},
			ours:   "a",
			theirs: "key_misplaced",
		},
		{
			name: "the key in all", headers: given{"Authorization": {a}, "X-Api-Key": {a}, "Cf-Aig-Authorization": {a}},
			ours: "a", theirs: "key_misplaced",
		},
		{
			name: "a dummy beside a key", headers: given{"X-Api-Key": {"unused"}, "Cf-Aig-Authorization": {a}},
			ours:   "a",
			theirs: "a",
		},
		{
			name: "a key beside a dummy", headers: given{"X-Api-Key": {a}, "Cf-Aig-Authorization": {"unused"}},
			ours:   "a",
			theirs: "a",
		},
		{
			name: "keys of two clients", headers: given{"X-Api-Key": {a}, "Cf-Aig-Authorization": {b}},
			ours: "keys_differ", theirs: "keys_differ",
		},
		{
			name: "keys of two clients, one in Authorization", headers: given{"X-Api-Key": {a}, "Authorization": {b}},
			ours: "keys_differ", theirs: "key_misplaced",
		},
		{name: "one header twice", headers: given{"X-Api-Key": {a, a}}, ours: "key_repeated", theirs: "key_repeated"},
		{
			name:    "one header twice beside a key",
			headers: given{"X-Api-Key": {a}, "Cf-Aig-Authorization": {stranger, stranger}}, ours: "key_repeated",
			theirs: "key_repeated",
		},
		{
			name: "Authorization twice", headers: given{"X-Api-Key": {a}, "Authorization": {stranger, stranger}},
			ours: "key_repeated", theirs: "key_repeated",
		},
	}
	for _, c := range cases {
		for ownToken, want := range map[bool]string{true: c.ours, false: c.theirs} {
			client, refusal := s.Identify(http.Header(c.headers), ownToken, time.Now())
			got := refusal.String()
			if (client != nil) != (refusal == Accepted) {
				t.Errorf("%s: got client %+v and refusal %v, want one of them", c.name, client, refusal)
			} else if client != nil {
				got = client.Name
			}
			if got != want {
				t.Errorf("%s, token of ours %v: got %s, want %s", c.name, ownToken, got, want)
			}
		}
	}
}

func TestKeysAreRemoved(t *testing.T) {
	for ownToken, want := range map[bool]http.Header{
		true:  {"Accept": {"*/*"}},
		false: {"Accept": {"*/*"}, "Authorization": {"x"}},
	} {
		h := http.Header{
			"Authorization": {"x"}, "X-Api-Key": {"x"}, "Cf-Aig-Authorization": {"x", "y"}, "Accept": {"*/*"},
		}
		RemoveKeys(h, ownToken)
		if !maps.EqualFunc(h, want, slices.Equal) {
			t.Errorf("token of ours %v: got %v, want %v", ownToken, h, want)
		}
	}
}

func TestMessagesOfRefusals(t *testing.T) {
	seen := make(map[string]bool)
	for r := NoKey; r <= KeyMisplaced; r++ {
		for _, ownToken := range []bool{true, false} {
			m := r.Message(ownToken)
			if !strings.HasSuffix(m, ".") {
				t.Errorf("%v: got %q, want a sentence", r, m)
			}
			if ownToken && strings.Contains(m, "; Authorization is for your own") {
				t.Errorf("%v: got %q, want nothing of the caller's own token", r, m)
			}
			seen[m] = true
		}
	}
	for _, c := range []struct {
		ownToken bool
		want     string
	}{
		{false, "as x-api-key or cf-aig-authorization"},
		{false, "Authorization is for your own"},
		{true, "as Authorization: Bearer, x-api-key or cf-aig-authorization"},
	} {
		if m := NoKey.Message(c.ownToken); !strings.Contains(m, c.want) {
			t.Errorf("token of ours %v: got %q, want %q in it", c.ownToken, m, c.want)
		}
	}
	if m := Accepted.Message(true); m != "" {
		t.Errorf("accepted: got %q, want no message", m)
	}
	if n := len(seen); n < int(KeyMisplaced) {
		t.Errorf("got %d different messages, want at least %d", n, KeyMisplaced)
	}
}

func TestIdentifyAllocatesNothing(t *testing.T) {
	s := parse(t, "clients:\n  - {name: a, key_sha256: '{a}'}\n")
	h := http.Header{"Authorization": {"Bearer fake-key-a"}, "X-Api-Key": {"fake-key-of-nobody"}}
	now := time.Now()
	if n := testing.AllocsPerRun(100, func() { s.Identify(h, true, now) }); n != 0 {
		t.Errorf("got %v allocations, want none", n)
	}
}
