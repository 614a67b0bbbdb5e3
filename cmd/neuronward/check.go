package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/neuronward/neuronward/cmd/neuronward/config"
)

func checkHelp() string {
	return `Reads the configuration as serve does, reports all mistakes in it at once, and
prints what is in effect. Then it checks whether that can work: the tokens and
their permissions, the account and the clock at Cloudflare; the store, the
clients and the addresses here. Each line is ok, a warning or a failure, and
says what to do. It calls no model, and secrets are never shown.

Exit 1 when there are failures, 2 when there are mistakes.

Usage:

  neuronward check [--json] [--offline]

  --json      one JSON object: ok, mistakes, warnings, settings, checks
  --offline   asks nothing of Cloudflare

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
	if _, code, ok := in.parse(fs, checkHelp(), 0); !ok {
		return code
	}
	c, err := config.Load(in.environ, in.redactor)
	r := report{
		OK: err == nil, Mistakes: config.Mistakes{}, Warnings: append([]string{}, c.Warnings...),
		Settings: []config.Setting{}, Checks: []checkResult{},
	}
	if mistakes, ok := errors.AsType[config.Mistakes](err); ok {
		r.Mistakes = mistakes
	}
	if r.OK {
		r.Settings = append(r.Settings, c.Settings()...)
		r.Checks = examine(ctx, c, *offline)
		r.OK = !failed(r.Checks)
	}
	code := exitDone
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
