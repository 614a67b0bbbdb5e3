package proxy

import (
	"log/slog"
	"sync"
	"time"
)

// warnBefore is how long before its end a model is warned about.
const warnBefore = 14 * 24 * time.Hour

// deprecations remembers of which models it was logged that they come to an end.
type deprecations struct {
	log *slog.Logger

	mu     sync.Mutex
	logged map[string]string // by model, the date; only of the price table's
}

// once reports whether the end of model on date is to be logged.
func (d *deprecations) once(model, date string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.logged[model] == date {
		return false
	}
	if d.logged == nil {
		d.logged = make(map[string]string)
	}
	d.logged[model] = date
	return true
}

// warn logs once, when a model is called, that it ends within two weeks or should have ended.
func (d *deprecations) warn(c *call) {
	now, ends := time.Now(), c.price.DeprecatedOn
	if ends == "" || !c.price.Deprecated(now.Add(warnBefore)) || !d.once(c.Model, ends) {
		return
	}
	text := "model called that ends soon; from then on Workers AI refuses it (5028): use another one"
	if c.price.Deprecated(now) {
		text = "deprecated model called; Workers AI may refuse it (5028): use another one"
	}
	d.log.Warn(text, "model", c.Model, "client", c.client, "ends", ends)
}
