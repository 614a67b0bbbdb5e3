package main

import (
	"context"
	"fmt"
	"time"

	"github.com/neuronward/neuronward/cmd/neuronward/config"
	"github.com/neuronward/neuronward/metrics"
	"github.com/neuronward/neuronward/proxy/clients"
)

func clientHelp() string {
	return `Makes an API key for a client: an app or a team that may call the proxy. The key
is printed once and stored nowhere. The clients file, which
NEURONWARD_CLIENTS_FILE names, has only its hash.

Usage:

  neuronward client new [--json] NAME
  neuronward client rotate [--json] [--keep DURATION] NAME

  new      prints a key and the entry of a new client
  rotate   prints a second key for a client in the file, and how to change its
           entry: both keys are valid until the old one expires
  --json   one JSON object: name, key, key_sha256; for rotate also expires
  --keep   how long the old keys stay valid; 168h is the default

NAME has 1 to 63 lower-case letters, digits, -, _ or . and appears in metrics
and logs. The file is not changed: add the entry yourself. "neuronward check"
reports all mistakes in the file. An entry can have these fields:

  clients:
    - name: search-team
      key_sha256: 5e88…           # hash of the key; name and hash are required.
                                  # For several keys: a list of hashes, or of
                                  # {sha256: …, expires: 2026-12-31T00:00:00Z}
      daily_neurons: 2000         # its budget; the account's limit applies too
      monthly_neurons: 40000      # its budget for the calendar month (UTC)
      requests_per_minute: 60
      priority: normal            # high (the default) may use all of the
                                  # account's day, normal 95 %, low 80 %
      finetunes: false            # true: may create finetunes
      models: ["@cf/meta/*"]      # * is any run of characters, also /
      gateway_headers: ["cf-aig-cache-key"] # further headers that it may send
                                  # to an AI Gateway

A client sends its key as Authorization: Bearer, x-api-key or
cf-aig-authorization.

Example:

  neuronward client new search-team
`
}

// A newClient is what client new and client rotate make.
type newClient struct {
	Name    string     `json:"name"`
	Key     string     `json:"key"`
	SHA256  string     `json:"key_sha256"`
	Expires *time.Time `json:"expires,omitempty"` // of the keys that it replaces
}

func client(_ context.Context, in *invocation) int {
	fs := in.flags()
	asJSON := fs.Bool("json", false, "")
	keep := fs.Duration("keep", 7*24*time.Hour, "")
	args, code, ok := in.parse(fs, clientHelp, 2)
	switch {
	case !ok:
		return code
	case len(args) == 0 || args[0] != "new" && args[0] != "rotate":
		return in.misused("say what to do: neuronward client new NAME, or neuronward client rotate NAME")
	case len(args) == 1:
		return in.misused("the name is missing: neuronward client " + args[0] + " NAME")
	case *keep <= 0:
		return in.misused("--keep must be longer than 0, such as 168h")
	}
	name := args[1]
	if err := clients.CheckName(name); err != nil {
		return in.misused("the name " + err.Error())
	}
	key := clients.NewKey()
	if args[0] == "rotate" {
		return in.rotate(name, key, *asJSON, time.Now().Add(*keep).UTC().Truncate(time.Minute))
	}
	if *asJSON {
		return in.printJSON(newClient{Name: name, Key: key.Secret, SHA256: key.SHA256})
	}
	fmt.Fprintf(in.stdout, `The key of %s, shown this once:

  %s

Its entry in the file that NEURONWARD_CLIENTS_FILE names, below clients:

  - name: %[1]s
    key_sha256: %[3]s
`, name, key.Secret, key.SHA256)
	return exitDone
}

// rotate prints a further key of a client and the value of key_sha256 with which the old keys are valid until expires,
// or as long as the file says, if that is less.
func (in *invocation) rotate(name string, key clients.Key, asJSON bool, expires time.Time) int {
	c, err := config.LoadOnly(in.environ, in.redactor, "NEURONWARD_CLIENTS_FILE")
	if err != nil {
		return in.mistakes(err)
	}
	if c.Clients == nil {
		return in.misused("set NEURONWARD_CLIENTS_FILE to the file that has the client")
	}
	old := c.Clients.Set().Hashes(name)
	if len(old) == 0 {
		return in.misused(c.ClientsFile + " has no client of the name " + name)
	}
	if asJSON {
		return in.printJSON(newClient{Name: name, Key: key.Secret, SHA256: key.SHA256, Expires: &expires})
	}
	fmt.Fprintf(in.stdout, `A further key of %s, shown this once:

  %s

Replace key_sha256 in its entry in %s by this. Both keys are then valid until
the old one expires; remove its line afterwards.

    key_sha256:
      - %s
`, name, key.Secret, c.ClientsFile, key.SHA256)
	for _, k := range old {
		if k.Expires.IsZero() || k.Expires.After(expires) {
			k.Expires = expires
		}
		if k.Expires.After(time.Now()) {
			fmt.Fprintf(in.stdout, "      - {sha256: %s, expires: %s}\n", k.SHA256, k.Expires.Format(time.RFC3339))
		}
	}
	return exitDone
}

// clientsFile is the state of the clients file for the metrics.
func clientsFile(file *config.ClientsFile) metrics.ClientsFile {
	state := file.State()
	m := metrics.ClientsFile{OK: state.OK, LoadedAt: state.LoadedAt}
	for _, k := range file.Set().Keys() {
		m.Keys = append(m.Keys, metrics.ClientKey(k))
	}
	return m
}
