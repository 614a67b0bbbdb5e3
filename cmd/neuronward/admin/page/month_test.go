package page

import (
	"strings"
	"testing"

	"github.com/neuronward/neuronward/cmd/neuronward/admin/status"
)

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
