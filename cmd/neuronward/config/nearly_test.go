package config

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const noToken = "CLOUDFLARE_API_TOKEN: is not set, so only calls that bring a token of their own succeed; set it, or " +
	"CLOUDFLARE_API_TOKEN_FILE, unless that is meant"

// Each row works, so that the process starts, but is hardly what was meant.
func TestWarningsOfWhatIsNearlyRight(t *testing.T) {
	t.Parallel()
	file := func(name, text string) string {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	quoted := file("quoted", `"fake-token-in-a-file"`+"\n")
	const (
		token = "CLOUDFLARE_API_TOKEN=" + fakeToken
		set   = " is not read: CLOUDFLARE_API_TOKEN is, and it is set; unset this one if it was for neuronward"
		plain = "NEURONWARD_STORE: sends the password unencrypted to another machine; write rediss:// if the server " +
			"has TLS"
		marks = " is in quotation marks, which are part of the value (env files of Docker keep them); write it " +
			"without them"
		memory = "NEURONWARD_PPROF: whoever reaches 0.0.0.0:3037 can read what is in memory, tokens as well; unset " +
			"it, or listen on loopback (NEURONWARD_ADMIN_LISTEN=127.0.0.1:3037)"
	)
	for name, tt := range map[string]struct {
		set  []string
		want []string
	}{
		"nothing":                {[]string{token}, nil},
		"no token":               {nil, []string{noToken}},
		"a gateway's token only": {[]string{"CF_AIG_TOKEN=" + fakeToken}, nil},
		"the token's other name": {
			[]string{"CF_API_TOKEN=" + fakeToken},
			[]string{noToken, "CF_API_TOKEN: is not read; did you mean CLOUDFLARE_API_TOKEN?"},
		},
		"a shorter name of the token": {
			[]string{"CLOUDFLARE_TOKEN=" + fakeToken},
			[]string{noToken, "CLOUDFLARE_TOKEN: is not read; did you mean CLOUDFLARE_API_TOKEN?"},
		},
		"a file of the token": {
			[]string{"CF_API_TOKEN_FILE=/x"},
			[]string{noToken, "CF_API_TOKEN_FILE: is not read; did you mean CLOUDFLARE_API_TOKEN_FILE?"},
		},
		"a global key": {
			[]string{"CLOUDFLARE_API_KEY=" + fakeToken},
			[]string{
				noToken, "CLOUDFLARE_API_KEY: is not read: it is the name of a global API key; make an API token and " +
					"set CLOUDFLARE_API_TOKEN",
			},
		},
		"other names beside the right ones": {
			[]string{token, "CF_API_TOKEN=" + fakeToken, "CF_ACCOUNT_ID=x", "CLOUDFLARE_API_KEY=" + fakeToken},
			[]string{
				"CF_ACCOUNT_ID: is not read: CLOUDFLARE_ACCOUNT_ID is, and it is set; unset this one if it was for " +
					"neuronward",
				"CF_API_TOKEN:" + set, "CLOUDFLARE_API_KEY:" + set,
			},
		},
		"letters that changed places": {
			[]string{"CLOUDFLARE_API_TOKNE=" + fakeToken},
			[]string{noToken, "CLOUDFLARE_API_TOKNE: is not read; did you mean CLOUDFLARE_API_TOKEN?"},
		},
		"a misspelt prefix": {
			[]string{token, "NEURONWRAD_LISTEN=:1"},
			[]string{"NEURONWRAD_LISTEN: is not read; did you mean NEURONWARD_LISTEN?"},
		},
		"lower case": {
			[]string{token, "neuronward_plan=paid"},
			[]string{"neuronward_plan: is not read; did you mean NEURONWARD_PLAN?"},
		},
		"names of others": {
			[]string{
				token, "CLOUDFLARE_EMAIL=a@example.com", "CLOUDFLARE_ZONE_ID=x", "CF_PAGES=1", "PATH=/bin",
				"CF_API_TOKEN=", "LISTEN=:1", "STORE=x", "NEURON=1",
			},
			nil,
		},
		"a token in quotes": {
			[]string{`CLOUDFLARE_API_TOKEN="` + fakeToken + `"`},
			[]string{"CLOUDFLARE_API_TOKEN:" + marks},
		},
		"a token in other quotes": {
			[]string{"CF_AIG_TOKEN='" + fakeToken + "'"},
			[]string{"CF_AIG_TOKEN:" + marks},
		},
		"a quotation mark at one end": {[]string{`CF_AIG_TOKEN="` + fakeToken}, nil},
		"a file with a token in quotes": {
			[]string{"CLOUDFLARE_API_TOKEN_FILE=" + quoted},
			[]string{
				"CLOUDFLARE_API_TOKEN_FILE: the secret in the file is in quotation marks, which are part of it; " +
					"write it without them",
			},
		},
		"Redis with a password": {
			[]string{token, "NEURONWARD_STORE=redis://:hidden-word@db.example:6379/0"}, []string{plain},
		},
		"a cluster with a password, one of its machines elsewhere": {
			[]string{token, "NEURONWARD_STORE=redis+cluster://u:hidden-word@localhost:1,10.0.0.1:2"}, []string{plain},
		},
		"a password for no server": {
			[]string{token, "NEURONWARD_STORE=memory:", "NEURONWARD_STORE_PASSWORD=hidden-word"}, []string{
				"NEURONWARD_STORE_PASSWORD: is not used: NEURONWARD_STORE names no Redis server",
			},
		},
		"a password apart": {
			[]string{token, "NEURONWARD_STORE=redis://10.0.0.1", "NEURONWARD_STORE_PASSWORD=hidden-word"},
			[]string{plain},
		},
		"TLS to several machines": {
			[]string{token, "NEURONWARD_STORE=rediss+sentinel://u:hidden-word@10.0.0.1:1,10.0.0.2/m"}, nil,
		},
		"Redis with a password, an address": {
			[]string{token, "NEURONWARD_STORE=redis://u:hidden-word@10.0.0.1"}, []string{plain},
		},
		"Redis with a password, IPv6": {
			[]string{token, "NEURONWARD_STORE=redis://:hidden-word@[fd00::1]/0"}, []string{plain},
		},
		"Redis with a password, loopback": {
			[]string{token, "NEURONWARD_STORE=redis://:hidden-word@127.0.0.1/0"}, nil,
		},
		"Redis with a password, IPv6 loopback": {
			[]string{token, "NEURONWARD_STORE=redis://:hidden-word@[::1]:6379/0"}, nil,
		},
		"Redis with a password, localhost": {
			[]string{token, "NEURONWARD_STORE=redis://:hidden-word@localhost/0"}, nil,
		},
		"Redis with a password, TLS": {
			[]string{token, "NEURONWARD_STORE=rediss://:hidden-word@db.example/0"}, nil,
		},
		"Redis without a password": {
			[]string{token, "NEURONWARD_STORE=redis://db.example:6379/0"}, nil,
		},
		"a socket with a password": {
			[]string{token, "NEURONWARD_STORE=unix://:hidden-word@/run/redis.sock"}, nil,
		},
		"pprof for the network": {
			[]string{token, "NEURONWARD_PPROF=true", "NEURONWARD_ADMIN_LISTEN=0.0.0.0:3037"}, []string{memory},
		},
		"pprof on loopback":            {[]string{token, "NEURONWARD_PPROF=true"}, nil},
		"pprof, admin off":             {[]string{token, "NEURONWARD_PPROF=true", "NEURONWARD_ADMIN_LISTEN="}, nil},
		"an admin listener without it": {[]string{token, "NEURONWARD_ADMIN_LISTEN=0.0.0.0:3037"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, err := Load(environ(tt.set...), new(Redactor))
			if err != nil {
				t.Fatalf("Load() = %v, want no mistake", err)
			}
			if !slices.Equal(c.Warnings, tt.want) {
				t.Errorf("warnings are\n%q, want\n%q", c.Warnings, tt.want)
			}
			hides(t, strings.Join(c.Warnings, "\n"))
		})
	}
}

// hides checks that no secret of these tests is in a text.
func hides(t *testing.T, text string) {
	t.Helper()
	for _, hidden := range []string{fakeToken, "hidden-word", "fake-"} {
		if strings.Contains(text, hidden) {
			t.Errorf("got %q, want no %q in it", text, hidden)
		}
	}
}

func TestMistakesOfWhatIsNearlyRight(t *testing.T) {
	t.Parallel()
	const marks = ": is in quotation marks, which are part of the value (env files of Docker keep them); write it " +
		"without them"
	for name, tt := range map[string]struct {
		set  []string
		want string
	}{
		"the account's other name": {
			[]string{"CLOUDFLARE_ACCOUNT_ID=", "CF_ACCOUNT_ID=" + hexAccount},
			"CLOUDFLARE_ACCOUNT_ID: is required; CF_ACCOUNT_ID is set, which is not read: give it this name",
		},
		"an account in quotes": {
			[]string{`CLOUDFLARE_ACCOUNT_ID="` + hexAccount + `"`}, "CLOUDFLARE_ACCOUNT_ID" + marks,
		},
		"a listener in quotes": {[]string{`NEURONWARD_LISTEN="127.0.0.1:3036"`}, "NEURONWARD_LISTEN" + marks},
		"a choice in quotes":   {[]string{"NEURONWARD_PLAN='paid'"}, "NEURONWARD_PLAN" + marks},
		"a store in quotes": {
			[]string{`NEURONWARD_STORE="redis://:hidden-word@h"`}, "NEURONWARD_STORE" + marks,
		},
		"a path in quotes": {
			[]string{`CLOUDFLARE_API_TOKEN_FILE="/run/secrets/token"`}, "CLOUDFLARE_API_TOKEN_FILE" + marks,
		},
		"a token with a space, in quotes": {
			[]string{"CLOUDFLARE_API_TOKEN=' " + fakeToken + "'"}, "CLOUDFLARE_API_TOKEN" + marks,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, mistakes := load(environ(tt.set...), new(Redactor))
			if got := mistakes.Error(); got != tt.want {
				t.Errorf("mistakes are %q, want %q", got, tt.want)
			}
			hides(t, mistakes.Error())
		})
	}
}
