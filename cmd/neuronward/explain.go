package main

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/neuronward/neuronward/cmd/neuronward/config"
	"github.com/neuronward/neuronward/normalize"
	"github.com/neuronward/neuronward/normalize/reference"
)

func explainHelp() string {
	return `Says what an error is, what to do, who can fix it and whether to retry.

Usage:

  neuronward explain [--json]              the whole catalog
  neuronward explain [--json] WHAT         all errors that match WHAT
  neuronward explain [--json] -            the failure on standard input

WHAT is the name or a number of an error, a value of error.code or error.type,
an HTTP status, a line of neuronward's log, or a message. Quote it if it has
spaces. Several errors can have the same value or status.

Standard input can be any of these, or a body, an event of a stream, or a whole
HTTP response with status line and headers, as curl -i prints it. The output
then also says how the failure was recognized.

  --json   JSON: the entries, or what was recognized

Examples:

  neuronward explain 4006
  neuronward explain insufficient_quota
  neuronward explain 429
  curl -si … | neuronward explain -
  journalctl -u neuronward | grep 'call failed' | tail -1 | neuronward explain -
`
}

func explain(_ context.Context, in *invocation) int {
	fs := in.flags()
	asJSON := fs.Bool("json", false, "")
	args, code, ok := in.parse(fs, explainHelp, 1)
	switch {
	case !ok:
		return code
	case len(args) == 0:
		return in.explainAll(*asJSON)
	case args[0] == "-":
		return in.explainInput(*asJSON)
	}
	return in.explainWhat(args[0], *asJSON)
}

func (in *invocation) explainAll(asJSON bool) int {
	catalog := normalize.Catalog()
	if asJSON {
		all := make([]entryJSON, len(catalog))
		for i := range catalog {
			all[i] = newEntryJSON(&catalog[i])
		}
		return in.printJSON(all)
	}
	entries := make([]*normalize.Entry, len(catalog))
	for i := range catalog {
		entries[i] = &catalog[i]
	}
	in.printEntries(entries)
	return exitDone
}

// printEntries writes a table of entries.
func (in *invocation) printEntries(entries []*normalize.Entry) {
	const form = "%-7v %-30s %-6v %-9s %-23s %s"
	line := func(columns ...any) {
		fmt.Fprintln(in.stdout, strings.TrimRight(fmt.Sprintf(form, columns...), " "))
	}
	line("NUMBER", "NAME", "STATUS", "FAULT", "RETRY", "ALSO")
	for _, e := range entries {
		line(e.Number, e.Slug, e.Status, e.Fault, reference.RetryRule(e), reference.Aliases(e))
	}
}

// explainWhat explains what a person has of a failure.
func (in *invocation) explainWhat(what string, asJSON bool) int {
	found := reference.Find(what)
	switch {
	case found.As == reference.Message, found.As == reference.Envelope:
		return in.explainText([]byte(what), asJSON)
	case len(found.Codes) > 0:
		return in.explainFound(what, found, asJSON)
	case found.As == reference.NoFailure:
		fmt.Fprintln(in.stderr, "neuronward explain: this is "+reference.NoFailure)
		return exitUsage
	case strings.ContainsAny(what, "{\n"):
		return in.explainText([]byte(what), asJSON)
	}
	var names []string
	for _, e := range normalize.Catalog() {
		names = append(names, e.Slug, e.Word(), string(e.Type))
	}
	hint := "neuronward explain lists them all; to read a whole answer, pipe it into neuronward explain -"
	if near := config.Nearest(what, names); near != "" {
		hint = "did you mean " + near + "? " + hint
	}
	fmt.Fprintf(in.stderr, "neuronward explain: there is no code %q in the catalog; %s\n", what, hint)
	return exitUsage
}

// explainFound writes the entry that was found, or the table of several.
func (in *invocation) explainFound(what string, found reference.Finding, asJSON bool) int {
	entries := make([]*normalize.Entry, len(found.Codes))
	all := make([]entryJSON, len(found.Codes))
	for i, c := range found.Codes {
		entries[i], all[i] = c.Entry(), newEntryJSON(c.Entry())
	}
	switch {
	case asJSON && len(all) == 1:
		return in.printJSON(all[0])
	case asJSON:
		return in.printJSON(all)
	case len(all) == 1:
		if found.As != reference.Name && found.As != reference.Number {
			fmt.Fprintf(in.stdout, "%s is %s.\n\n", subject(what), found.As)
		}
		e := entries[0]
		fmt.Fprintf(in.stdout, "%s\n\n%s\n%s", headline(e), paragraph("", "", e.Summary), facts(e))
		return exitDone
	}
	fmt.Fprintf(in.stdout, "%s is %s of %d errors.\n\n", subject(what), found.As, len(all))
	in.printEntries(entries)
	fmt.Fprintln(in.stdout, "\nneuronward explain NAME says more of one.")
	return exitDone
}

