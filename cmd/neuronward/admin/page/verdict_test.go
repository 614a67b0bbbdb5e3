package page

import (
	"strings"
	"testing"

	"github.com/neuronward/neuronward/cmd/neuronward/admin/status"
)

// The verdict is the head of the page, and each of its four findings has a line. What the head says to do is not said
// again below.
func TestVerdict(t *testing.T) {
	in := &Input{Now: three, Status: &status.Status{Today: emptyDay()}}
	s := in.Status
	s.Limit, s.External = some(10_000), some(214)
	s.Yesterday = &status.Yesterday{Used: neurons(7310), ByNow: some(4107)}
	s.Verdict = status.Verdict{
		Quota:    status.Finding{State: status.StateWarning, Because: "Nearly spent.", Action: "Wait."},
		Failures: status.Finding{State: status.StateCritical, Because: "Calls <fail>.", Action: "Look."},
		Clients:  status.Finding{State: status.StateOK, Because: "All well.", Action: "Rest."},
		Store:    status.Finding{State: status.StateOff, Because: "None."},
	}
	s.Verdict.Finding = s.Verdict.Failures
	page := written(t, in)
	for _, want := range []string{
		`data-level="critical" data-state="critical: warning, critical, ok, off"`,
		`<h1 id="verdict-head"><span class="badge">Critical</span> Calls &lt;fail&gt;.</h1>` + "\n" +
			`<p class="then">Look.</p>`,
		`<div class="level-warning" data-finding="Quota"><dt>Quota</dt><dd>Nearly spent. ` +
			`<span class="do-this">Wait.</span></dd></div>`,
		`<dt>Failures</dt><dd>Calls &lt;fail&gt;.</dd>`, `<dt>Clients</dt><dd>All well.</dd>`,
		`<div class="level-off" data-finding="Store"><dt>Store</dt><dd>None.</dd></div>`,
		"214 of it outside this proxy, by the account’s own figure.",
		"Yesterday it was 4,107 by this time of the day, 7,310 in the end.",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("got\n%s\nwant %s", page, want)
		}
	}
	wantNone(t, "the page", page, "only observes")
	s.Mode, s.Verdict.Quota.State = "observe", status.StateOK // else the finding says so
	if got := written(t, in); !strings.Contains(got, "This proxy only observes (NEURONWARD_QUOTA_MODE)") {
		t.Errorf("got\n%s\nwant it to say that it only observes", got)
	}
}

// The store's finding says why calls are refused: it is not said twice. For another reason the page says it by itself.
func TestWhyCallsAreRefused(t *testing.T) {
	in := &Input{Now: three, Status: &status.Status{Today: emptyDay()}, Unready: "draining"}
	if got := written(t, in); !strings.Contains(got, `<p class="alarm">Calls are refused: draining</p>`) {
		t.Errorf("got\n%s\nwant the reason", got)
	}
	in.Status.Verdict.Store.State = status.StateCritical
	wantNone(t, "the page without a store", written(t, in), `class="alarm"`)
}

// What fails comes right below the verdict.
func TestFailuresComeFirst(t *testing.T) {
	page := written(t, afternoon())
	verdict, failing, curve := strings.Index(page, `id="verdict"`), strings.Index(page, `id="failing"`),
		strings.Index(page, `id="curve"`)
	if verdict < 0 || failing < verdict || curve < failing {
		t.Errorf("got the verdict at %d, failures at %d, the curve at %d; want this order", verdict, failing, curve)
	}
}

// judged returns a copy of s with its verdict.
func judged(s *status.Status, in *Input) *status.Status {
	all := *s
	all.Verdict = status.Judge(&all, in.Failures, 2400, in.Now)
	return &all
}

// Where nothing is counted the page says so.
func TestVerdictWhereNothingIsCounted(t *testing.T) {
	off := status.Today{Mode: "off", Store: status.Store{Kind: "none"}}
	in := &Input{Now: three, Status: &status.Status{Today: off}}
	in.Status = judged(in.Status, in)
	page := written(t, in)
	for _, want := range []string{"Not counted</span> Neurons are not counted.", "NEURONWARD_QUOTA_MODE is off"} {
		if !strings.Contains(page, want) {
			t.Errorf("got\n%s\nwant %s", page, want)
		}
	}
}
