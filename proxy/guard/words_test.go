package guard

import (
	"testing"
	"time"

	"github.com/neuronward/neuronward/quota"
)

// What callers are told whose call does not fit.
func TestWords(t *testing.T) {
	const n = quota.OneNeuron
	at := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name  string
		field string
		d     quota.Decision
		want  string
	}{
		{
			"too little is left, and a smaller limit fits", "max_tokens",
			quota.Decision{
				Outcome: quota.Exhausted, Estimate: 180 * n, Limit: 10_000 * n, Used: 9_892 * n,
				Reserved: 60 * n, Calls: 3,
			},
			"This call may need 180 neurons, more than the 108 that are left. The limit of 10,000 " +
				"neurons a day set for this proxy allows no more today: 9,892 used, 60 reserved by 3 calls " +
				"in flight. With max_tokens of 3900 or less it fits. It resets at 2026-07-02T00:00:00Z.",
		},
		{
			"amounts that are nearly the same", "max_output_tokens",
			quota.Decision{
				Outcome: quota.Exhausted, Estimate: 120*n + n/5, Limit: 10_000 * n, Used: 9_880*n + n/5,
				Reserved: n, Calls: 1,
			},
			"This call may need 120.2 neurons, more than the 119.8 that are left. The limit of 10,000 " +
				"neurons a day set for this proxy allows no more today: 9,880 used, 1 reserved by 1 call in " +
				"flight. With max_output_tokens of 4300 or less it fits. It resets at 2026-07-02T00:00:00Z.",
		},
		{
			"not even the prompt fits", "max_tokens",
			quota.Decision{
				Outcome: quota.Exhausted, Budget: quota.ClientBudget("a"), Estimate: 20 * n, Limit: 100 * n,
				Used: 98 * n,
			},
			"This call may need 20 neurons, more than the 2 that are left. Your budget of 100 neurons a " +
				"day allows no more today: 98 used. A shorter prompt may fit. It resets at " +
				"2026-07-02T00:00:00Z.",
		},
		{
			"calls in flight hold it", "max_tokens",
			quota.Decision{
				Outcome: quota.Contended, Estimate: 180 * n, Limit: 10_000 * n, Used: 4_000 * n, Reserved: 5_900 * n,
				Remaining: 100 * n, Calls: 12, RetryIn: 13_250 * time.Millisecond,
			},
			"This call may need 180 neurons, more than the 100 that are free now. The limit of 10,000 " +
				"neurons a day set for this proxy: 4,000 used, 5,900 reserved by 12 calls in flight. It may " +
				"fit in 14 s. With max_tokens of 3600 or less it fits now.",
		},
		{
			"calls of other replicas hold it, and no limit can be set", "",
			quota.Decision{
				Outcome: quota.Contended, Estimate: 180 * n, Limit: 10_000 * n, Used: 4_000 * n, Reserved: 5_900 * n,
				Remaining: 100 * n, Elsewhere: 5_900 * n,
			},
			"This call may need 180 neurons, more than the 100 that are free now. The limit of 10,000 " +
				"neurons a day set for this proxy: 4,000 used, 5,900 reserved by calls of other processes. " +
				"It may fit in 1 s. A smaller max_tokens or a shorter prompt may fit.",
		},
		{
			"what is free is for others", "max_tokens",
			quota.Decision{
				Outcome: quota.Contended, Estimate: 180 * n, Limit: 10_000 * n, Used: 4_000 * n, Reserved: 5_700 * n,
				Remaining: 300 * n, Calls: 1, Elsewhere: 5_000 * n, Kept: 500 * n,
			},
			"This call may need 180 neurons, and the 300 that are free now are for calls that wait " +
				"longer, or held by other processes. The limit of 10,000 neurons a day set for this proxy: " +
				"4,000 used, 5,700 reserved by 1 call in flight and calls of other processes, 500 kept for " +
				"calls of a higher priority. It may fit in 1 s.",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			g, _ := newGuard(t, Options{})
			call := callOf(g, llama)
			call.LimitField = c.field
			ch := g.charge(call)
			if c.d.Budget == "" {
				c.d.Budget = quota.Account
			}
			c.d.At, c.d.ResetsAt = at, at.Add(12*time.Hour)
			if got := ch.refuse(c.d).Message; got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

// With the limit that a message names the call fits, and with a tenth more it does not.
func TestTheLimitThatIsNamed(t *testing.T) {
	g, _ := newGuard(t, Options{})
	call := callOf(g, llama)
	call.LimitField, call.Attempts = "max_tokens", 3
	for left := 50 * quota.OneNeuron; left < 1000*quota.OneNeuron; left += 37 * quota.OneNeuron {
		ch := g.charge(call)
		named := ch.fittingLimit(left)
		for _, limit := range []struct {
			tokens int64
			fits   bool
		}{{named, true}, {named*11/10 + 1, false}} {
			ch.call.Request.MaxTokens = limit.tokens
			ch.estimate = g.o.Estimator.Estimate(*ch.call.Model, ch.call.Request)
			if got := ch.bound() <= left; got != limit.fits {
				t.Errorf("%v left, limit %d of %d named: got fits %v (%v), want %v", left, limit.tokens, named, got,
					ch.bound(), limit.fits)
			}
		}
	}
}
