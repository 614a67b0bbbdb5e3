package guard

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/memstore"
	"github.com/neuronward/neuronward/quota/price"
)

// failing is a store that can fail for batches.
type failing struct {
	quota.Store
	err error
}

func (f *failing) PutBatch(ctx context.Context, b quota.Batch) error {
	if f.err != nil {
		return f.err
	}
	return f.Store.PutBatch(ctx, b)
}

func (f *failing) Batch(ctx context.Context, today quota.Day, id string, settle bool) (quota.Batch, bool, error) {
	if f.err != nil {
		return quota.Batch{}, false, f.err
	}
	return f.Store.Batch(ctx, today, id, settle)
}

// restarted returns a guard on a store, as a process that starts has one.
func restarted(t *testing.T, s quota.Store) *Guard {
	t.Helper()
	ledger, err := quota.New(t.Context(), quota.Options{Store: s, Limit: 1000 * quota.OneNeuron, Heartbeat: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ledger.Close(context.Background()) })
	return New(Options{Ledger: ledger, Estimator: price.NewEstimator(nil, price.Bound), Recorder: &recorder{}})
}

// submit submits the batch 8f0c as a client and returns what it was charged.
func submit(t *testing.T, g *Guard, client string) quota.Neurons {
	t.Helper()
	call := callOf(g, llama)
	call.Batch, call.Client = true, client
	ch, err := g.Reserve(t.Context(), call)
	if err != nil {
		t.Fatal(err)
	}
	ch.Meter().Write([]byte(`{"result":{"status":"queued","request_id":"8f0c"}}`))
	return ch.Settle(Outcome{Sent: true, Answered: true, Complete: true}).Neurons
}

// poll asks after the batch 8f0c, gets an answer and returns what is used then.
func poll(t *testing.T, g *Guard, client, answer string) quota.Neurons {
	t.Helper()
	call := callOf(g, llama)
	call.Batch, call.Client, call.Poll = true, client, "8f0c"
	ch, err := g.Reserve(t.Context(), call)
	if err != nil {
		t.Fatal(err)
	}
	ch.Meter().Write([]byte(answer))
	ch.Settle(Outcome{Sent: true, Answered: true, Complete: true})
	return g.ledger.Snapshot().Account.Used
}

const (
	running = `{"result":{"status":"running","request_id":"8f0c"}}`
	ended   = `{"result":{"responses":[{}],"usage":{"neurons":0.25}}}`
)

func wantUsed(t *testing.T, what string, got, want quota.Neurons) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v used, want %v", what, got, want)
	}
}

func wantForeign(t *testing.T, g *Guard, client string, want bool) {
	t.Helper()
	if got := g.SubmittedByOther(t.Context(), "8f0c", client); got != want {
		t.Errorf("asked for by %s: got that it is another client's: %v, want %v", client, got, want)
	}
}

func TestABatchSurvivesARestart(t *testing.T) {
	for _, owner := range []string{"a", Anonymous} {
		store := memstore.New(nil)
		before := restarted(t, store)
		charged := submit(t, before, owner)
		if err := before.ledger.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		g := restarted(t, store)
		wantForeign(t, g, "a", false)
		wantForeign(t, g, "b", owner == "a")
		wantUsed(t, "running", poll(t, g, "a", running), charged)
		wantUsed(t, "done", poll(t, g, "a", ended), quota.OneNeuron/4)
		wantUsed(t, "asked again", poll(t, g, "a", ended), quota.OneNeuron/4)
		wantForeign(t, g, "b", owner == "a")
		for _, r := range g.ledger.Snapshot().Records {
			if r.Client != owner {
				t.Errorf("got a record of %s, want one of %s", r.Client, owner)
			}
		}
		again := restarted(t, store)
		wantForeign(t, again, "b", owner == "a")
		used := again.ledger.Snapshot().Account.Used
		wantUsed(t, "asked after another restart", poll(t, again, "a", ended), used)
	}
}

// While the store fails for batches, polls pass: whose a batch is, is known to the process that took it. It is settled
// once the store works again, also where it never had it.
func TestBatchesOfAStoreThatFails(t *testing.T) {
	for name, kept := range map[string]bool{"after the batch was kept": true, "before": false} {
		t.Run(name, func(t *testing.T) {
			down := errors.New("down")
			store := &failing{Store: memstore.New(nil)}
			if !kept {
				store.err = down
			}
			g := restarted(t, store)
			charged := submit(t, g, "a")
			store.err = down
			wantForeign(t, g, "a", false)
			wantForeign(t, g, "b", true)
			wantForeign(t, restarted(t, store), "b", false)
			wantUsed(t, "done, while the store fails", poll(t, g, "a", ended), charged)
			store.err = nil
			wantUsed(t, "done", poll(t, g, "a", ended), quota.OneNeuron/4)
			wantUsed(t, "asked again", poll(t, g, "a", ended), quota.OneNeuron/4)
		})
	}
}

// Two replicas that find a batch done settle it once.
func TestABatchIsSettledOnceByReplicas(t *testing.T) {
	store := memstore.New(nil)
	first, second := restarted(t, store), restarted(t, store)
	submit(t, first, "a")
	wantForeign(t, second, "a", false) // it knows it from now on
	poll(t, first, "a", ended)
	before := second.ledger.Snapshot().Account.Used
	wantUsed(t, "the other replica, which settles nothing", poll(t, second, "a", ended), before)
}
