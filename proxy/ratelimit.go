package proxy

import (
	"net/http"
	"strconv"
	"time"

	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/pace"
)

// limitHeaders tell a caller how its limits stand (draft-ietf-httpapi-ratelimit-headers): the neurons of the day or of
// the month, and the requests per minute. They replace upstream's, those of former drafts among them. Where there is no
// limit, and so nothing of ours to say, upstream's pass, which are in h.
func (r *rates) limitHeaders(c *call, h http.Header) {
	var memory [2][192]byte
	policy, state := memory[0][:0], memory[1][:0]
	if d, at := c.charge.Decision(); !d.Unlimited && d.Limit != 0 {
		if d.Outcome == quota.Blocked {
			d.Remaining = 0
		}
		left, resets := max(0, d.Remaining)/quota.OneNeuron, d.ResetsAt.Sub(d.At)-time.Since(at)
		limit, window := d.Limit, int64(86400)
		if d.OfMonth {
			limit, window = d.MonthLimit, int64(d.Month()/time.Second)
		}
		policy = appendLimit(policy, "neurons", "q", int64(limit/quota.OneNeuron), "w", window)
		state = appendLimit(state, "neurons", "r", int64(left), "t", int64(resets/time.Second))
	}
	if c.rate != (pace.Key{}) {
		if left, limited := r.limiter.Remaining(c.rate, time.Now()); limited {
			full := (left.Full + time.Second - 1) / time.Second
			policy = appendLimit(policy, "rpm", "q", int64(left.PerMinute), "w", 60)
			state = appendLimit(state, "rpm", "r", int64(left.Requests), "t", int64(full))
		}
	}
	if len(policy) > 0 {
		for _, name := range formerLimits {
			delete(h, name)
		}
		both, end := string(append(policy, state...)), len(policy)
		c.writer.own.Set("Ratelimit-Policy", both[:end])
		c.writer.own.Set("Ratelimit", both[end:])
	}
}

// appendLimit appends one limit to the list of such a header.
func appendLimit(dst []byte, name, key string, value int64, window string, seconds int64) []byte {
	if len(dst) > 0 {
		dst = append(dst, ", "...)
	}
	dst = append(append(append(dst, '"'), name...), `";`...)
	dst = strconv.AppendInt(append(append(dst, key...), '='), value, 10)
	return strconv.AppendInt(append(append(append(dst, ';'), window...), '='), max(0, seconds), 10)
}

var formerLimits = []string{"Ratelimit-Limit", "Ratelimit-Remaining", "Ratelimit-Reset"}
