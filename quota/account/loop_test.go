package account_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/neuronward/neuronward/quota/account"
)

// run runs a loop of an hour until the answers are used up, and returns when each was asked for and what was told.
func run(t *testing.T, l account.Loop, answers ...error) (at []time.Duration, told []error) {
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
		}, func(err error) { told = append(told, err) })
	})
	return at, told
}

func TestLoop(t *testing.T) {
	down := &account.Error{Kind: account.Unavailable}
	busy := &account.Error{Kind: account.RateLimited, RetryAfter: 5 * time.Minute}
	l := account.Loop{Every: time.Hour, MinRetry: 10 * time.Second}
	at, told := run(t, l, nil, down, down, down, busy, nil, down, nil)
	want := []time.Duration{
		0, time.Hour, 10 * time.Second, 20 * time.Second, 40 * time.Second, 5 * time.Minute, time.Hour, 10 * time.Second, time.Hour,
	}
	sum := time.Duration(0)
	for i := range want {
		sum += want[i]
		want[i] = sum
	}
	if !slices.Equal(at, want) {
		t.Errorf("asked at %v\nwant     %v", at, want)
	}
	if !slices.EqualFunc(told, []error{down, busy, nil, down, nil}, func(a, b error) bool { return errors.Is(a, b) }) {
		t.Errorf("told %v", told)
	}
	idle := account.ErrIdle
	at, told = run(t, l, idle, down, down, idle, down, nil, idle, down)
	want = []time.Duration{0, time.Hour, 10 * time.Second, 20 * time.Second, time.Hour, 40 * time.Second, time.Hour, time.Hour, 10 * time.Second}
	for i := 1; i < len(want); i++ {
		want[i] += want[i-1]
	}
	if !slices.Equal(at, want) || !slices.EqualFunc(told, []error{down, nil, down}, func(a, b error) bool { return errors.Is(a, b) }) {
		t.Errorf("idle between failures: asked at %v\nwant %v\ntold %v", at, want, told)
	}
	many := make([]error, 40)
	for i := range many {
		many[i] = down
	}
	if at, _ := run(t, l, many...); at[len(at)-1]-at[len(at)-2] != time.Hour {
		t.Errorf("after 40 failures it waits %v", at[len(at)-1]-at[len(at)-2])
	}
}

func TestLoopJitter(t *testing.T) {
	l := account.Loop{Every: time.Hour, MinRetry: time.Second, Jitter: 0.5}
	at, _ := run(t, l, make([]error, 50)...)
	seen := map[time.Duration]bool{}
	for i := range at[1:] {
		wait := at[i+1] - at[i]
		if wait < time.Hour || wait > 90*time.Minute {
			t.Errorf("a wait of %v", wait)
		}
		seen[wait] = true
	}
	if len(seen) < 40 {
		t.Errorf("50 waits have %d lengths", len(seen))
	}
}