// subject is what a sentence about what was found begins with.
func subject(what string) string {
	if what = strings.TrimSpace(what); strings.ContainsAny(what, " \t\n") {
		return "This"
	}
	return what
}

// explainInput explains what stands on standard input.
func (in *invocation) explainInput(asJSON bool) int {
	text, err := io.ReadAll(io.LimitReader(in.stdin, maxInput))
	if err != nil {
		return in.fail(fmt.Errorf("reading standard input: %w", err))
	}
	switch found := reference.Find(string(text)); found.As {
	case "", reference.Message, reference.Envelope:
		return in.explainText(text, asJSON)
	default:
		return in.explainWhat(string(text), asJSON)
	}
}

// explainText says which failure a text is, and how it is known.
func (in *invocation) explainText(text []byte, asJSON bool) int {
	f, err := recognize(text)
	if err != nil {
		fmt.Fprintf(in.stderr, "neuronward explain: %v\n", err)
		return exitUsage
	}
	if asJSON {
		return in.printJSON(f)
	}
	e := f.entry
	fmt.Fprintf(in.stdout, "%s\n\n%s\n", headline(e), paragraph("", "", e.Summary))
	fmt.Fprint(in.stdout, row("Read as", f.ReadAs))
	fmt.Fprint(in.stdout, row("Known by", f.knownBy()))
	if f.Message != e.Summary {
		fmt.Fprint(in.stdout, row("Message", f.Message))
	}
	if f.Number != e.Number {
		fmt.Fprint(in.stdout, row("Number", strconv.Itoa(f.Number)+", which the catalog does not list"))
	}
	fmt.Fprint(in.stdout, facts(e))
	return exitDone
}

// headline names an entry in one line.
func headline(e *normalize.Entry) string {
	return fmt.Sprintf("%s  %d  HTTP %d", e.Slug, e.Number, e.Status)
}

// facts writes what an entry says, a row each.
func facts(e *normalize.Entry) string {
	var b strings.Builder
	for _, r := range reference.Rows(withSettings(e)) {
		b.WriteString(row(strings.ToUpper(r.Name[:1])+r.Name[1:], r.Text))
	}
	return b.String()
}

func row(name, text string) string {
	return paragraph(fmt.Sprintf("  %-15s ", name), strings.Repeat(" ", 18), text)
}

// withSettings is an entry with the names of settings in its texts.
func withSettings(e *normalize.Entry) *normalize.Entry {
	n := e.Named(config.SettingName)
	return &n
}

// entryJSON is an entry of the catalog for machines.
type entryJSON struct {
	Name       string             `json:"name"`
	Number     int                `json:"number"`
	Aliases    []int              `json:"aliases"`
	Status     int                `json:"status"`
	Type       normalize.Type     `json:"type"`
	Code       string             `json:"code"` // what error.code carries
	Retry      normalize.Retry    `json:"retry"`
	RetryAfter int64              `json:"retry_after_ms"`
	Fault      normalize.Fault    `json:"fault"`
	Origins    []normalize.Origin `json:"origins"`
	Charge     normalize.Charge   `json:"charge"`
	Summary    string             `json:"summary"`
	Action     string             `json:"action"`
	Automatic  string             `json:"automatic"`
	Wire       string             `json:"wire"`
	Source     normalize.Source   `json:"source"`
}

func newEntryJSON(e *normalize.Entry) entryJSON {
	e = withSettings(e)
	return entryJSON{
		Name: e.Slug, Number: e.Number, Aliases: append([]int{}, e.Aliases...), Status: e.Status, Type: e.Type,
		Code: e.Word(), Retry: e.Retry, RetryAfter: e.Delay.Milliseconds(), Fault: e.Fault, Origins: e.Origins,
		Charge: e.Charge, Summary: e.Summary, Action: e.Action, Automatic: e.Automatic, Wire: e.Wire, Source: e.Source,
	}
}
