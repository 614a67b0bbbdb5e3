package config

import (
	"cmp"
	"net/url"
	"regexp"
	"strings"
	"sync"
)

const (
	apiHost     = "api.cloudflare.com"
	gatewayHost = "gateway.ai.cloudflare.com"
	apiPath     = "/client/v4"
)

// belowBase is what follows a base URL in the URLs that Cloudflare's documentation shows.
var belowBase = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`(/accounts/[^/]+(/ai(/.*)?)?|/ai/(v1|run)(/.*)?)$`)
})

// upstreamProblem says why calls cannot be sent to an upstream, and what to write instead; "": they can. account is ""
// where it is not known. Hosts that are not Cloudflare's may have any path but one that is too long.
func upstreamProblem(u *url.URL, account string) string {
	switch strings.ToLower(u.Hostname()) {
	case apiHost:
		return apiProblem(u)
	case gatewayHost:
		return gatewayProblem(u, account)
	}
	if base := belowBase().ReplaceAllString(u.Path, ""); base != u.Path {
		short := url.URL{Scheme: u.Scheme, Host: u.Host, Path: base}
		return "is too long: the proxy itself adds /accounts/{account}/ai and what follows; write " + short.String()
	}
	return ""
}

// apiProblem does the same for a URL of Cloudflare's API.
func apiProblem(u *url.URL) string {
	const write = "write https://" + apiHost + apiPath
	switch {
	case u.Path == apiPath:
		return ""
	case strings.HasPrefix(u.Path, apiPath+"/"):
		return "is too long: the proxy itself adds what follows " + apiPath + "; " + write
	}
	return "does not end in " + apiPath + ", as Cloudflare's API does; " + write
}

// gatewayProblem does the same for the URL of an AI Gateway: /v1/{account}/{gateway}, with or without the provider's
// name behind it.
func gatewayProblem(u *url.URL, account string) string {
	parts := strings.Split(strings.Trim(u.Path, "/"), "/")
	n := len(parts)
	names := parts[0] == "v1" && n >= 3 && !strings.Contains(u.Path, "//")
	gateway := "{gateway}"
	if names {
		gateway = parts[2]
	}
	write := "; write https://" + gatewayHost + "/v1/" + cmp.Or(account, "{account}") + "/" + gateway
	switch {
	case !names:
		return "names no AI Gateway" + write
	case account != "" && parts[1] != account:
		return "names the AI Gateway of another account than CLOUDFLARE_ACCOUNT_ID: what is counted here would not " +
			"be what it is billed" + write
	case n > 4 || n == 4 && parts[3] != "workers-ai":
		return "is too long: the proxy itself adds what follows the gateway's name" + write
	}
	return ""
}

// validateUpstream finds URLs to which no call can be sent.
func (l *loader) validateUpstream() {
	account := l.Account
	if l.mistakes.in("CLOUDFLARE_ACCOUNT_ID") {
		account = ""
	}
	if l.Upstream != nil {
		problem := upstreamProblem(l.Upstream, account)
		l.require("NEURONWARD_UPSTREAM", problem == "", problem)
	}
	if l.API == nil {
		return
	}
	switch strings.ToLower(l.API.Hostname()) {
	case apiHost:
		problem := apiProblem(l.API)
		l.require("NEURONWARD_API", problem == "", problem)
	case gatewayHost:
		l.require("NEURONWARD_API", false,
			"is an AI Gateway, which answers nothing that is asked there; write https://"+apiHost+apiPath)
	}
}
