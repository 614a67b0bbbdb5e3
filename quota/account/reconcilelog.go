package account

import (
	"errors"

	"github.com/neuronward/neuronward/quota"
)

// logByModel logs once that the figure can be read, but not by model. A failure
// that passes by itself is not logged: the next reading makes up for it.
func (r *Reconciler) logByModel(err error) {
	if _, asked := errors.AsType[*Error](err); !asked || r.byModelFailed {
		return
	}
	switch KindOf(err) {
	case RateLimited, Unavailable, Unreachable, Canceled:
		return
	}
	r.byModelFailed = true
	r.o.Log.Info("the account's own figure cannot be read by model; calls whose cost Workers AI does not report "+
		"are counted by the price table", "error", err)
}

// logWaits logs once that a figure has jumped and waits for a second reading. That is normal where others spend in
// bursts.
func (r *Reconciler) logWaits(waits bool, err error) {
	if waits && !r.waits {
		r.o.Log.Debug("the account's own figure has grown faster than others have spent before; what is beyond that "+
			"counts when a second reading shows it", "reason", err)
	}
	r.waits = waits
}

// logExternal logs once a day that much is spent outside this proxy.
func (r *Reconciler) logExternal(s quota.Snapshot) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if s.Account.External <= r.o.Notable || s.Day <= r.loggedDay {
		return
	}
	r.loggedDay = s.Day
	r.o.Log.Warn("another spender: much of the account's day is spent outside this proxy, which learns of it "+
		"minutes later; let all proxies of the account share a store (NEURONWARD_STORE), and call Workers AI "+
		"through them",
		"day", s.Day.String(), "external", s.Account.External.Float(), "used", s.Account.Used.Float())
}

// A report is what is logged of a reading. A failure of another kind is logged
// anew.
type report struct {
	text string // "": the figure was read
	kind Kind
}

func reportOf(err error) report {
	switch {
	case err == nil:
		return report{}
	case errors.Is(err, quota.ErrStore):
		return report{text: "the account's own figure is not read while the store fails, since the store decides " +
			"which replica reads it"}
	case errors.Is(err, quota.ErrDropped):
		return report{text: "the account's own figure is lower than it was, so it does not count; " +
			"what was read before still counts"}
	}
	return report{
		text: "the account's own figure cannot be read, so what is spent outside this proxy is not known; " +
			"calls go on as before",
		kind: KindOf(err),
	}
}

// logChange logs when the figure can no longer be read, and when it can again.
func (r *Reconciler) logChange(now report, err error) {
	if err == nil {
		r.o.Log.Info("the account's own figure can be read again")
		return
	}
	r.o.Log.Warn(now.text, "error", err)
}
