package pace_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/neuronward/neuronward/quota/pace"
	"github.com/neuronward/neuronward/quota/workload"
)

func TestLimiterLearnsFrom3021(t *testing.T) {
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
			halved := p.Throttled(key, time.Now())
			if r := paceOf(p, pacedModel); halved != s.says || r != s.pace {
				t.Errorf("signal %d: got halved %v, pace %v; want %v, %v", i, halved, r, s.says, s.pace)
			}
		}
		time.Sleep(15*time.Second - 1)
		if r := paceOf(p, pacedModel); r != 23.4375 {
			t.Errorf("pace before 15 s are over: got %v, want 23.4375", r)
		}
		time.Sleep(time.Nanosecond)
		if r := paceOf(p, pacedModel); r != 38.4375 {
			t.Errorf("pace after 15 s: got %v, want 38.4375", r)
		}
		if d, _ := p.Acquire(t.Context(), key, 0); d.OK && drain(t, p, key) > 3 {
			t.Error("got more than 4 calls passed at once, want the burst of the pace")
		}
		d, _ := p.Acquire(t.Context(), key, 0)
		if d.OK {
			t.Error("next call: got it passed, want it refused")
		}
		if d.PerMinute != 300 || d.Pace != 38.4375 {
			t.Errorf("next call: got limit %d, pace %v; want 300, 38.4375", d.PerMinute, d.Pace)
		}
		time.Sleep(5 * time.Minute)
		if r := paceOf(p, pacedModel); r != 300 {
			t.Errorf("pace after five minutes without 3021: got %v, want 300", r)
		}
	})
}

func TestLimiterHalvedIsHalved(t *testing.T) {
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
				if limit := map[int]int{20: 30, 300: 250}[perMinute]; passed > limit || passed < limit/4 {
					t.Errorf("calls passed in ten minutes: got %d, want %d to %d", passed, limit/4, limit)
				}
			})
		})
	}
}

func TestLimiterLearnsByModel(t *testing.T) {
	virtually(t, func(t *testing.T) {
		p := pace.New(pace.Table{})
		slow := pace.Key{Task: workload.TextGeneration, Model: "@cf/a/slow"}
		other := pace.Key{Task: workload.TextGeneration, Model: "@cf/a/other"}
		p.Throttled(slow, time.Now())
		if n := drain(t, p, slow); n != 15 {
			t.Errorf("slow model: got %d calls passed at once, want 15", n)
		}
		d, _ := p.Acquire(t.Context(), slow, 0)
		if d.Limit != "@cf/a/slow" {
			t.Errorf("slow model: got limit %q, want @cf/a/slow", d.Limit)
		}
		if d.PerMinute != 300 || d.Pace != 150 {
			t.Errorf("slow model: got limit %d, pace %v; want 300, 150", d.PerMinute, d.Pace)
		}
		if n := drain(t, p, other); n != 15 {
			t.Errorf("other model: got %d calls passed at once, want the 15 left of the task's 30", n)
		}
		shown := p.Snapshot(time.Now())
		want := []pace.Status{
			{Task: workload.TextGeneration, PerMinute: 300, Pace: 300},
			{Task: workload.TextGeneration, Model: "@cf/a/slow", PerMinute: 300, Pace: 150, Learned: true},
		}
		if fmt.Sprint(shown) != fmt.Sprint(want) {
			t.Errorf("status: got %+v, want %+v", shown, want)
		}
		time.Sleep(150 * time.Second)
		if shown := p.Snapshot(time.Now()); fmt.Sprint(shown) != fmt.Sprint(want[:1]) {
			t.Errorf("status after recovery: got %+v, want %+v", shown, want[:1])
		}
	})
}

func TestLimiterLearnsOfAModelWithoutLimit(t *testing.T) {
	virtually(t, func(t *testing.T) {
		p := pace.New(pace.Table{})
		key := pace.Key{Task: workload.TextToSpeech, Model: "@cf/deepgram/aura-1"}
		if !p.Throttled(key, time.Now()) {
			t.Error("got the pace unchanged, want it halved")
		}
		if n := drain(t, p, key); n != 15 {
			t.Errorf("got %d calls passed at once, want 15 as of half of 300", n)
		}
		time.Sleep(4 * time.Minute)
		for range 1000 {
			if d, _ := p.Acquire(t.Context(), key, 0); !d.OK {
				t.Fatalf("after recovery: got %+v, want it passed", d)
			}
		}
	})
}

func TestLimiterThatIsOffLearnsNothing(t *testing.T) {
	off, err := pace.ParseTable("off")
	if err != nil {
		t.Fatal(err)
	}
	p := pace.New(off)
	key := pace.Key{Task: workload.TextGeneration, Model: pacedModel}
	if p.Throttled(key, time.Now()) {
		t.Error("got a pace halved, want none")
	}
	for range 1000 {
		if d, _ := p.Acquire(t.Context(), key, 0); !d.OK {
			t.Fatalf("got %+v, want it passed", d)
		}
	}
}
