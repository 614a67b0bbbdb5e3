package pace_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/pace"
)

// paceOf returns the pace at which a model stands, as shown; 0 where it is not
// shown.
func paceOf(p *pace.Limiter, model string) float64 {
	for _, s := range p.Snapshot(time.Now()) {
		if s.Model == model {
			return s.Pace
		}
	}
	return 0
}

func TestPaceLearnsFrom3021(t *testing.T) {
	virtually(t, func(t *testing.T) {
		p, key := paced(t, 300)
		drain(t, p, key)
		steps := []struct {
			after time.Duration
			says  bool
			pace  float64
		}{
			{0, true, 150},
			{0, false, 150}, // a volley is one signal
			{10 * time.Second, false, 150},
			{10 * time.Second, true, 82.5}, // recovered one step of 15 meanwhile
			{20 * time.Second, true, 48.75},
			{20 * time.Second, true, 31.875},
			{20 * time.Second, true, 23.4375},
		}
		for i, s := range steps {
			time.Sleep(s.after)
			if halved := p.Throttled(key, time.Now()); halved != s.says || paceOf(p, pacedModel) != s.pace {
				t.Errorf("signal %d: %v and %v a minute, not %v and %v", i, halved, paceOf(p, pacedModel), s.says, s.pace)
			}
		}
		time.Sleep(15*time.Second - 1)
		if pace := paceOf(p, pacedModel); pace != 23.4375 {
			t.Errorf("recovered to %v before 15 s were over", pace)
		}
		time.Sleep(time.Nanosecond)
		if pace := paceOf(p, pacedModel); pace != 38.4375 {
			t.Errorf("%v after 15 s, not 38.4375", pace)
		}
		if d, _ := p.Acquire(t.Context(), key, 0); d.OK && drain(t, p, key) > 3 {
			t.Error("the burst is still that of the limit")
		}
		if d, _ := p.Acquire(t.Context(), key, 0); d.OK || d.PerMinute != 300 || d.Pace != 38.4375 {
			t.Errorf("%+v does not say that 300 stand at 38", d)
		}
		time.Sleep(5 * time.Minute)
		if pace := paceOf(p, pacedModel); pace != 300 {
			t.Errorf("%v after five minutes without 3021, not 300", pace)
		}
	})
}

func TestPaceHalvedIsHalved(t *testing.T) {
	for _, perMinute := range []int{20, 300} {
		t.Run(fmt.Sprint(perMinute), func(t *testing.T) {
			virtually(t, func(t *testing.T) {
				p, key := paced(t, perMinute)
				drain(t, p, key)
				passed, end := 0, time.Now().Add(10*time.Minute)
				for time.Now().Before(end) {
					p.Throttled(key, time.Now()) // takes back each step of recovery, down to the lowest
					passed += drain(t, p, key)
					time.Sleep(time.Second)
				}
				// 1 of 20, 6 of 300, and one step of recovery on top, of 1 and 15, for three quarters of the time.
				if most := map[int]int{20: 30, 300: 250}[perMinute]; passed > most || passed < most/4 {
					t.Errorf("%d passed in ten minutes, not %d to %d", passed, most/4, most)
				}
			})
		})
	}
}

func TestPaceLearnsByModel(t *testing.T) {
	virtually(t, func(t *testing.T) {
		p := pace.New(pace.Table{})
		slow := pace.Key{Task: quota.TextGeneration, Model: "@cf/a/slow"}
		other := pace.Key{Task: quota.TextGeneration, Model: "@cf/a/other"}
		p.Throttled(slow, time.Now())
		if n := drain(t, p, slow); n != 15 {
			t.Errorf("%d of the slow one passed at once, not 15", n)
		}
		if d, _ := p.Acquire(t.Context(), slow, 0); d.Limit != "@cf/a/slow" || d.PerMinute != 300 || d.Pace != 150 {
			t.Errorf("%+v", d)
		}
		if n := drain(t, p, other); n != 15 {
			t.Errorf("%d of the other passed at once, not what is left of the task's 30", n)
		}
		shown := p.Snapshot(time.Now())
		want := []pace.Status{
			{Task: quota.TextGeneration, PerMinute: 300, Pace: 300},
			{Task: quota.TextGeneration, Model: "@cf/a/slow", PerMinute: 300, Pace: 150, Learned: true},
		}
		if fmt.Sprint(shown) != fmt.Sprint(want) {
			t.Errorf("%+v, not %+v", shown, want)
		}
		time.Sleep(150 * time.Second)
		if shown := p.Snapshot(time.Now()); fmt.Sprint(shown) != fmt.Sprint(want[:1]) {
			t.Errorf("%+v after it has recovered, not %+v", shown, want[:1])
		}
	})
}

func TestPaceLearnsOfAModelWithoutLimit(t *testing.T) {
	virtually(t, func(t *testing.T) {
		p := pace.New(pace.Table{})
		key := pace.Key{Task: quota.TextToSpeech, Model: "@cf/deepgram/aura-1"}
		if !p.Throttled(key, time.Now()) {
			t.Error("not halved")
		}
		if n := drain(t, p, key); n != 15 {
			t.Errorf("%d passed at once, not 15 as of half of 300", n)
		}
		time.Sleep(4 * time.Minute)
		for range 1000 {
			if d, _ := p.Acquire(t.Context(), key, 0); !d.OK {
				t.Fatalf("%+v: still limited", d)
			}
		}
	})
}

