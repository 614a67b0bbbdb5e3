package tokenblock

import (
	"testing"
	"time"
)

func TestBlock(t *testing.T) {
	t.Parallel()
	var b Block
	now := time.Unix(1_800_000_000, 0)
	allow := func(what, token string, send, want bool) {
		t.Helper()
		if got := b.Allow(token, now, send); got != want {
			t.Errorf("%s: Allow(%q, send %v) = %v, want %v", what, token, send, got, want)
		}
	}
	allow("nothing refused", "a", true, true)
	if !b.Refused("a", now) {
		t.Error("the first refusal: Refused() = false, want true")
	}
	allow("refused", "a", true, false)
	allow("another token", "b", true, true)
	now = now.Add(Pause)
	allow("a probe is due, asked early", "a", false, true)
	allow("a probe is due", "a", true, true)
	allow("a probe is out", "a", true, false)
	if b.Refused("a", now.Add(time.Second)) {
		t.Error("a probe that fails: Refused() = true, want false")
	}
	now = now.Add(Pause)
	allow("a Pause after the probe began", "a", true, false)
	now = now.Add(time.Second)
	allow("a Pause after the probe failed", "a", true, true)
	now = now.Add(Pause)
	allow("a probe of which nothing was heard", "a", true, true)
	if b.Accepted("a", now.Add(-time.Hour)) {
		t.Error("an attempt from before the refusal: Accepted() = true, want false")
	}
	if b.Accepted("b", now) {
		t.Error("another token: Accepted() = true, want false")
	}
	if !b.Accepted("a", now) {
		t.Error("a probe that passes: Accepted() = false, want true")
	}
	allow("accepted again", "a", true, true)
}
