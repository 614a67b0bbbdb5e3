package guard

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/neuronward/neuronward/normalize"
	"github.com/neuronward/neuronward/quota"
)

// A failed attempt that cost something is settled at once; the next one reserves anew, and the call costs both.
func TestAttempts(t *testing.T) {
	g, r := newGuard(t, Options{})
	ch, err := g.Reserve(t.Context(), callOf(g, llama))
	if err != nil {
		t.Fatal(err)
	}
	failed := Outcome{
		Sent:    true,
		Failure: &normalize.Failure{Code: normalize.UpstreamInternalError, Origin: normalize.OriginUpstream},
	}

	ch.Attempt(failed)
	if ch.reservation == nil {
		t.Error("got no reservation after an attempt that cost nothing, want the first one")
	}
	ch.Meter().Write([]byte(`{"usage":{"neurons":2}}`))
	ch.Attempt(failed)
	if ch.reservation != nil {
		t.Error("got the first reservation after an attempt that cost something, want none")
	}
	if u := ch.Meter().Report().Usage; u.HasNeurons {
		t.Errorf("got %v neurons on the meter of the next attempt, want none", u.Neurons)
	}
	if ok := ch.Renew(t.Context()); !ok || ch.reservation == nil {
		t.Fatalf("Renew() = %t, reservation %v, want true and a second one", ok, ch.reservation)
	}
	ch.Meter().Write([]byte(`{"usage":{"neurons":3}}`))
	got := ch.Settle(Outcome{Sent: true, Answered: true, Complete: true})
	if want := (Settlement{Neurons: 5 * quota.OneNeuron, Because: Usage}); got == nil || *got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if want := []quota.Neurons{2 * quota.OneNeuron, 3 * quota.OneNeuron}; !slices.Equal(r.spent, want) {
		t.Errorf("got %v counted as spent, want %v", r.spent, want)
	}
	if used := g.ledger.Snapshot().Account.Used; used != 5*quota.OneNeuron {
		t.Errorf("got %v used, want 5", used.Float())
	}
	if r.ratios != 1 {
		t.Errorf("got %d ratios observed, want 1", r.ratios)
	}
}

// The charge of a call that is not metered takes all that is done with one.
func TestTheNilCharge(t *testing.T) {
	var ch *Charge
	ch.Attempt(Outcome{})
	ch.Accepted()
	ch.Release()
	if s := ch.Settle(Outcome{}); s != nil {
		t.Errorf("got %+v, want no settlement", s)
	}
	if !ch.Renew(t.Context()) {
		t.Error("Renew() = false, want true")
	}
	if f := ch.Blocked(); f != nil {
		t.Errorf("got %v, want no failure", f)
	}
	if ch.Meter() != nil {
		t.Error("got a meter, want none")
	}
	g := New(Options{})
	g.Block(nil)
	g.Observe(time.Now())
	at, wait := g.Reset()
	if !at.After(time.Now()) {
		t.Errorf("got a reset at %v, want the next midnight", at)
	}
	if wait <= 0 || wait > 24*time.Hour {
		t.Errorf("got a reset in %v, want more than 0 and a day at most", wait)
	}
}

// A batch is charged what was reserved; the first poll that reports its cost corrects that, for the client that
// submitted it.
func TestBatch(t *testing.T) {
	g, r := newGuard(t, Options{})
	call := callOf(g, llama)
	call.Batch, call.Client = true, "a"
	ch, err := g.Reserve(t.Context(), call)
	if err != nil {
		t.Fatal(err)
	}
	done := Outcome{Sent: true, Answered: true, Complete: true}
	ch.Meter().Write([]byte(`{"result":{"status":"queued","request_id":"8f0c"}}`))
	reserved := ch.reservation.Neurons()
	if got := ch.Settle(done); got.Neurons != reserved || got.Because != Reservation {
		t.Errorf("got %+v, want %v because of the reservation", got, reserved.Float())
	}

	for client, want := range map[string]bool{"a": false, "b": true} {
		if got := g.SubmittedByOther(t.Context(), "8f0c", client); got != want {
			t.Errorf("asked for by %s: got that it is another client's: %v, want %v", client, got, want)
		}
	}
	call.Poll = "8f0c"
	for range 2 {
		poll, err := g.Reserve(t.Context(), call)
		if err != nil {
			t.Fatal(err)
		}
		poll.Meter().Write([]byte(`{"result":{"responses":[{}],"usage":{"neurons":0.25}}}`))
		if got := poll.Settle(done); got != nil {
			t.Errorf("got %+v for a poll, want no settlement", got)
		}
		if used := g.ledger.Snapshot().Account.Used; used != quota.OneNeuron/4 {
			t.Errorf("got %v used, want 0.25", used.Float())
		}
	}
	if len(r.spent) != 1 {
		t.Errorf("got %v counted as spent, want what was reserved and no more", r.spent)
	}
}

// A model of the paid plan is refused on the free one.
func TestPlan(t *testing.T) {
	g, r := newGuard(t, Options{FreePlan: true})
	call := callOf(g, llama)
	call.Model.RequiresWorkersPaid = true
	_, err := g.Reserve(t.Context(), call)
	var f *normalize.Failure
	if !errors.As(err, &f) || f.Code != normalize.PaidPlanRequired {
		t.Fatalf("got %v, want paid_plan_required", err)
	}
	if want := "The model " + llama + " requires a Workers Paid plan, and this proxy is set up for the free one. " +
		"If the account is on Workers Paid, set {PLAN}=paid."; f.Message != want {
		t.Errorf("got %q, want %q", f.Message, want)
	}
	if want := []string{"plan enforce"}; !slices.Equal(r.preempted, want) {
		t.Errorf("got %v counted, want %v", r.preempted, want)
	}
}
