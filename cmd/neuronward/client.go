package main

import (
	"context"
	"fmt"

	"github.com/neuronward/neuronward/proxy/clients"
)

const clientHelp = `Makes an API key for a client: an app or a team that may call the proxy. The key
is printed this once and kept nowhere; the file that NEURONWARD_CLIENTS_FILE
names holds its hash alone.

Usage:

  neuronward client new [--json] NAME

  --json   one JSON object: name, key, key_sha256

NAME is 1 to 63 lower-case letters, digits, -, _ or . and appears in metrics
and logs. Nothing is written: add the entry to the file yourself. neuronward
check reports all mistakes in it. All keys of an entry:

  clients:
    - name: search-team
      key_sha256: 5e88…           # of the key; required, as is the name
      daily_neurons: 2000         # of its own; the account's limit applies too
      requests_per_minute: 60
      priority: normal            # high (the default) may spend all of the
                                  # account's day, normal 95 %, low 80 %
      finetunes: false            # may make finetunes
      models: ["@cf/meta/*"]      # * is any run of characters, / included

A client sends its key as Authorization: Bearer, x-api-key or
cf-aig-authorization.

Example:

  neuronward client new search-team
`

// A newClient is what client new makes.
type newClient struct {
	Name   string `json:"name"`
	Key    string `json:"key"`
	SHA256 string `json:"key_sha256"`
}

func client(_ context.Context, in *invocation) int {
	fs := in.flags()
	asJSON := fs.Bool("json", false, "")
	args, code, ok := in.parse(fs, clientHelp, 2)
	switch {
	case !ok:
		return code
	case len(args) == 0 || args[0] != "new":
		return in.misused("say what to do: neuronward client new NAME")
	case len(args) == 1:
		return in.misused("the name is missing: neuronward client new NAME")
	}
	name := args[1]
	if err := clients.CheckName(name); err != nil {
		return in.misused("the name " + err.Error())
	}
	key := clients.NewKey()
	if *asJSON {
		return in.printJSON(newClient{name, key.Secret, key.SHA256})
	}
	fmt.Fprintf(in.stdout, `The key of %s, shown this once:

  %s

Its entry in the file that NEURONWARD_CLIENTS_FILE names, below clients:

  - name: %[1]s
    key_sha256: %[3]s
`, name, key.Secret, key.SHA256)
	return exitDone
}
