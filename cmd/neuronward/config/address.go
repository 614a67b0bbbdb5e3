package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// AccountID is a Cloudflare account id.
type AccountID string

func (a *AccountID) UnmarshalText(text []byte) error {
	const most = 64
	if len(text) > most || slices.ContainsFunc(text, func(c byte) bool { return !nameByte(c) }) {
		return fmt.Errorf("is not an account id; copy the 32 hexadecimal digits from the dashboard (Workers AI, Use REST API)")
	}
	*a = AccountID(text)
	return nil
}

func nameByte(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c == '-'
}

// hex reports whether the id has the form that Cloudflare gives its accounts.
func (a AccountID) hex() bool {
	return len(a) == 32 && strings.Trim(string(a), "0123456789abcdefABCDEF") == ""
}

// Address is what a listener listens on, host:port. The zero value is no listener.
type Address string

func (a *Address) UnmarshalText(text []byte) error {
	const want = "write host:port, such as 127.0.0.1:3036, or :3036 for every address"
	host, port, err := net.SplitHostPort(string(text))
	if err != nil {
		return fmt.Errorf("%s is not an address; %s", Shown(text), want)
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return fmt.Errorf("%s has no port between 0 and 65535; %s", Shown(text), want)
	}
	if _, err := netip.ParseAddr(host); err != nil && host != "" && !hostName(host) {
		return fmt.Errorf("%s names no host; %s", Shown(text), want)
	}
	*a = Address(text)
	return nil
}

// String returns the address, "off" for none.
func (a Address) String() string {
	if a == "" {
		return "off"
	}
	return string(a)
}

// Loopback reports whether only this machine can reach the address.
func (a Address) Loopback() bool {
	host, _, err := net.SplitHostPort(string(a))
	return err == nil && loopbackHost(host)
}

func loopbackHost(host string) bool {
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback() || strings.EqualFold(host, "localhost")
}

func hostName(s string) bool {
	return s != "" && len(s) <= 253 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._") == ""
}

// hosts is a list of host names with commas between them.
type hosts []string

func (h *hosts) UnmarshalText(text []byte) error {
	for name := range strings.SplitSeq(string(text), ",") {
		name = strings.ToLower(strings.TrimSpace(name))
		if _, err := netip.ParseAddr(name); err != nil && !hostName(name) {
			return fmt.Errorf("%s is not a list of host names; write names alone, such as ai.internal,ai.example.com", Shown(text))
		}
		*h = append(*h, name)
	}
	return nil
}

func (h hosts) String() string { return strings.Join(h, ",") }

// baseURL is an http or https URL without user, query and fragment, and without a slash at its end.
type baseURL struct{ U *url.URL }

func (b *baseURL) UnmarshalText(text []byte) error {
	const want = "write one such as https://api.cloudflare.com/client/v4"
	u, err := url.Parse(string(text))
	switch {
	case err != nil:
		return errors.New("is not a URL; " + want)
	case u.Scheme != "http" && u.Scheme != "https":
		return errors.New("does not begin with http:// or https://; " + want)
	case u.Hostname() == "":
		return errors.New("has no host; " + want)
	case u.User != nil:
		return errors.New("holds a user or a password; put the token into CLOUDFLARE_API_TOKEN and " + want)
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return errors.New("has a query or a fragment; " + want)
	}
	u.Path, u.RawPath = strings.TrimRight(u.Path, "/"), strings.TrimRight(u.RawPath, "/")
	b.U = u
	return nil
}

// api returns where Cloudflare's API is when the upstream is b: there, if b is one.
func (b baseURL) api() baseURL {
	if b.U != nil && strings.HasSuffix(b.U.Path, "/client/v4") {
		return b
	}
	return baseURL{U: &url.URL{Scheme: "https", Host: "api.cloudflare.com", Path: "/client/v4"}}
}

// gatewayAccount returns the account that an AI Gateway's URL names, "" of any other URL.
func (b baseURL) gatewayAccount() string {
	if b.U == nil || b.U.Hostname() != "gateway.ai.cloudflare.com" {
		return ""
	}
	parts := strings.Split(strings.Trim(b.U.Path, "/"), "/")
	if len(parts) < 3 || parts[0] != "v1" {
		return ""
	}
	return parts[1]
}

func (b baseURL) String() string {
	if b.U == nil {
		return ""
	}
	return b.U.String()
}

// plain reports whether the URL's traffic can be read on its way: http to another machine.
func (b baseURL) plain() bool { return b.U.Scheme == "http" && !loopbackHost(b.U.Hostname()) }

// cloudflare reports whether the URL is Cloudflare's own.
func (b baseURL) cloudflare() bool {
	host := strings.ToLower(b.U.Hostname())
	return host == "cloudflare.com" || strings.HasSuffix(host, ".cloudflare.com")
}
