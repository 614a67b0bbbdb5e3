package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/neuronward/neuronward/cmd/neuronward/config"
	"github.com/neuronward/neuronward/cmd/neuronward/live"
)

// A liveReport is what check --live found.
type liveReport struct {
	Version string `json:"version"`
	Commit  string `json:"commit"`
	Go      string `json:"go"`
	live.Report
}

// look compares the real Workers AI with what this proxy assumes of it.
func (in *invocation) look(ctx context.Context, c *config.Config, asJSON bool, wait time.Duration) int {
	in.redactor.Add(c.Account) // the report is for others to read
	if !c.Token.IsSet() {
		return in.misused("--live calls Workers AI with this proxy's own token: set CLOUDFLARE_API_TOKEN")
	}
	reader := &c.Token
	if c.AnalyticsToken.IsSet() {
		reader = &c.AnalyticsToken
	}
	figure, err := newAccountClient(c, reader.Value, nil)
	if err != nil { // what is wrong with the settings was reported before
		return in.fail(err)
	}
	defer figure.Close()
	b := thisBuild()
	r := liveReport{Version: b.Version, Commit: b.Commit, Go: b.Go}
	r.Report, err = live.Look(ctx, live.Config{
		API: c.API, Account: c.Account, Token: c.Token.Value, Figure: figure, Prices: c.PriceTable, Wait: wait,
		Secrets:  []string{reader.Value()},
		Progress: func(line string) { fmt.Fprintln(in.stderr, line) },
	})
	if err != nil {
		fmt.Fprintf(in.stderr, "neuronward check: %v. Without --live it checks the configuration.\n", err)
		return exitUsage
	}
	if !asJSON {
		r.print(in)
	} else if code := in.printJSON(r); code != exitDone {
		return code
	}
	if !r.OK {
		return exitFailed
	}
	return exitDone
}

func (r liveReport) print(in *invocation) {
	out := func(text string) { fmt.Fprint(in.stdout, text) }
	out(paragraph("", "", fmt.Sprintf("Workers AI at %s, seen by neuronward %s (commit %s, %s) at %s, with prices of "+
		"%s. The calls are billed to the account: %.2f neurons, as far as their answers say it. A proxy that runs "+
		"counts them once it has read the account's own figure.",
		r.API, r.Version, r.Commit, r.Go, r.At.Format(time.RFC3339), r.PricesOf, r.Neurons)))
	out("\nCalls:\n\n")
	indent := strings.Repeat(" ", 17)
	for _, c := range r.Calls {
		cost := "no neurons reported"
		if c.Neurons != nil {
			cost = fmt.Sprintf("%.2f neurons", *c.Neurons)
		}
		out(fmt.Sprintf("  %-13s  %d, %s, at most %.2f, %d ms\n", c.Name, c.Status, cost, c.Bound, c.Millis))
		out(paragraph(indent, indent, c.Path))
		if !strings.HasSuffix(c.Path, c.Model) {
			out(paragraph(indent, indent, c.Model))
		}
		if c.Headers != nil {
			out(paragraph(indent, indent, strings.Join(c.Headers, ", ")))
		}
		if c.Failure != "" {
			out(paragraph(indent, indent, c.Failure))
		}
	}
	out("\nPoints:\n")
	of := map[string][]string{}
	for _, p := range r.Points {
		of[p.Result] = append(of[p.Result], p.Name)
		out(fmt.Sprintf("\n  %-7s  %s\n", p.Result, p.Name))
		out(paragraph("           assumed  ", "                    ", p.Assumed))
		out(paragraph("           seen     ", "                    ", p.Seen))
	}
	out(fmt.Sprintf("\n%d points agree, %d differ, %d were not seen.\n", len(of[live.Agrees]), len(of[live.Differs]),
		len(of[live.Unseen])))
	if names := of[live.Differs]; names != nil {
		out(paragraph("Different: ", "", strings.Join(names, ", ")+"."))
		out("This report holds neither tokens nor the account: paste it into a bug report.\n")
	}
}
