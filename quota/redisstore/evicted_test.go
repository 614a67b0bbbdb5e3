package redisstore

import (
	"testing"
	"time"
)

// A server with another policy than noeviction forgets single keys when its memory is full. Whichever it is, replicas
// that are alive are counted exactly once they have reported again, and no more than the limit is granted to them.
func TestAKeyThatIsEvicted(t *testing.T) {
	t.Parallel()
	for _, key := range []string{
		"epoch", "days", "D:holders", "D:seen", "D:rows", "D:sums", "D:records", "D:history", "D:hours",
	} {
		t.Run(key, func(t *testing.T) {
			t.Parallel()
			server := serverWith(t)
			l := newPair(t, server.url(""))
			l.reportA(t)
			if day := "D:"; key[:2] == day {
				key = l.a.report().Day.String() + ":" + key[2:]
				l.a.seq--
			}
			server.do(t, "DEL", l.storeA.prefix+key)
			for end := time.Now().Add(time.Minute); ; {
				granted := send(t, l.storeA, l.a.report(request(10*n, 20*n, 50*n))).Granted[0]
				granted += l.reportB(t).Granted[0]
				b := l.reportA(t).Balances[0] // it gives back what it was granted
				if granted > 50*n {
					t.Errorf("got %v granted, want no more than the 50 that are left", granted)
				}
				if b.Spent == 15*n && b.Held == 35*n && granted == 50*n {
					return
				}
				if time.Now().After(end) {
					t.Fatalf("got %v spent, %v held, %v granted after a minute; want 15, 35, 50",
						b.Spent, b.Held, granted)
				}
				time.Sleep(50 * time.Millisecond)
			}
		})
	}
}
