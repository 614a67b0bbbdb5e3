package proxy

import (
	"net"
	"net/http"
	"net/netip"
	"strings"

	"github.com/neuronward/neuronward/normalize"
)

// access refuses what web pages send. A listener that holds a token is a target
// for every page that a developer opens beside it: a page may post to
// 127.0.0.1, and a hostile name may be made to resolve there.
func (p *Proxy) access(c *call, r *http.Request) error {
	if p.loopback && p.clients == nil && !p.hosts.Allowed(r.Host) {
		return forbidden("The Host header names " + quoted(r.Host) + ", which this proxy does not answer to while it listens on loopback. " +
			"Call it by IP address or as localhost, or add the name to {HOSTS}.")
	}
	// A dashboard may link to the error reference; it spends nothing.
	reference := c.route != nil && c.route.local() && r.Method != http.MethodPost
	if !reference && p.crossSite(r) {
		return forbidden("A web page of another site sent this request. Call this proxy from a server, not from a browser.")
	}
	return nil
}

// crossSite reports whether a browser sent the request on behalf of another
// site. net/http's protection lets reads through; here they are refused too,
// since a read spends the account's allowance of API calls.
func (p *Proxy) crossSite(r *http.Request) bool {
	if p.crossOrigin.Check(r) != nil {
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

func forbidden(message string) *normalize.Failure {
	return refuse(normalize.ClientForbidden, message, "")
}

func quoted(s string) string { return `"` + clip(s, 100) + `"` }

// Hosts are the names that a listener on loopback answers to.
type Hosts struct{ names map[string]struct{} }

// NewHosts returns the set of "localhost" and the given names, none of which
// carries a port.
func NewHosts(names ...string) Hosts {
	h := Hosts{names: map[string]struct{}{"localhost": {}}}
	for _, name := range names {
		h.names[strings.ToLower(strings.TrimSuffix(name, "."))] = struct{}{}
	}
	return h
}

// Allowed reports whether a Host header, with or without a port, is an IP
// address or one of the names. A name that merely resolves here is neither: that
// is how DNS rebinding works.
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
