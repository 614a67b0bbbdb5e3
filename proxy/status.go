package proxy

import (
	"github.com/neuronward/neuronward/metrics"
	"github.com/neuronward/neuronward/normalize"
	"github.com/neuronward/neuronward/proxy/breaker"
	"github.com/neuronward/neuronward/proxy/recent"
	"github.com/neuronward/neuronward/proxy/websocket"
)

// What the rest of the program may ask of a Proxy, and tell it, while calls are served.

// Load returns how many calls are being served and how many wait. The error reference is not part of it.
func (p *Proxy) Load() Load { return p.slots.load() }

// Sessions returns how many sessions over WebSockets there are, and what has passed in them.
func (p *Proxy) Sessions() websocket.Status {
	st := p.sessions.Status()
	st.Limit = p.sessionPool.Size()
	return st
}

// SessionSeries returns the same for series.
func (p *Proxy) SessionSeries() metrics.Sessions {
	st := p.sessions.Status()
	return metrics.Sessions{
		Open: st.Open, Seconds: st.Seconds, Characters: st.Characters, MessagesIn: st.MessagesIn,
		MessagesOut: st.MessagesOut,
	}
}

// Rates lists the limits of requests per minute that are in use: of tasks, and of models that are known.
func (p *Proxy) Rates() []Rate { return p.rates.status() }

// PaceSeries returns the same for a gauge.
func (p *Proxy) PaceSeries() []metrics.Pace { return p.rates.series() }

// Breakers returns the models that Workers AI has no capacity for at present; most of their calls are answered here.
func (p *Proxy) Breakers() []breaker.Status { return p.capacity.breakers.Status() }

// BreakerLabels returns the same as labels: models that are not known are other.
func (p *Proxy) BreakerLabels() []string { return p.capacity.labels() }

// RecentFailures returns the last failures but for those of RecentRefusals, at most 50, the newest first.
func (p *Proxy) RecentFailures() []recent.Failure { return p.recorder.recent.List() }

// RecentRefusals returns the last calls that were refused for their key, host, origin or path, and what CountRefusal
// was told; at most 50, the newest first.
func (p *Proxy) RecentRefusals() []recent.Failure { return p.recorder.refused.List() }

// CountRefusal counts a request that was refused because it is not valid HTTP. It is no call.
func (p *Proxy) CountRefusal(f *normalize.Failure) { p.recorder.refusal(f.Resolved()) }

// KnowModels adds names, in their order, to those that are labels; there is room for 500 in all.
func (p *Proxy) KnowModels(names []string) { p.models.add(names) }

// RemoteCapacity takes from another replica that Workers AI has no capacity for a model or, with free, that it has some
// again.
func (p *Proxy) RemoteCapacity(model string, free bool) { p.capacity.remote(model, free) }
