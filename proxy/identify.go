package proxy

import (
	"net/http"

	"github.com/neuronward/neuronward/metrics"
	"github.com/neuronward/neuronward/normalize"
)

// identify finds out whose call this is. With a clients file nobody passes
// without a key of it; only the error reference is read by anyone.
func (p *Proxy) identify(c *call, h http.Header) error {
	if p.clients == nil || c.route != nil && c.route.local() {
		return nil
	}
	own := p.credentials.token() != ""
	client, refusal := p.clients().Identify(h, own)
	if client == nil {
		return refuse(normalize.ClientUnauthorized, refusal.Message(own), "")
	}
	c.entry, c.client = client, client.Name
	return nil
}

// permit refuses what the client's entry in the clients file does not allow.
func (p *Proxy) permit(c *call) error {
	switch e := c.entry; {
	case e == nil, c.route.method == http.MethodGet, c.route.finetunes:
		return nil
	case c.model == "" && (!e.AllowsAll() || e.DailyNeurons > 0):
		return forbidden("This client has a list of models or a budget, and what this path uses and costs is not told. Ask whoever runs the proxy.")
	case c.model != "" && !e.Allows(c.model):
		f := forbidden("This client may not call " + c.modelText + ". GET /v1/models lists what it may call.")
		f.Param = "model"
		return f
	}
	return nil
}

// mayFinetune reports whether the caller may make and change finetunes.
func (c *call) mayFinetune() bool { return c.entry != nil && c.entry.Finetunes }

// mostLabels is how many clients are told apart in the series of calls, which
// has most labels beside them.
const mostLabels = 50

// callLabel is the client as a label of the series of calls.
func (p *Proxy) callLabel(c *call) string {
	if c.entry != nil && len(p.clients().Clients()) > mostLabels {
		return metrics.Other
	}
	return c.client
}
