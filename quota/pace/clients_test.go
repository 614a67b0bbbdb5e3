package pace_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/neuronward/neuronward/quota/pace"
	"github.com/neuronward/neuronward/quota/workload"
)

func TestLimiterOfSeveralLimitsTakesAllOrNone(t *testing.T) {
	virtually(t, func(t *testing.T) {
		p, key := paced(t, 60)
		a, b := key, key
		a.Client, a.ClientLimit = "a", 5 // one at once, then one in 15 s
		b.Client, b.ClientLimit = "b", 600
		if n := drain(t, p, a); n != 1 {
			t.Fatalf("a: got %d calls passed at once, want 1", n)
		}
		d, _ := p.Acquire(t.Context(), a, 0)
		want := pace.Decision{
			Limit: "client", Client: "a", PerMinute: 5, Pace: 5, Window: time.Minute,
			RetryAfter: 15001 * time.Millisecond,
		}
		if d != want {
			t.Errorf("a's next call: got %+v, want %+v", d, want)
		}
		if n := drain(t, p, b); n != 5 {
			t.Errorf("b: got %d calls passed at once, want the 5 that a left of the model's 6", n)
		}
		if d, _ := p.Acquire(t.Context(), b, 0); d.Limit != pacedModel || d.Client != "" {
			t.Errorf("b's next call: got limit %q of client %q, want the model's %q", d.Limit, d.Client, pacedModel)
		}
		ofClient := pace.Key{Task: workload.TextToSpeech, Client: "b", ClientLimit: 600}
		if r, _ := p.Remaining(ofClient, time.Now()); r.Requests != 60-5 {
			t.Errorf("b's own limit: got %d left, want 55: a refusal by the model's counts with the client", r.Requests)
		}
	})
}

func TestLimiterAClientDoesNotBlockOthers(t *testing.T) {
	virtually(t, func(t *testing.T) {
		p, key := paced(t, 60)
		a := key
		a.Client, a.ClientLimit = "a", 5
		started := time.Now()
		drain(t, p, a)
		slow := queueUp(t.Context(), p, a, 20*time.Second, started)
		if n := drain(t, p, key); n != 5 {
			t.Errorf("behind a client that waits for its own limit: got %d calls passed, want 5", n)
		}
		other := queueUp(t.Context(), p, key, 5*time.Second, started)
		time.Sleep(20 * time.Second)
		synctest.Wait()
		wantPass(t, "other", other, time.Second*10/9)
		wantPass(t, "client", slow, 15*time.Second)
	})
}

// A call that comes when there is a token for a waiting one, whose timer is late,
// does not overtake it. Timers are up to a nanosecond late.
func TestLimiterNobodyOvertakesALateTimer(t *testing.T) {
	virtually(t, func(t *testing.T) {
		p, key := paced(t, 60)
		a := key
		a.Client, a.ClientLimit = "a", 5
		elsewhere := pace.Key{Task: workload.TextToSpeech, Client: "a", ClientLimit: 5}
		started := time.Now()
		drain(t, p, a)
		waits := queueUp(t.Context(), p, a, 20*time.Second, started)
		time.Sleep(15 * time.Second)
		if waits.done {
			t.Fatalf("got %+v, want a call whose timer is late", waits)
		}
		if d, _ := p.Acquire(t.Context(), elsewhere, 0); d.OK {
			t.Error("another call of the client: got it passed, want it refused, behind the waiting call")
		}
		if n := drain(t, p, key); n != 5 {
			t.Errorf("got %d calls passed, want the 5 that the waiting call leaves of 6", n)
		}
		synctest.Wait()
		if !waits.d.OK || waits.at != 15*time.Second {
			t.Errorf("waiting call: got OK %v at %v, want true at 15s", waits.d.OK, waits.at)
		}
	})
}

// A call that waits for less time than those before it is not served with them.
func TestLimiterOfTwoClientsThatWait(t *testing.T) {
	virtually(t, func(t *testing.T) {
		p, key := paced(t, 600)
		slow, fast := key, key
		slow.Client, slow.ClientLimit = "slow", 5
		fast.Client, fast.ClientLimit = "fast", 60
		started := time.Now()
		drain(t, p, slow)
		drain(t, p, fast)
		first := queueUp(t.Context(), p, slow, 20*time.Second, started)
		second := queueUp(t.Context(), p, fast, 20*time.Second, started)
		time.Sleep(20 * time.Second)
		synctest.Wait()
		wantPass(t, "first", first, 15*time.Second)
		wantPass(t, "second", second, time.Second*10/9)
	})
}

// A call waits for its client, then for its model; while it waits for one it
// does not count with the calls that the other blocks.
func TestLimiterOfACallThatWaitsTwice(t *testing.T) {
	virtually(t, func(t *testing.T) {
		p, key := paced(t, 20) // a burst of 4, then one in 3.75 s
		a := key
		a.Client, a.ClientLimit = "a", 60 // 0.9 a second
		elsewhere := pace.Key{Task: workload.TextToSpeech, Client: "a", ClientLimit: 60}
		started := time.Now()
		drain(t, p, elsewhere)
		waits := queueUp(t.Context(), p, a, 20*time.Second, started) // for the client, until 1.11 s
		drain(t, p, key)
		time.Sleep(2 * time.Second) // the client has 1.8
		synctest.Wait()
		if d, _ := p.Acquire(t.Context(), elsewhere, 0); !d.OK {
			t.Errorf("behind a call that its model blocks: got %+v, want it passed", d)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		wantPass(t, "waits", waits, 3750*time.Millisecond)
		if r, _ := p.Remaining(elsewhere, time.Now()); r.Requests != 1 {
			t.Errorf("left of the client's limit: got %d, want 1", r.Requests)
		}
	})
}

// A client's call waits at one model, one without a wait comes at another: the
// client's next token is not for it.
func TestLimiterOfAClientAcrossModels(t *testing.T) {
	virtually(t, func(t *testing.T) {
		p, key := paced(t, 600)
		key.Client, key.ClientLimit = "a", 60 // 6 at once, then 0.9 a second
		elsewhere := pace.Key{Task: workload.TextEmbeddings, Client: "a", ClientLimit: 60}
		started := time.Now()
		drain(t, p, key)
		waits := queueUp(t.Context(), p, key, 5*time.Second, started)
		d, _ := p.Acquire(t.Context(), elsewhere, 2*time.Second)
		if d.OK || d.RetryAfter != 2223*time.Millisecond {
			t.Errorf("got OK %v, retry after %v; want false, 2.223s: after the second token", d.OK, d.RetryAfter)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		wantPass(t, "waits", waits, time.Second*10/9)
	})
}
