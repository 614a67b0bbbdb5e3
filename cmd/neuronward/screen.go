package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/neuronward/neuronward/cmd/neuronward/admin/status"
	"github.com/neuronward/neuronward/cmd/neuronward/config"
	"github.com/neuronward/neuronward/proxy/websocket"
)

// A screen formats what usage prints. In a pipe nothing is drawn: the lines and their order are the same, without bars
// and without commas in the numbers.
type screen struct {
	drawn   bool
	colored bool
}

const (
	barWidth    = 12
	nameWidth   = 44
	numberWidth = 12
)

// usage writes a report; now is for the time that is left of the day.
func (s screen) usage(r usageReport, now time.Time) string {
	d := r.Today
	head := verdictLine(r.Verdict)
	if d.Day == nil || d.Used == nil || d.Reserved == nil || d.Lost == nil {
		return head + "NEURONWARD_QUOTA_MODE is off: this proxy counts nothing.\n"
	}
	var b strings.Builder
	b.WriteString(head)
	fmt.Fprintf(&b, "Neurons of %s (UTC), %s plan, %s", d.Day, d.Plan, modeWords(d.Mode))
	if d.ResetsAt != nil {
		left := max(d.ResetsAt.Sub(now), 0).Round(time.Minute)
		fmt.Fprintf(&b, "\nuntil %s, in %s", d.ResetsAt.Format(time.RFC3339), config.ShortDuration(left))
	}
	b.WriteString("\n\n")
	s.totals(&b, d)
	s.notes(&b, d)
	s.sessions(&b, r.Sessions)
	models := make([]status.Spending, 0, len(d.Models))
	for _, m := range d.Models {
		models = append(models, m.Spending)
	}
	s.table(&b, "by model", models)
	clients := make([]status.Spending, 0, len(d.Clients))
	for _, c := range d.Clients {
		clients = append(clients, c.Spending)
	}
	s.table(&b, "by client", clients)
	s.budgets(&b, "budgets of today", d.Clients, func(c status.Client) (left, limit *status.Neurons) {
		return c.Remaining, c.Limit
	})
	s.budgets(&b, "budgets of the month", d.Clients, func(c status.Client) (left, limit *status.Neurons) {
		if c.Month == nil {
			return nil, nil
		}
		return &c.Month.Remaining, &c.Month.Limit
	})
	s.wouldRefuse(&b, d)
	s.table(&b, "by day", s.days(r))
	return b.String()
}

// verdictLine says first what is wrong, if anything is: the worst of the quota, failures, clients and the store.
func verdictLine(v status.Verdict) string {
	if v.State == "" { // a proxy of an earlier version
		return ""
	}
	line := strings.ToUpper(string(v.State)) + ": " + v.Because
	if v.State != status.StateOK && v.Action != "" {
		line += " " + v.Action
	}
	return line + "\n\n"
}

// totals writes the day's figures, a line each.
func (s screen) totals(b *strings.Builder, d status.Today) {
	s.line(b, "used", *d.Used, s.whole(*d.Used, d.Limit))
	s.line(b, "reserved", *d.Reserved, "by calls in flight")
	if *d.Lost != 0 {
		s.line(b, "lost", *d.Lost, "reserved by processes that died, until the reset")
	}
	if d.External != nil && *d.External != 0 {
		s.line(b, "external", *d.External, "spent outside this proxy, by the account's own figure")
	}
	if d.Margin != nil && *d.Margin != 0 {
		s.line(b, "kept", *d.Margin, "for calls that cost more than estimated")
	}
	if d.Limit == nil || d.Remaining == nil {
		fmt.Fprintf(b, "  %-9s %*s\n", "left", numberWidth, "no limit")
	} else {
		s.line(b, "left", *d.Remaining, "of "+s.number(*d.Limit))
	}
	if m := d.Month; m != nil {
		note := fmt.Sprintf("of the month's %s, %s used", s.number(m.Limit), s.number(m.Used))
		s.line(b, "month", m.Remaining, note)
	}
	if c := d.Cost; c != nil {
		note := "today"
		if c.Month != nil {
			note += ", " + c.Month.String() + " this month"
		}
		if c.Forecast != nil {
			note += ", about " + c.Forecast.String() + " by its end"
		}
		fmt.Fprintf(b, "  %-9s %*s  %s\n", "dollars", numberWidth, c.Today, note)
	}
}

// notes writes what else there is to know of the day, a paragraph each.
func (s screen) notes(b *strings.Builder, d status.Today) {
	note := func(format string, args ...any) { fmt.Fprintf(b, "\n"+format+"\n", args...) }
	if d.Limit != nil && d.ExpectedAt != nil && d.ExhaustedAt == nil {
		note("At the rate of the last hour the day is spent at %s.", d.ExpectedAt.Format(time.RFC3339))
	}
	if y := d.Yesterday; y != nil && y.ByNow != nil && y.Used > 0 {
		note("Yesterday %s neurons were spent by this time of the day, %s on the whole day.",
			s.number(*y.ByNow), s.number(y.Used))
	}
	if shares := d.BasisShares; shares != (status.BasisShares{}) {
		note("%.0f %% as Workers AI reported, %.0f %% by the price table, %.0f %% estimated",
			shares.Reported*100, shares.Priced*100, shares.Estimated*100)
	}
	if d.Blocked {
		retry := ""
		if d.RetryAt != nil {
			retry = " One call is tried at " + d.RetryAt.Format(time.RFC3339) + "."
		}
		note("Workers AI itself said that the day is spent.%s", retry)
	}
	if d.PlanWrong {
		note("That is more than the free plan gives: on Workers Paid, set NEURONWARD_PLAN=paid.")
	}
	if f := d.Reconciliation.Failure; f != nil {
		note("The account's own figure cannot be read: %s", *f)
	}
	if f := d.Store.Failure; f != nil {
		note("The store fails: %s", *f)
	}
}

