package pace_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/pace"
)

func TestPaceOfSeveralLimitsTakesAllOrNone(t *testing.T) {
	virtually(t, func(t *testing.T) {
		p, key := paced(t, 60)
		a, b := key, key
		a.Client, a.ClientLimit = "a", 5 // one at once, then one in 15 s
		b.Client, b.ClientLimit = "b", 600
		if n := drain(t, p, a); n != 1 {
			t.Fatalf("%d of a passed at once, not 1", n)
		}
		d, _ := p.Acquire(t.Context(), a, 0)
		if want := (pace.Decision{Limit: "client", Client: "a", PerMinute: 5, Pace: 5, Window: time.Minute, RetryAfter: 15001 * time.Millisecond}); d != want {
			t.Errorf("%+v, not %+v", d, want)
		}
		if n := drain(t, p, b); n != 5 {
			t.Errorf("%d of b passed at once, not the 5 that a left of the model's 6", n)
		}
		if d, _ := p.Acquire(t.Context(), b, 0); d.Limit != pacedModel || d.Client != "" {
			t.Errorf("%+v, not refused by the model's limit", d)
		}
		if r, _ := p.Remaining(pace.Key{Task: quota.TextToSpeech, Client: "b", ClientLimit: 600}, time.Now()); r.Requests != 60-5 {
			t.Errorf("b has %d left, not 55: a refusal of the model's counts with the client", r.Requests)
		}
	})
}

func TestPaceAClientDoesNotHoldOthersBack(t *testing.T) {
	virtually(t, func(t *testing.T) {
		p, key := paced(t, 60)
		a := key
		a.Client, a.ClientLimit = "a", 5
		started := time.Now()
		drain(t, p, a)
		slow := queueUp(t.Context(), p, a, 20*time.Second, started)
		if n := drain(t, p, key); n != 5 {
			t.Errorf("%d passed behind a client that waits for itself, not 5", n)
		}
		other := queueUp(t.Context(), p, key, 5*time.Second, started)
		time.Sleep(20 * time.Second)
		synctest.Wait()
		if turn := time.Second * 10 / 9; !other.d.OK || (other.at-turn).Abs() > time.Microsecond {
			t.Errorf("the other: %+v, its turn is at %v", other, turn)
		}
		if turn := 15 * time.Second; !slow.d.OK || (slow.at-turn).Abs() > time.Microsecond {
			t.Errorf("the client: %+v, its turn is at %v", slow, turn)
		}
	})
}

// What comes when a waiting call's turn has come, and its timer has not, is
// served behind it. Timers are up to a nanosecond late.
func TestPaceNobodySlipsIn(t *testing.T) {
	virtually(t, func(t *testing.T) {
		p, key := paced(t, 60)
		a := key
		a.Client, a.ClientLimit = "a", 5
		elsewhere := pace.Key{Task: quota.TextToSpeech, Client: "a", ClientLimit: 5}
		started := time.Now()
		drain(t, p, a)
		waits := queueUp(t.Context(), p, a, 20*time.Second, started)
		time.Sleep(15 * time.Second)
		if waits.done {
			t.Fatalf("%+v: its timer is not late", waits)
		}
		if d, _ := p.Acquire(t.Context(), elsewhere, 0); d.OK {
			t.Error("the client's token went to another call of the client")
		}
		if n := drain(t, p, key); n != 5 {
			t.Errorf("%d passed, not what the waiting call leaves of 6", n)
		}
		synctest.Wait()
		if !waits.d.OK || waits.at != 15*time.Second {
			t.Errorf("%+v, not served", waits)
		}
	})
}

// A call that waits for less time than those before it is not served with them.
func TestPaceOfTwoClientsThatWait(t *testing.T) {
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
		for q, turn := range map[*queued]time.Duration{first: 15 * time.Second, second: time.Second * 10 / 9} {
			if !q.d.OK || (q.at-turn).Abs() > time.Microsecond {
				t.Errorf("%+v, its turn is at %v", q, turn)
			}
		}
	})
}

// A call waits for its client, then for its model; while it waits for one it
// does not count with those that the other holds back.
func TestPaceOfACallThatWaitsTwice(t *testing.T) {
	virtually(t, func(t *testing.T) {
		p, key := paced(t, 20) // a burst of 4, then one in 3.75 s
		a := key
		a.Client, a.ClientLimit = "a", 60 // 0.9 a second
		elsewhere := pace.Key{Task: quota.TextToSpeech, Client: "a", ClientLimit: 60}
		started := time.Now()
		drain(t, p, elsewhere)
		waits := queueUp(t.Context(), p, a, 20*time.Second, started) // for the client, until 1.11 s
		drain(t, p, key)
		time.Sleep(2 * time.Second) // the client has 1.8
		synctest.Wait()
		if d, _ := p.Acquire(t.Context(), elsewhere, 0); !d.OK {
			t.Errorf("%+v, behind a call that its model holds back", d)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if turn := 3750 * time.Millisecond; !waits.d.OK || (waits.at-turn).Abs() > time.Microsecond {
			t.Errorf("%+v, its turn is at %v", waits, turn)
		}
		if r, _ := p.Remaining(elsewhere, time.Now()); r.Requests != 1 {
			t.Errorf("%d left of the client's, not 1", r.Requests)
		}
	})
}

// A client's call waits at one model, one without a wait comes at another: the
// client's next token is not for it.
func TestPaceOfAClientAcrossModels(t *testing.T) {
	virtually(t, func(t *testing.T) {
		p, key := paced(t, 600)
		key.Client, key.ClientLimit = "a", 60 // 6 at once, then 0.9 a second
		elsewhere := pace.Key{Task: quota.TextEmbeddings, Client: "a", ClientLimit: 60}
		started := time.Now()
		drain(t, p, key)
		waits := queueUp(t.Context(), p, key, 5*time.Second, started)
		d, _ := p.Acquire(t.Context(), elsewhere, 2*time.Second)
		if d.OK || d.RetryAfter != 2223*time.Millisecond {
			t.Errorf("%+v, not to come back after the second token", d)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if turn := time.Second * 10 / 9; !waits.d.OK || (waits.at-turn).Abs() > time.Microsecond {
			t.Errorf("%+v, its turn is at %v", waits, turn)
		}
	})
}
