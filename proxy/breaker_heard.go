package proxy

import "time"

// mostModelTold bounds the name of a model that other proxies are told of.
const mostModelTold = 200

// tellCapacity tells other proxies that a breaker was opened here, or closed.
func (p *Proxy) tellCapacity(model string, free bool) {
	if p.tell != nil && len(model) <= mostModelTold {
		p.tell(model, free)
	}
}

// HearCapacity takes another proxy's word that it opened the breaker of a model,
// or, with free, that it closed it. The breaker here then goes on by itself, with
// trials of its own: a word that is lost comes again, one that is wrong is
// forgotten with the first call that is taken.
func (p *Proxy) HearCapacity(model string, free bool) {
	if p.retries == 0 || model == "" || len(model) > mostModelTold {
		return
	}
	changed, text := false, "another proxy has found that Workers AI has no capacity for a model"
	if free {
		changed, text = p.breakers.heardFree(model), "another proxy has found that Workers AI has capacity for a model again"
	} else {
		changed = p.breakers.heardBusy(model, time.Now())
	}
	if changed {
		p.log.Info(text, "model", clip(model, 100))
	}
}

// heardBusy opens the breaker of model, and reports whether it was closed.
func (b *breakers) heardBusy(model string, now time.Time) (opened bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	m := b.watch(model, now)
	if m == nil || m.open() {
		return false
	}
	m.shut(now)
	return true
}

// heardFree closes the breaker of model, and reports whether it was open.
func (b *breakers) heardFree(model string) (closed bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	m := b.models[model]
	if m == nil || !m.open() {
		return false
	}
	b.unwatch(model)
	return true
}