// sessions writes what has passed over WebSockets, if anything has.
func (s screen) sessions(b *strings.Builder, st websocket.Status) {
	if st.Open == 0 && st.Ended == 0 {
		return
	}
	fmt.Fprintf(b, "\nWebSockets since the proxy began: %d open, %d ended; %.0f seconds of sound,\n"+
		"%d characters, %d messages in, %d out.\n", st.Open, st.Ended, st.Seconds, st.Characters,
		st.MessagesIn, st.MessagesOut)
}

func modeWords(mode string) string {
	switch mode {
	case config.ModeObserve:
		return "observed: nothing is refused"
	case config.ModeOff:
		return "not counted"
	}
	return "enforced"
}

func (s screen) line(b *strings.Builder, name string, f status.Neurons, note string) {
	fmt.Fprintln(b, strings.TrimRight(fmt.Sprintf("  %-9s %*s  %s", name, numberWidth, s.number(f), note), " "))
}

// days makes rows of the days, named for people.
func (s screen) days(r usageReport) []status.Spending {
	rows := make([]status.Spending, 0, len(r.Days))
	for _, d := range r.Days {
		name := d.Day.String()
		switch *r.Today.Day - d.Day {
		case 0:
			name += " today"
		case 1:
			name += " yesterday"
		}
		rows = append(rows, status.Spending{Name: name, Calls: d.Calls, Neurons: d.Neurons, USD: d.USD})
	}
	return rows
}

// table writes rows under a title, and nothing if there are none. Dollars take the place of the bars where there are
// any.
func (s screen) table(b *strings.Builder, title string, rows []status.Spending) {
	if len(rows) == 0 {
		return
	}
	largest, width := status.Neurons(1), 0
	for _, r := range rows {
		largest, width = max(largest, r.Neurons), max(width, len([]rune(s.name(r.Name))))
	}
	width = max(width, len([]rune(title)))
	paid := slices.ContainsFunc(rows, func(r status.Spending) bool { return r.USD != 0 })
	fmt.Fprintf(b, "\n  %-*s %*s %6s", width, title, numberWidth, "neurons", "calls")
	if paid {
		fmt.Fprintf(b, " %*s", numberWidth, "dollars")
	}
	b.WriteByte('\n')
	for _, r := range rows {
		line := fmt.Sprintf("  %-*s %*s %6d", width, s.name(r.Name), numberWidth, s.number(r.Neurons), r.Calls)
		switch {
		case paid:
			line += fmt.Sprintf(" %*s", numberWidth, r.USD)
		case s.drawn && r.Neurons > 0:
			line += " " + s.bar(float64(r.Neurons)/float64(largest), false)
		}
		fmt.Fprintln(b, line)
	}
}

// budgets writes what of returns of the clients that have a budget, and nothing if there are none.
func (s screen) budgets(
	b *strings.Builder, title string, clients []status.Client, of func(status.Client) (left, limit *status.Neurons),
) {
	width := len(title)
	clients = slices.DeleteFunc(slices.Clone(clients), func(c status.Client) bool {
		left, limit := of(c)
		return left == nil || limit == nil
	})
	for _, c := range clients {
		width = max(width, len([]rune(s.name(c.Name))))
	}
	for i, c := range clients {
		if i == 0 {
			fmt.Fprintf(b, "\n  %-*s %*s %*s\n", width, title, numberWidth, "left", numberWidth, "of")
		}
		left, limit := of(c)
		fmt.Fprintf(b, "  %-*s %*s %*s\n", width, s.name(c.Name),
			numberWidth, s.number(*left), numberWidth, s.number(*limit))
	}
}

// name is what a row is called; a long name is cut where it is drawn.
func (s screen) name(name string) string {
	if name == "" {
		name = "(none)"
	}
	if r := []rune(name); s.drawn && len(r) > nameWidth {
		return string(r[:nameWidth-1]) + "…"
	}
	return name
}

// whole shows f as a part of limit.
func (s screen) whole(f status.Neurons, limit *status.Neurons) string {
	if limit == nil || *limit <= 0 {
		return ""
	}
	part := float64(f) / float64(*limit)
	text := fmt.Sprintf("%.1f %%", part*100)
	if s.drawn {
		text = s.bar(part, true) + " " + text
	}
	return text
}

// bar draws part, of 1. If fills, it also draws what is left, and its color is yellow from 80 %, red from 95 %.
func (s screen) bar(part float64, fills bool) string {
	cells := min(max(int(part*barWidth+0.5), 0), barWidth)
	if part > 0 {
		cells = max(cells, 1)
	}
	text := strings.Repeat("█", cells)
	if s.colored {
		color := "36" // cyan
		switch {
		case fills && part >= 0.95:
			color = "31"
		case fills && part >= 0.8:
			color = "33"
		}
		text = "\x1b[" + color + "m" + text + "\x1b[0m"
	}
	if fills {
		text += strings.Repeat("░", barWidth-cells)
	}
	return text
}

// number writes f with two decimals, on a screen with commas.
func (s screen) number(f status.Neurons) string {
	text := f.String()
	if !s.drawn {
		return text
	}
	whole, decimals, _ := strings.Cut(text, ".")
	digits := strings.TrimPrefix(whole, "-")
	var parts []string
	for len(digits) > 3 {
		parts = append(parts, digits[len(digits)-3:])
		digits = digits[:len(digits)-3]
	}
	parts = append(parts, digits)
	slices.Reverse(parts)
	return strings.TrimSuffix(whole, strings.TrimPrefix(whole, "-")) + strings.Join(parts, ",") + "." + decimals
}
