package proxy

import (
	"sync"
	"time"
)

// warnBefore is how long before its end a model is warned about.
const warnBefore = 14 * 24 * time.Hour

// endings remembers which models' ends were told.
type endings struct {
	mu   sync.Mutex
	told map[string]string // by model, the date; only of the price table's
}

// once reports whether the end of model on date is to be told.
func (e *endings) once(model, date string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.told[model] == date {
		return false
	}
	if e.told == nil {
		e.told = make(map[string]string)
	}
	e.told[model] = date
	return true
}

// warnOfEnd tells once, when a model is called, that it ends within two weeks or
// should have ended.
func (p *Proxy) warnOfEnd(c *call) {
	price := c.price.Row
	if price.DeprecatedOn == "" {
		return
	}
	now := time.Now()
	if !price.Deprecated(now.Add(warnBefore)) || !p.endings.once(c.model, price.DeprecatedOn) {
		return
	}
	if price.Deprecated(now) {
		p.log.Warn("a model is called whose end was planned for a day that has come; Workers AI may refuse it (5028): use another",
			"model", c.model, "client", c.client, "ends", price.DeprecatedOn)
		return
	}
	p.log.Warn("a model is called that ends soon; from then on Workers AI refuses it (5028): use another",
		"model", c.model, "client", c.client, "ends", price.DeprecatedOn)
}