func TestPaceThatIsOffLearnsNothing(t *testing.T) {
	off, err := pace.ParseTable("off")
	if err != nil {
		t.Fatal(err)
	}
	p := pace.New(off)
	key := pace.Key{Task: quota.TextGeneration, Model: pacedModel}
	if p.Throttled(key, time.Now()) {
		t.Error("halved")
	}
	for range 1000 {
		if d, _ := p.Acquire(t.Context(), key, 0); !d.OK {
			t.Fatalf("%+v", d)
		}
	}
}

func TestPaceShare(t *testing.T) {
	virtually(t, func(t *testing.T) {
		p, key := paced(t, 300)
		p.SetShare(0.5, time.Now())
		if n := drain(t, p, key); n != 15 {
			t.Errorf("%d passed at once, not half of 30", n)
		}
		started := time.Now()
		waits := queueUp(t.Context(), p, key, 5*time.Second, started) // at 150 a minute its turn comes after 444 ms
		p.SetShare(1, time.Now())
		time.Sleep(time.Second)
		synctest.Wait()
		if turn := time.Second * 10 / 45; !waits.d.OK || (waits.at-turn).Abs() > time.Microsecond {
			t.Errorf("%+v: not served by the larger share", waits)
		}
		time.Sleep(time.Minute)
		p.SetShare(0, time.Now()) // the least there is
		if n := drain(t, p, key); n != 1 {
			t.Errorf("%d passed at once, not 1", n)
		}
		if d, _ := p.Acquire(t.Context(), key, time.Minute); d.OK || d.Pace != 0.3 || d.PerMinute != 300 || d.RetryAfter < 3*time.Minute {
			t.Errorf("%+v", d)
		}
		p.SetShare(7, time.Now())
		time.Sleep(time.Minute)
		if n := drain(t, p, key); n != 30 {
			t.Errorf("%d passed at once, not 30", n)
		}
	})
}

func TestPaceForgetsWhatIsIdle(t *testing.T) {
	virtually(t, func(t *testing.T) {
		p, key := paced(t, 300)
		drain(t, p, key)
		p.Throttled(key, time.Now())
		time.Sleep(2 * time.Minute)
		if n := len(p.Snapshot(time.Now())); n != 1 {
			t.Errorf("%d are shown while it recovers, not 1", n)
		}
		time.Sleep(time.Minute)
		p.Snapshot(time.Now()) // recovered; now the bucket fills up to its old size
		time.Sleep(2*time.Minute - 1)
		if n := len(p.Snapshot(time.Now())); n != 1 {
			t.Errorf("%d are shown less than five minutes after its last call, not 1", n)
		}
		time.Sleep(time.Nanosecond)
		if n := len(p.Snapshot(time.Now())); n != 0 {
			t.Errorf("%d are shown five minutes after its last call, not 0", n)
		}
		if n := drain(t, p, key); n != 30 {
			t.Errorf("%d passed at once when it is back, not 30", n)
		}
	})
}

// Nobody has called a model for long, but a call waits, for its client.
func TestPaceKeepsWhatIsWaitedFor(t *testing.T) {
	virtually(t, func(t *testing.T) {
		p, key := paced(t, 300)
		key.Client, key.ClientLimit = "a", 1
		p.SetShare(0.1, time.Now()) // one in 610 s
		drain(t, p, key)
		waits := queueUp(t.Context(), p, key, 15*time.Minute, time.Now())
		time.Sleep(9 * time.Minute)
		if shown := p.Snapshot(time.Now()); len(shown) != 1 || shown[0].Waiting != 1 {
			t.Errorf("%+v, not one with one that waits", shown)
		}
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if !waits.d.OK {
			t.Errorf("%+v", waits)
		}
	})
}

// Names of models and clients without end: what is kept is bounded, and limits
// still hold.
func TestPaceIsBounded(t *testing.T) {
	const names, most = 6000, 4096
	virtually(t, func(t *testing.T) {
		p := pace.New(pace.Table{})
		passed, client := 0, 0
		for i := range names {
			key := pace.Key{Task: quota.TextGeneration, Model: fmt.Sprintf("@cf/paid/m%d", i), PaidOnly: true}
			for range 5 {
				if d, _ := p.Acquire(context.Background(), key, 0); d.OK {
					passed++
				}
			}
		}
		if want := most*4 + 30; passed != want {
			t.Errorf("%d passed, not 4 of each of %d models and the 30 that the others share", passed, most)
		}
		if n := len(p.Snapshot(time.Now())); n != most+1 {
			t.Errorf("%d limits are kept, not %d", n, most+1)
		}
		for i := range 100 {
			key := pace.Key{Task: quota.TextToSpeech, Client: fmt.Sprint("c", i), ClientLimit: 60}
			if d, _ := p.Acquire(context.Background(), key, 0); d.OK {
				client++
			}
		}
		if client != 6 {
			t.Errorf("%d calls of clients passed, not the 6 that they share", client)
		}
		if late := (pace.Key{Task: quota.TextToSpeech, Model: "@cf/late/one"}); p.Throttled(late, time.Now()) {
			t.Error("learned of one more model")
		}
		time.Sleep(6 * time.Minute)
		if n := len(p.Snapshot(time.Now())); n != 0 {
			t.Errorf("%d limits are kept when all are idle", n)
		}
	})
}
