package proxy

import (
	"net"
	"net/http"
	"net/netip"
	"strings"

	"github.com/neuronward/neuronward/metrics"
	"github.com/neuronward/neuronward/normalize"
	"github.com/neuronward/neuronward/proxy/clients"
	"github.com/neuronward/neuronward/proxy/headers"
)

// access decides who may call, and what.
type access struct {
	loopback    bool // the listener is on loopback
	hosts       Hosts
	crossOrigin *http.CrossOriginProtection
	clients     func() *clients.Set // nil: anyone who reaches the listener
	credentials *headers.Credentials
}

// checkOrigin refuses what web pages send. A listener that holds a token is a target for every page that a developer
// opens beside it: a page may post to 127.0.0.1, and a hostile name may be made to resolve there.
func (a *access) checkOrigin(c *call, r *http.Request) error {
	if a.loopback && a.clients == nil && !a.hosts.Allowed(r.Host) {
		return forbidden("The Host header names " + quoted(r.Host) + ", which this proxy does not answer to while it " +
			"listens on loopback. Call it by IP address or as localhost, or add the name to {HOSTS}.")
	}
	// A dashboard may link to the error reference; it spends nothing.
	reference := c.Route != nil && c.Route.Local() && r.Method != http.MethodPost
	if !reference && a.crossSite(r) {
		return forbidden("A web page of another site sent this request. " +
			"Call this proxy from a server, not from a browser.")
	}
	return nil
}

// crossSite reports whether a browser sent the request on behalf of another site. net/http's protection lets reads
// through; here they are refused too, since a read spends the account's allowance of API calls.
func (a *access) crossSite(r *http.Request) bool {
	if a.crossOrigin.Check(r) != nil {
		return true
	}
	switch r.Header.Get("Sec-Fetch-Site") {
	case "cross-site", "same-site":
		return true
	case "":
		origin := r.Header.Get("Origin")
		return origin != "" && origin != "http://"+r.Host && origin != "https://"+r.Host
	}
	return false
}

// identify finds out whose call this is. With a clients file nobody passes without a key of it; only the error
// reference is read by anyone.
func (a *access) identify(c *call, h http.Header) error {
	if a.clients == nil || c.Route != nil && c.Route.Local() {
		return nil
	}
	own := a.credentials.Token() != ""
	client, refusal := a.clients().Identify(h, own, c.began)
	if client == nil {
		return refuse(normalize.ClientUnauthorized, refusal.Message(own), "")
	}
	c.entry, c.client = client, client.Name
	return nil
}

// authorize refuses what the client's entry in the clients file does not allow.
func (c *call) authorize() error {
	switch e := c.entry; {
	case e == nil, c.Route.Method == http.MethodGet && !c.Route.Session, c.Route.Finetunes:
		return nil
	case c.Model == "" && (!e.AllowsAll() || e.HasBudget()):
		return forbidden("This client has a list of models or a budget, and which models this path uses at what cost " +
			"is not known. Ask whoever runs the proxy.")
	case c.Model != "" && !e.Allows(c.Model):
		f := forbidden("This client may not call " + c.modelText + ". GET /v1/models lists what it may call.")
		f.Param = "model"
		return f
	}
	return nil
}

// mayFinetune reports whether the caller may make and change finetunes.
func (c *call) mayFinetune() bool { return c.entry != nil && c.entry.Finetunes }

// maxClientLabels is how many clients have a label of their own in the series of calls, which has the most other
// labels.
const maxClientLabels = 50

// clientLabel is the client as a label of the series of calls.
func (a *access) clientLabel(c *call) string {
	if c.entry != nil && len(a.clients().Clients()) > maxClientLabels {
		return metrics.Other
	}
	return c.client
}

// Hosts are the names that a listener on loopback answers to.
type Hosts struct{ names map[string]struct{} }

// NewHosts returns the set of "localhost" and the given names, none of which carries a port.
func NewHosts(names ...string) Hosts {
	h := Hosts{names: map[string]struct{}{"localhost": {}}}
	for _, name := range names {
		h.names[strings.ToLower(strings.TrimSuffix(name, "."))] = struct{}{}
	}
	return h
}

// Allowed reports whether a Host header, with or without a port, is an IP address or one of the names. A name that
// merely resolves here is neither: that is how DNS rebinding works.
func (h Hosts) Allowed(host string) bool {
	name := host
	if n, _, err := net.SplitHostPort(host); err == nil {
		name = n
	}
	name = strings.TrimSuffix(strings.TrimPrefix(name, "["), "]")
	if _, err := netip.ParseAddr(name); err == nil {
		return true
	}
	_, ok := h.names[strings.ToLower(strings.TrimSuffix(name, "."))]
	return ok
}
