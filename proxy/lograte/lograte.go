package lograte

import (
	"sync"
	"time"
)

// window is the time for which a Limiter counts.
const window = time.Second

// A Limiter counts the events of one kind. It is safe for concurrent use.
type Limiter struct {
	max    int
	report func(more int)

	mu    sync.Mutex
	began time.Time // the present window
	n     int       // events in it
}

// New returns a Limiter of limit lines a second. For each second with more events it calls report once, at the end of
// that second, with the number of those beyond it.
func New(limit int, report func(more int)) *Limiter { return &Limiter{max: limit, report: report} }

// Allow counts an event and reports whether it is to be logged by itself.
func (l *Limiter) Allow() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	if l.n <= l.max && now.Sub(l.began) >= window { // with more than max, the timer ends the window
		l.began, l.n = now, 0
	}
	l.n++
	if l.n == l.max+1 {
		time.AfterFunc(window-now.Sub(l.began), l.end)
	}
	return l.n <= l.max
}

// end ends a window that had more than max events.
func (l *Limiter) end() {
	l.mu.Lock()
	more := l.n - l.max
	l.n = 0
	l.mu.Unlock()
	l.report(more)
}
