package main

import (
	"context"
	"fmt"
	"reflect"
)

func checkHelp() string {
	return `Reads the configuration as serve would, tells all mistakes in it at once, and
prints what is in effect. Then it looks whether that can work: the tokens and
their permissions, the account and the clock at Cloudflare; the store, the
clients and the addresses here. Each line is ok, a warning or a failure, and
says what to do. It calls no model, and secrets are never shown.

Exit 1 when there are failures, 2 when there are mistakes.

Usage:

  neuronward check [--json] [--offline]

  --json      one JSON object: ok, mistakes, warnings, settings, checks
  --offline   asks nothing of Cloudflare

Variables that are most often wrong:

` + variableTable(variables(), named("CLOUDFLARE_ACCOUNT_ID", "CLOUDFLARE_API_TOKEN", "NEURONWARD_LISTEN", "NEURONWARD_ALLOW_ANONYMOUS", "NEURONWARD_UPSTREAM")) + `
Example:

  export CLOUDFLARE_ACCOUNT_ID=…
  export CLOUDFLARE_API_TOKEN_FILE=/run/secrets/token
  neuronward check
`
}

// A report is what check found.
type report struct {
	OK       bool         `json:"ok"`
	Mistakes []mistake    `json:"mistakes"`
	Warnings []string     `json:"warnings"`
	Settings []setting    `json:"settings"` // empty when there are mistakes
	Checks   checkResults `json:"checks"`   // likewise
}

// A setting is one variable as it is in effect.
type setting struct {
	Variable string `json:"variable"`
	Value    string `json:"value"` // "" = none; of a secret, whether it is set
	Source   string `json:"source"`
}

func check(ctx context.Context, in *invocation) int {
	fs := in.flags()
	asJSON := fs.Bool("json", false, "")
	offline := fs.Bool("offline", false, "")
	if _, code, ok := in.parse(fs, checkHelp(), 0); !ok {
		return code
	}
	l := load(in.environ, in.redactor)
	r := report{OK: len(l.mistakes) == 0, Mistakes: []mistake{}, Warnings: []string{}, Settings: []setting{}, Checks: checkResults{}}
	r.Mistakes = append(r.Mistakes, l.mistakes...)
	r.Warnings = append(r.Warnings, l.warnings...)
	if r.OK {
		r.Settings = append(r.Settings, l.settings()...)
		r.Checks = l.examine(ctx, *offline)
		r.OK = !r.Checks.failed()
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
		return in.mistakes(l.err())
	default:
		r.print(in)
	}
	return code
}

func (r report) print(in *invocation) {
	fmt.Fprintln(in.stdout, "The configuration is valid. In effect:")
	fmt.Fprintln(in.stdout)
	wide := 0
	for _, s := range r.Settings {
		wide = max(wide, len(s.Variable))
	}
	for _, s := range r.Settings {
		value := s.Value
		if value == "" {
			value = "none"
		}
		if s.Source == sourceDefault {
			value += " (default)"
		}
		fmt.Fprintf(in.stdout, "  %-*s  %s\n", wide, s.Variable, value)
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

// Sources of a setting.
const (
	sourceDefault     = "default"
	sourceEnvironment = "environment"
	sourceFile        = "file"
)

// settings lists the variables that have an effect.
func (l *loader) settings() []setting {
	var all []setting
	for _, v := range l.vars {
		s := setting{Variable: v.Name, Source: sourceDefault}
		if _, set := l.environ[v.Name]; set && (l.given[v.Name] != "" || v.Empty) {
			s.Source = sourceEnvironment
		}
		value := reflect.ValueOf(&l.config).Elem().Field(v.field)
		if c, ok := reflect.TypeAssert[*credential](value.Addr()); ok && c.file != nil {
			s.Source = sourceFile
		}
		s.Value = fmt.Sprint(value.Interface())
		if v.Twin && s.Source == sourceDefault {
			s.Value = ""
		}
		all = append(all, s)
	}
	return all
}
