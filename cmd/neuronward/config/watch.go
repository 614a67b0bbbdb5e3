package config

import (
	"context"
	"crypto/sha256"
	"errors"
	"log/slog"
	"os"
	"slices"
	"time"
)

// pollInterval is how often files are read. Polling sees every kind of change, also the swap of a symbolic link above a
// file, which is how Kubernetes updates a mounted Secret. A change counts once two reads in a row agree: a file that is
// being written in place, or one of two files that belong together, is not taken for a new one. So a change is in use
// after two intervals at most.
const pollInterval = 250 * time.Millisecond

// A watcher follows files whose contents together are in use as one value. What cannot be used is reported once, and
// the last good value stays in use. Its functions are called by the goroutine of run.
type watcher struct {
	files []*smallFile

	// use takes the contents of the files into use. Its error says why that cannot be, and shows nothing of them.
	use func(contents [][]byte) error
	// report logs that the files are in use as they are now: changed is false where they hold again what was in use
	// all the time, recovered is true where they could not be used before.
	report func(log *slog.Logger, changed, recovered bool)
	// refuse logs why the files cannot be used as they are now.
	refuse func(log *slog.Logger, err error)
	// tick, if any, is called at each look.
	tick func(log *slog.Logger)
	// retry says that contents which cannot be used may become good by themselves.
	retry bool

	inUse, seen, refused look
	trouble              string // why the files cannot be used as they are now; "": they are in use
}

// A look is what one read of the files found.
type look struct {
	contents [sha256.Size]byte // of all of them
	trouble  string            // why they could not be read
}

// start reads the files and takes them into use. It adds the mistakes and warnings to l, and reports whether there is
// no mistake.
func (w *watcher) start(l *loader) bool {
	contents, warnings, errs := w.read(false)
	good := true
	for i, f := range w.files {
		if warnings[i] != "" {
			l.Warnings = append(l.Warnings, f.variable+": "+warnings[i])
		}
		if errs[i] != nil {
			good = false
			l.mistakes.add(f.variable, "%v", errs[i])
		}
	}
	if !good {
		return false
	}
	if err := w.use(contents); err != nil {
		l.mistakes.addAll(w.files[0].variable, err)
		return false
	}
	w.inUse = lookOf(contents, nil)
	w.seen = w.inUse
	return true
}

// read reads each file; warnings and errors are in their order.
func (w *watcher) read(again bool) (contents [][]byte, warnings []string, errs []error) {
	for _, f := range w.files {
		content, warning, err := f.read(again)
		contents, warnings, errs = append(contents, content), append(warnings, warning), append(errs, err)
	}
	return contents, warnings, errs
}

func lookOf(contents [][]byte, err error) look {
	if err != nil {
		return look{trouble: err.Error()}
	}
	all := sha256.New()
	for _, content := range contents {
		sum := sha256.Sum256(content)
		all.Write(sum[:])
	}
	return look{contents: [sha256.Size]byte(all.Sum(nil))}
}

// readOnce reports whether one of the files is a pipe or a device, which cannot be read again.
func (w *watcher) readOnce() bool {
	return slices.ContainsFunc(w.files, func(f *smallFile) bool { return f.irregular })
}

// run follows the files until ctx ends. A signal from reload, which may be nil, has them read at once.
func (w *watcher) run(ctx context.Context, log *slog.Logger, reload <-chan os.Signal) {
	if w.readOnce() {
		return
	}
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-reload:
			w.look(log, true)
		case <-tick.C:
			w.look(log, false)
		}
	}
}

// look reads the files once more and takes what is new into use. At once says not to wait for a second look, and to
// report the outcome in any case.
func (w *watcher) look(log *slog.Logger, atOnce bool) {
	if w.tick != nil {
		w.tick(log)
	}
	contents, warnings, errs := w.read(true)
	for i, warning := range warnings {
		if warning != "" {
			log.Warn("the secret file is not safe", "variable", w.files[i].variable, "reason", warning)
		}
	}
	err := errors.Join(errs...)
	now := lookOf(contents, err)
	agreed := now == w.seen
	w.seen = now
	if !atOnce {
		switch {
		case now == w.inUse:
			w.accept(log, now, false)
			return
		case !agreed, now == w.refused && !w.retry:
			return
		}
	}
	if err == nil {
		err = w.use(contents)
	}
	if err == nil {
		w.accept(log, now, true)
		return
	}
	w.refused = now
	if reason := err.Error(); atOnce || w.trouble != reason {
		w.trouble = reason
		w.refuse(log, err)
	}
}

// accept notes that the files are in use as they are now.
func (w *watcher) accept(log *slog.Logger, now look, changed bool) {
	recovered := w.trouble != ""
	w.inUse, w.refused, w.trouble = now, look{}, ""
	if changed || recovered {
		w.report(log, changed, recovered)
	}
}
