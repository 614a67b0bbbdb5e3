package pace_test

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestLimiterShare(t *testing.T) {
	virtually(t, func(t *testing.T) {
		p, key := paced(t, 300)
		p.SetShare(0.5, time.Now())
		if n := drain(t, p, key); n != 15 {
			t.Errorf("share 0.5: got %d calls passed at once, want 15", n)
		}
		started := time.Now()
		waits := queueUp(t.Context(), p, key, 5*time.Second, started) // at 150 a minute it passes after 444 ms
		p.SetShare(1, time.Now())
		time.Sleep(time.Second)
		synctest.Wait()
		wantPass(t, "waits", waits, time.Second*10/45)
		time.Sleep(time.Minute)
		p.SetShare(0, time.Now()) // taken as 0.001
		if n := drain(t, p, key); n != 1 {
			t.Errorf("smallest share: got %d calls passed at once, want 1", n)
		}
		d, _ := p.Acquire(t.Context(), key, time.Minute)
		if d.OK {
			t.Error("smallest share: got the next call passed, want it refused")
		}
		if d.Pace != 0.3 || d.PerMinute != 300 {
			t.Errorf("smallest share: got limit %d, pace %v; want 300, 0.3", d.PerMinute, d.Pace)
		}
		if d.RetryAfter < 3*time.Minute {
			t.Errorf("smallest share: got retry after %v, want at least 3m", d.RetryAfter)
		}
		p.SetShare(7, time.Now())
		time.Sleep(time.Minute)
		if n := drain(t, p, key); n != 30 {
			t.Errorf("share 7: got %d calls passed at once, want 30", n)
		}
	})
}
