package main

import (
	"context"
	"fmt"
	"reflect"
)

func checkHelp() string {
	return `Reads the configuration as serve would, tells all mistakes in it at once, and
prints what is in effect. Secrets are never shown. Exit 2 when there are
mistakes. A store in a Redis server is asked what it is; if it does not answer,
that is a warning.

Usage:

  neuronward check [--json]

  --json   one JSON object: ok, mistakes, warnings, settings

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
	OK       bool      `json:"ok"`
	Mistakes []mistake `json:"mistakes"`
	Warnings []string  `json:"warnings"`
	Settings []setting `json:"settings"` // empty when there are mistakes
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
	if _, code, ok := in.parse(fs, checkHelp(), 0); !ok {
		return code
	}
	l := load(in.environ, in.redactor)
	l.checkStore(ctx)
	r := report{OK: len(l.mistakes) == 0, Mistakes: []mistake{}, Warnings: []string{}, Settings: []setting{}}
	r.Mistakes = append(r.Mistakes, l.mistakes...)
	r.Warnings = append(r.Warnings, l.warnings...)
	if r.OK {
		r.Settings = append(r.Settings, l.settings()...)
	}
	code := exitDone
	if !r.OK {
		code = exitUsage
	}
	switch {
	case *asJSON:
		if failed := in.printJSON(r); failed != exitDone {
			return failed
		}
	case !r.OK:
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
		if v.Status != statusActive {
			continue
		}
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
