package clients

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"time"
)

const (
	// poll is how often the file is looked at. Polling sees every kind of
	// change, the swap of a symbolic link above the file included, which is
	// how Kubernetes updates a mounted Secret. A change counts once two looks
	// in a row agree, so that a file that is being written in place is not
	// taken for a shorter one: a change is in use after two polls at most.
	poll = 250 * time.Millisecond

	mostLogged = 10 // mistakes of one reading
)

// Watch follows the file until ctx ends and logs what becomes of each change.
// On a signal from again, which may be nil, the file is read at once. A file
// with a mistake is refused whole, and the last good one stays in use. Watch is
// for one goroutine.
func (f *File) Watch(ctx context.Context, log *slog.Logger, again <-chan os.Signal) {
	log = log.With("file", f.path)
	tick := time.NewTicker(poll)
	defer tick.Stop()
	for {
		told := false
		select {
		case <-ctx.Done():
			return
		case <-again:
			told = true
		case <-tick.C:
		}
		if !f.regular {
			if told {
				log.Warn("the clients file is a pipe or a device, which cannot be read again; what it said at the start stays in use")
			}
			continue
		}
		f.look(log, told)
	}
}

// look reads the file once more. It takes what it finds if that is new and was
// the same at the last look, or if it was told to look.
func (f *File) look(log *slog.Logger, told bool) {
	text, err := f.read()
	now := sight{text: string(text)}
	if err != nil {
		now = sight{trouble: err.Error()}
	}
	before := f.seen
	f.seen = now
	if !told && (now == f.taken || now != before) {
		return
	}
	f.taken = now
	var set *Set
	if err == nil {
		set, err = Parse(f.path, text)
	}
	if err != nil {
		reason := err.Error()
		if m, ok := errors.AsType[Mistakes](err); ok {
			reason = m.lines(mostLogged)
		}
		f.state.Store(&State{LoadedAt: f.State().LoadedAt})
		log.Error("the clients file is refused; the last good one stays in use", "reason", reason)
		return
	}
	f.set.Store(set)
	f.state.Store(&State{OK: true, LoadedAt: time.Now()})
	log.Info("the clients file is in use as it is now", "clients", len(set.Clients()))
}
