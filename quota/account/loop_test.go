package account_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/account"
)

// run runs a loop until the answers are used up. It returns when each was asked for, and which errors were reported as
// changes.
func run(t *testing.T, l account.Loop, answers ...error) (at []time.Duration, changes []error) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		began := time.Now()
		l.Run(ctx, func(context.Context) error {
			at = append(at, time.Since(began))
			if len(at) > len(answers) {
				stop()
				return nil
			}
			return answers[len(at)-1]
		}, func(err error) { changes = append(changes, err) })
	})
	return at, changes
}

func TestLoop(t *testing.T) {
	const s, m, h = time.Second, time.Minute, time.Hour
	down := &account.Error{Kind: account.Unavailable}
	busy := &account.Error{Kind: account.RateLimited, RetryAfter: 5 * m}
	idle, again := account.ErrIdle, quota.ErrUnconfirmed
	l := account.Loop{Every: h, MinRetry: 10 * s}
	for _, c := range []struct {
		name    string
		answers []error
		waits   []time.Duration // before each call
		changes []error
	}{
		{
			"failures",
			[]error{nil, down, down, down, busy, nil, down, nil},
			[]time.Duration{0, h, 10 * s, 20 * s, 40 * s, 5 * m, h, 10 * s, h},
			[]error{down, busy, nil, down, nil},
		},
		{
			"idle between failures",
			[]error{idle, down, down, idle, down, nil, idle, down},
			[]time.Duration{0, h, 10 * s, 20 * s, h, 40 * s, h, h, 10 * s},
			[]error{down, nil, down},
		},
		{
			"what is to be confirmed is no failure",
			[]error{again, nil, down, again, down},
			[]time.Duration{0, m, h, 10 * s, m, 10 * s},
			[]error{down, nil, down},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			at, changes := run(t, l, c.answers...)
			if got := waitsOf(at); !slices.Equal(got, c.waits) {
				t.Errorf("got waits %v, want %v", got, c.waits)
			}
			same := func(a, b error) bool { return errors.Is(a, b) }
			if !slices.EqualFunc(changes, c.changes, same) {
				t.Errorf("got changes %v, want %v", changes, c.changes)
			}
		})
	}
	at, _ := run(t, l, slices.Repeat([]error{down}, 40)...)
	waits := waitsOf(at)
	if got := waits[len(waits)-1]; got != h {
		t.Errorf("after 40 failures: got a wait of %v, want %v", got, h)
	}
}

// waitsOf returns the waits before each of the times.
func waitsOf(at []time.Duration) []time.Duration {
	waits := slices.Clone(at)
	for i := 1; i < len(at); i++ {
		waits[i] -= at[i-1]
	}
	return waits
}

func TestLoopJitter(t *testing.T) {
	l := account.Loop{Every: time.Hour, MinRetry: time.Second, Jitter: 0.5}
	at, _ := run(t, l, make([]error, 50)...)
	seen := map[time.Duration]bool{}
	for i := range at[1:] {
		wait := at[i+1] - at[i]
		if wait < time.Hour || wait > 90*time.Minute {
			t.Errorf("got a wait of %v, want between 1h and 1h30m", wait)
		}
		seen[wait] = true
	}
	if len(seen) < 40 {
		t.Errorf("got %d different waits of 50, want at least 40", len(seen))
	}
}
