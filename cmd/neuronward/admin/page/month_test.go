package page

import (
	"strings"
	"testing"

	"github.com/neuronward/neuronward/cmd/neuronward/admin/status"
	"github.com/neuronward/neuronward/cmd/neuronward/bill"
)

// Dollars are shown where something costs, and on plans that bill.
func TestDollars(t *testing.T) {
	in := afternoon()
	in.Status.Cost = &bill.Cost{Month: new(bill.Dollars(0))}
	wantNone(t, "the page on the free plan", written(t, in), "US dollars")
	in.Status.Plan = "paid"
	in.Status.Cost = &bill.Cost{Today: 1.234, Month: new(bill.Dollars(20.5)), Forecast: new(bill.Dollars(31))}
	in.Status.Clients[0].USD = 0.87654
	page := written(t, in)
	for _, want := range []string{
		`<dt>US dollars today</dt><dd data-figure="usd-today" data-value="1.23">1.23</dd>`,
		`<dt>US dollars this month, about 31.00 by its end</dt><dd data-figure="usd-month" data-value="20.50">`,
		`<br>$0.88</td>`,
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page is\n%s\nwant in it %s", page, want)
		}
	}
	if got := strings.Count(page, "<br>$"); got != 1 {
		t.Errorf("got %d rows with dollars, want 1", got)
	}
	in.Status.Cost = &bill.Cost{Today: 1}
	wantNone(t, "the page while the month is not known", written(t, in), "this month")
}

// A row says how many of its calls would have been refused.
func TestWouldRefuse(t *testing.T) {
	in := afternoon()
	wantNone(t, "the page without such calls", written(t, in), "would be refused:")
	in.Status.Clients[1].WouldRefuse = status.Reasons{"rate": 3, "client_budget": 12}
	in.Status.Models[2].WouldRefuse = status.Reasons{"plan": 1}
	for name, want := range map[string]string{"search": "client_budget 12, rate 3", gptOSS: "plan 1"} {
		row := shown(t, in, `data-key="`+name+`"`, "</tr>")
		if !strings.Contains(row, "would be refused: "+want) {
			t.Errorf("the row of %s is %q, want in it %q", name, row, want)
		}
	}
}

// What is left of a limit of the month is shown where there is one, of the account and of a client.
func TestMonths(t *testing.T) {
	in := afternoon()
	if page := written(t, in); strings.Contains(page, `data-figure="month"`) {
		t.Error("the page has a figure of the month, want none without such a limit")
	}
	in.Status.Month = &status.Month{Limit: neurons(300_000), Used: neurons(287_654), Remaining: neurons(12_346)}
	const want = `<dt>neurons left of the month’s 300,000</dt><dd data-figure="month" data-value="12346">12,346</dd>`
	if page := written(t, in); !strings.Contains(page, want) {
		t.Errorf("the page is\n%s\nwant in it %s", page, want)
	}
	for client, want := range map[string]bool{"search": true, "support-bot": false} {
		row := shown(t, in, `data-key="`+client+`"`, "</tr>")
		if got := strings.Contains(row, "month: 18,750 of 60,000 left"); got != want {
			t.Errorf("the row of %s is %q; has a month: %t, want %t", client, row, got, want)
		}
	}
}
