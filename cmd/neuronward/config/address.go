package config

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// CheckAddress says what is wrong with address as that of a listener, nil if nothing is.
func CheckAddress(address string) error {
	const want = "write host:port, such as 127.0.0.1:3036, or :3036 for every address"
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("%s is not an address; %s", quoted(address), want)
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return fmt.Errorf("%s has no port between 0 and 65535; %s", quoted(address), want)
	}
	if _, err := netip.ParseAddr(host); err != nil && host != "" && !hostName(host) {
		return fmt.Errorf("%s names no host; %s", quoted(address), want)
	}
	return nil
}

// Loopback reports whether only this machine can reach a listener's address.
func Loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	return err == nil && loopbackHost(host)
}

func loopbackHost(host string) bool {
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback() || strings.EqualFold(host, "localhost")
}

const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

func hostName(s string) bool {
	return s != "" && len(s) <= 253 && strings.Trim(s, letters+"0123456789-._") == ""
}

// accountID reports whether s can be an account id: it needs no escape in a path.
func accountID(s string) bool {
	return len(s) <= 64 && strings.Trim(s, letters+"0123456789-_") == ""
}

// hexID reports whether an account id has the form that Cloudflare gives its accounts.
func hexID(account string) bool {
	return len(account) == 32 && strings.Trim(account, "0123456789abcdefABCDEF") == ""
}

// apiOf returns where Cloudflare's API is beside an upstream: there, if the upstream is one.
func apiOf(upstream *url.URL) *url.URL {
	if strings.HasSuffix(upstream.Path, apiPath) {
		return upstream
	}
	return &url.URL{Scheme: "https", Host: apiHost, Path: apiPath}
}

// plain reports whether the traffic of a URL can be read on its way: http to another machine.
func plain(u *url.URL) bool { return u.Scheme == "http" && !loopbackHost(u.Hostname()) }

// cloudflare reports whether a URL is Cloudflare's own.
func cloudflare(u *url.URL) bool {
	host := strings.ToLower(u.Hostname())
	return host == "cloudflare.com" || strings.HasSuffix(host, ".cloudflare.com")
}
