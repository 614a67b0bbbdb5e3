package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/neuronward/neuronward/cmd/neuronward/config"
)

func checkHelp() string {
	return `Reads the settings as serve does, reports all mistakes in them at once, and
prints the settings in effect. Then it checks whether they work: at Cloudflare
the tokens with their permissions, the account and the clock; on this machine
the store, the clients file and the addresses. Each line is ok, a warning or a
failure, and says what to do. It calls no model and shows no secrets.

With --live it tests the real Workers AI instead. It makes six cheap calls,
which cost less than 5 neurons together. For each thing that the proxy assumes
(headers, usage, prices, failures, streams, the account's own figure) it prints
what it saw, and whether that agrees. It prints first what each call may cost,
and does not ask. The calls are billed to the account. A running proxy does not
see them, and counts them once it has read the account's own figure. The report
has no token and no account id, so you can paste it into a bug report. The calls
go to NEURONWARD_API, not through an AI Gateway.

Exit 1: a check failed or a point differs. Exit 2: the settings have mistakes,
or --live is refused.

Usage:

  neuronward check [--json] [--offline]
  neuronward check --live [--json] [--wait DURATION]

  --json      one JSON object: ok, mistakes, warnings, settings, checks; with
              --live ok, version, commit, calls, points and more
  --offline   sends nothing to Cloudflare
  --live      makes calls that cost neurons
  --wait      how long to wait until the account's own figure has them; 2m is
              the default. It may take more than 5m

Variables that are most often wrong:

` + variableTable("CLOUDFLARE_ACCOUNT_ID", "CLOUDFLARE_API_TOKEN", "NEURONWARD_LISTEN",
		"NEURONWARD_ALLOW_ANONYMOUS", "NEURONWARD_UPSTREAM") + `
Example:

  export CLOUDFLARE_ACCOUNT_ID=…
  export CLOUDFLARE_API_TOKEN_FILE=/run/secrets/token
  neuronward check
`
}

// A report is what check found.
type report struct {
	OK       bool             `json:"ok"`
	Mistakes config.Mistakes  `json:"mistakes"`
	Warnings []string         `json:"warnings"`
	Settings []config.Setting `json:"settings"` // empty when there are mistakes
	Checks   []checkResult    `json:"checks"`   // likewise
}

func check(ctx context.Context, in *invocation) int {
	fs := in.flags()
	asJSON := fs.Bool("json", false, "")
	offline := fs.Bool("offline", false, "")
	live := fs.Bool("live", false, "")
	wait := fs.Duration("wait", 2*time.Minute, "")
	_, code, ok := in.parse(fs, checkHelp, 0)
	switch {
	case !ok:
		return code
	case *live && *offline:
		return in.misused("--live and --offline exclude each other")
	case *wait < 0:
		return in.misused("--wait must not be below 0")
	}
	c, err := config.Load(in.environ, in.redactor)
	r := report{
		OK: err == nil, Mistakes: config.Mistakes{}, Warnings: append([]string{}, c.Warnings...),
		Settings: []config.Setting{}, Checks: []checkResult{},
	}
	if mistakes, ok := errors.AsType[config.Mistakes](err); ok {
		r.Mistakes = mistakes
	}
	if r.OK && *live {
		return in.look(ctx, c, *asJSON, *wait)
	}
	if r.OK {
		r.Settings = append(r.Settings, c.Settings()...)
		r.Checks = examine(ctx, c, *offline)
		r.OK = !failed(r.Checks)
	}
	code = exitDone
	switch {
	case len(r.Mistakes) > 0:
		code = exitUsage
	case !r.OK:
		code = exitFailed
	}
	switch {
	case *asJSON:
		if failed := in.printJSON(r); failed != exitDone {
			return failed
		}
	case code == exitUsage:
		return in.mistakes(err)
	default:
		r.print(in)
	}
	return code
}

func (r report) print(in *invocation) {
	fmt.Fprintln(in.stdout, "The configuration is valid. In effect:")
	fmt.Fprintln(in.stdout)
	width := 0
	for _, s := range r.Settings {
		width = max(width, len(s.Variable))
	}
	for _, s := range r.Settings {
		value := s.Value
		if value == "" {
			value = "none"
		}
		if s.Source == config.SourceDefault {
			value += " (default)"
		}
		fmt.Fprintf(in.stdout, "  %-*s  %s\n", width, s.Variable, value)
	}
	for _, w := range r.Warnings {
		fmt.Fprintf(in.stdout, "\nwarning: %s\n", w)
	}
	fmt.Fprintf(in.stdout, "\nChecked:\n\n")
	for _, c := range r.Checks {
		line := c.Found
		if c.Action != "" {
			line += "; " + c.Action
		}
		fmt.Fprintf(in.stdout, "  %-7s  %-12s  %s\n", c.Result, c.Check, line)
	}
}
