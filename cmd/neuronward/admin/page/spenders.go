package page

import (
	"html/template"
	"net/url"
	"strconv"
	"strings"
)

// A spenders is the table of models or of clients.
type spenders struct {
	ID, Title, Caption, Column string
	Budgets                    bool // some have one of their own
	Rows                       []spenderRow
}

type spenderRow struct {
	Name  string
	Cells template.HTML // numbers, which a template would take most of the page's time to write
}

func spendersOf(id, title, column string, all []Spender) spenders {
	t := spenders{
		ID: id, Title: title, Column: column, Rows: make([]spenderRow, 0, len(all)),
		Caption: "Today over all processes; the last hour, and how long calls that succeeded took in it, in this one.",
	}
	most := 0.0
	for i := range all {
		most = max(most, all[i].Neurons)
		t.Budgets = t.Budgets || all[i].Limit != nil
	}
	for i := range all {
		name := all[i].Name
		if name == "" {
			name = "(none)"
		}
		t.Rows = append(t.Rows, spenderRow{name, all[i].cells(most, t.Budgets)})
	}
	return t
}

// cells are the columns but the name; most is what the dearest spent.
func (s *Spender) cells(most float64, budgets bool) template.HTML {
	var b strings.Builder
	b.Grow(1 << 10)
	cell := func(of, text string) {
		b.WriteString(`<td role="cell" class="number" data-of="`)
		b.WriteString(of)
		b.WriteString(`">`)
		b.WriteString(text)
		b.WriteString(`</td>`)
	}
	cell("today: calls", grouped(s.Calls))
	cell("neurons", amount(s.Neurons)+share(s.Neurons, most))
	if budgets {
		budget := "–"
		if s.Limit != nil {
			budget = strconv.FormatFloat(percent(s.Neurons, *s.Limit), 'f', 0, 64) + " % of " + amount(*s.Limit)
		}
		cell("budget", budget)
	}
	cell("last hour: calls", grouped(s.Hour.Calls))
	failed := grouped(s.Hour.Failed)
	if s.Hour.Failed > 0 && s.Name != "" {
		failed = `<a href="/?q=` + template.HTMLEscapeString(url.QueryEscape(s.Name)) + `#last">` + failed + `</a>`
	}
	cell("failed", failed)
	cell("neurons", amount(s.Hour.Neurons))
	cell("answer: p50", lasted(s.Hour.Median))
	cell("p99", lasted(s.Hour.Slow))
	cell("first byte: p50", lasted(s.Hour.FirstByteMedian))
	cell("p99", lasted(s.Hour.FirstByteSlow))
	return template.HTML(b.String()) //nolint:gosec // numbers, and a link that is escaped
}

// share draws a part of the most.
func share(n, most float64) string {
	if most <= 0 {
		return ""
	}
	return `<svg class="bar" viewBox="0 0 100 3" preserveAspectRatio="none" aria-hidden="true"><rect width="` +
		strconv.FormatFloat(percent(n, most), 'f', 1, 64) + `" height="3"/></svg>`
}
