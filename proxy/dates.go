package proxy

import (
	"net/http"
	"sync/atomic"
	"time"
)

// dates parses the Date headers of answers. All answers of one second have the same.
type dates struct{ last atomic.Pointer[parsedDate] }

type parsedDate struct {
	text string
	at   time.Time
	ok   bool
}

func (d *dates) parse(text string) (at time.Time, ok bool) {
	if text == "" {
		return at, false
	}
	if last := d.last.Load(); last != nil && last.text == text {
		return last.at, last.ok
	}
	at, err := http.ParseTime(text)
	d.last.Store(&parsedDate{text, at, err == nil})
	return at, err == nil
}
