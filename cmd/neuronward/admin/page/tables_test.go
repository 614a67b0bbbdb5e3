package page

import (
	"strings"
	"testing"

	"github.com/neuronward/neuronward/metrics/minutes"
	"github.com/neuronward/neuronward/proxy/recent"
)

func TestFilterOfFailures(t *testing.T) {
	in := afternoon()
	all := in.Status.Failures
	for filter, want := range map[string]int{"": 50, "  ": 50, all[7].RequestID: 1, "no such thing": 0} {
		if got := len(matching(all, filter)); got != want {
			t.Errorf("%q: got %d failures, want %d", filter, got, want)
		}
	}
	rows := matching(all, "SUPPORT-bot 3040")
	if len(rows) == 0 || len(rows) == 50 {
		t.Errorf("got %d failures, want some of 50", len(rows))
	}
	for _, r := range rows {
		if r.Client != "support-bot" || r.Number != 3040 {
			t.Errorf("got %s, %d; want support-bot, 3040", r.Client, r.Number)
		}
	}
	in.Filter = "support-bot"
	got := written(t, in)
	if want := `value="support-bot"`; !strings.Contains(got, want) {
		t.Errorf("got a page without %s, want it on\n%s", want, got)
	}
	wantNone(t, "the page with the filter "+in.Filter, got, `data-of="client">search<`)
}

// Calls that were refused without a key have a table of their own, and the filter is for both.
func TestRefusals(t *testing.T) {
	in := afternoon()
	if got := written(t, in); strings.Contains(got, "were refused for") {
		t.Error("got a table of refusals, want none: nothing was refused")
	}
	in.Status.Refusals = []recent.Failure{
		{Name: "client_unauthorized", Number: 90003, Status: 401, RequestID: "no-key"},
		{Name: "route_not_proxied", Number: 90001, Status: 404, RequestID: "no-path"},
	}
	got := written(t, in)
	_, refused, _ := strings.Cut(got, `id="refused"`)
	for _, want := range []string{"no-key", "no-path", "were refused for"} {
		if !strings.Contains(refused, want) {
			t.Errorf("got the table of refusals %s, want %q in it", refused, want)
		}
	}
	in.Filter = "no-path"
	got = written(t, in)
	if strings.Contains(got, "no-key") || !strings.Contains(got, `data-id="request">no-path</code>`) {
		t.Errorf("filtered by %s: got\n%s\nwant no-path and not no-key", in.Filter, got)
	}
}

// The tables show who spent something today, then who called in the last hour and spent nothing.
func TestTables(t *testing.T) {
	in := afternoon()
	in.Clients["idle"] = minutes.LastHour{Calls: 2}
	in.Clients["busy"] = minutes.LastHour{Calls: 7, Failed: 7}
	in.Status.Clients[3].Name = ""
	table := clientTable(in.Status.Clients, in.Clients)
	var names []string
	for i := range table.Rows {
		names = append(names, table.Rows[i].Label())
	}
	if got, want := strings.Join(names, " "), "support-bot search reports (none) notebooks busy idle"; got != want {
		t.Errorf("got rows %s, want %s", got, want)
	}
	if got, want := table.Rows[0].Budget(), "68 % of 5,000"; got != want {
		t.Errorf("got budget %s, want %s", got, want)
	}
	if got, want := table.Rows[2].Budget(), "–"; got != want {
		t.Errorf("got budget %s, want %s", got, want)
	}
	if got := table.Rows[0].Hour.Calls; got != 341 {
		t.Errorf("got %d calls in the last hour, want 341", got)
	}
	if got := table.Rows[0].Share; got != 100 {
		t.Errorf("got a share of %g %%, want 100", got)
	}
	if got, want := table.Rows[5].Link(), "/?q=busy#last"; got != want {
		t.Errorf("got link %s, want %s", got, want)
	}
	if modelTable(in.Status.Models, in.Models).Budgets || !table.Budgets {
		t.Error("got budgets of models or none of clients, want those of clients alone")
	}
}

func TestOriginsInWords(t *testing.T) {
	for o, want := range map[string]string{
		"upstream": "Workers AI", "guard": "this proxy", "proxy": "this proxy (failed)",
	} {
		if got := origin(o); got != want {
			t.Errorf("%s: got %q, want %q", o, got, want)
		}
	}
	in := &Input{Now: three, Status: afternoon().Status}
	in.Status.Failures = []recent.Failure{{Name: "timeout", RequestID: "r"}}
	want := `<td role="cell" class="number" data-of="status">–</td>`
	if got := written(t, in); !strings.Contains(got, want) {
		t.Errorf("a failure without a status: got the page\n%s\nwant %s in it", got, want)
	}
}

func TestHoursAsATable(t *testing.T) {
	in := afternoon()
	got := strings.Join(strings.Fields(shown(t, in, `id="hours"`, "</tbody>")), " ")
	y := in.Status.Yesterday.Hours
	for _, want := range []string{
		"01:00" + amount(*in.Status.Hours[0]) + amount(*y[0]) + " ",
		"16:00" + amount(*in.Status.Used) + amount(*y[15]) + " ", "17:00–" + amount(*y[16]) + " ", "24:00–7,239",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("got %s, want %s in it", got, want)
		}
	}
	in.Status.Yesterday = nil
	got = strings.Join(strings.Fields(shown(t, in, `id="hours"`, "</tbody>")), " ")
	if want := "24:00––"; !strings.Contains(got, want) {
		t.Errorf("yesterday is not known: got %s, want %s in it", got, want)
	}
}
