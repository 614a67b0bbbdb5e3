package tokenblock

import (
	"sync/atomic"
	"time"
)

// Pause is how long no call is sent after a refusal. Then one is, as a probe.
const Pause = 10 * time.Second

// A Block remembers that a token was refused. The zero value blocks nothing. It is for one token at a time: another
// value, from a file that was rotated, is not blocked.
type Block struct{ refused atomic.Pointer[refusal] }

type refusal struct {
	token string
	since time.Time
	probe atomic.Int64 // when the next call may be sent, in nanoseconds since 1970
}

// Allow reports whether a call with token may be made. With send it is sent next: it is the probe if one is due, and
// the next probe is due a Pause later even if nothing is heard of this one.
func (b *Block) Allow(token string, now time.Time, send bool) bool {
	r := b.refused.Load()
	if r == nil || r.token != token {
		return true
	}
	due := r.probe.Load()
	if now.UnixNano() < due {
		return false
	}
	return !send || r.probe.CompareAndSwap(due, now.Add(Pause).UnixNano())
}

// Refused records that Cloudflare refused token, and reports whether that is news.
func (b *Block) Refused(token string, now time.Time) (news bool) {
	old := b.refused.Load()
	if old != nil && old.token == token {
		old.probe.Store(now.Add(Pause).UnixNano())
		return false
	}
	r := &refusal{token: token, since: now}
	r.probe.Store(now.Add(Pause).UnixNano())
	return b.refused.CompareAndSwap(old, r)
}

// Accepted records that Cloudflare accepted token in an attempt that began at started, and reports whether that ends a
// block. An attempt from before the refusal ends none.
func (b *Block) Accepted(token string, started time.Time) (ended bool) {
	r := b.refused.Load()
	return r != nil && r.token == token && !started.Before(r.since) && b.refused.CompareAndSwap(r, nil)
}
