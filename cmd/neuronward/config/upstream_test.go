package config

import (
	"testing"
)

func TestUpstreamShape(t *testing.T) {
	t.Parallel()
	const (
		api     = "https://api.cloudflare.com"
		writes  = "; write https://api.cloudflare.com/client/v4"
		long    = "is too long: the proxy itself adds what follows /client/v4" + writes
		end     = "does not end in /client/v4, as Cloudflare's API does" + writes
		gateway = "https://gateway.ai.cloudflare.com"
		ours    = gateway + "/v1/" + hexAccount
		none    = "names no AI Gateway; write " + ours + "/{gateway}"
		longer  = "is too long: the proxy itself adds what follows the gateway's name; write " + ours + "/apps"
		other   = "names the AI Gateway of another account than CLOUDFLARE_ACCOUNT_ID: what is counted here would " +
			"not be what it is billed; write " + ours + "/apps"
		base    = "is too long: the proxy itself adds /accounts/{account}/ai and what follows; write "
		another = "fedcba9876543210fedcba9876543210"
		query   = "has a query or a fragment; write one such as " + api + "/client/v4"
		user    = "holds a user or a password; put the token into CLOUDFLARE_API_TOKEN and write one such as " +
			api + "/client/v4"
	)
	for upstream, want := range map[string]string{
		api + "/client/v4":              "",
		api + "/client/v4/":             "",
		api + ":443/client/v4":          "",
		api:                             end,
		api + "/":                       end,
		api + "/client":                 end,
		api + "/client/v5":              end,
		api + "/v1":                     end,
		api + "/client/v4x":             end,
		"https://API.cloudflare.com/v4": end,
		api + "/client/v4/ai/v1":        long,
		api + "/client/v4/accounts/" + hexAccount:         long,
		api + "/client/v4/accounts/" + hexAccount + "/ai": long,
		api + "/client/v4/accounts/x/ai/v1":               long,
		api + "/client/v4/accounts/x/ai/run/@cf/meta/x":   long,
		api + "/client/v4?token=hidden-word":              query,
		api + "/client/v4#hidden-word":                    query,
		"https://u:hidden-word@api.cloudflare.com":        user,
		ours + "/apps":                          "",
		ours + "/apps/":                         "",
		ours + "/apps/workers-ai":               "",
		gateway:                                 none,
		gateway + "/v1":                         none,
		ours:                                    none,
		gateway + "/client/v4":                  none,
		gateway + "/v2/" + hexAccount + "/apps": none,
		gateway + "/v1//apps/x":                 none,
		gateway + "/v1/" + another + "/apps":    other,
		gateway + "/v1/" + another + "/apps/workers-ai":     other,
		ours + "/apps/compat":                               longer,
		ours + "/apps/workers-ai/v1":                        longer,
		ours + "/apps/workers-ai/v1/chat":                   longer,
		"http://127.0.0.1:8080":                             "",
		"http://127.0.0.1:8080/client/v4":                   "",
		"http://127.0.0.1:8080/v1/x/y":                      "",
		"http://localhost/anything/else":                    "",
		"https://proxy.example/ai":                          "",
		"https://proxy.example/cloudflare":                  "",
		"http://127.0.0.1:8080/client/v4/accounts/x/ai/v1":  base + "http://127.0.0.1:8080/client/v4",
		"https://proxy.example/ai/v1":                       base + "https://proxy.example",
		"https://proxy.example/c/ai/run":                    base + "https://proxy.example/c",
		"https://proxy.example/client/v4/accounts/x":        base + "https://proxy.example/client/v4",
		"https://proxy.example/client/v4/accounts/x/ai/run": base + "https://proxy.example/client/v4",
	} {
		t.Run(upstream, func(t *testing.T) {
			t.Parallel()
			_, mistakes := load(environ("NEURONWARD_UPSTREAM="+upstream), new(Redactor))
			if want != "" {
				want = "NEURONWARD_UPSTREAM: " + want
			}
			if got := mistakes.Error(); got != want {
				t.Errorf("mistakes are %q, want %q", got, want)
			}
			hides(t, mistakes.Error())
		})
	}
}

func TestAPIShape(t *testing.T) {
	t.Parallel()
	for api, want := range map[string]string{
		"https://api.cloudflare.com/client/v4": "",
		"http://127.0.0.1:8080/x":              "",
		"https://api.cloudflare.com": "NEURONWARD_API: does not end in /client/v4, as Cloudflare's API does; write " +
			"https://api.cloudflare.com/client/v4",
		"https://gateway.ai.cloudflare.com/v1/a/b": "NEURONWARD_API: is an AI Gateway, which answers nothing that is " +
			"asked there; write https://api.cloudflare.com/client/v4",
	} {
		_, mistakes := load(environ("NEURONWARD_API="+api), new(Redactor))
		if got := mistakes.Error(); got != want {
			t.Errorf("%s: mistakes are %q, want %q", api, got, want)
		}
	}
}

// Where the account is wrong itself, a gateway's is not compared with it.
func TestGatewayWithoutAnAccount(t *testing.T) {
	t.Parallel()
	const want = "CLOUDFLARE_ACCOUNT_ID: is required; set the id of the account whose Workers AI is called, or try " +
		"neuronward demo"
	_, mistakes := load(environ(
		"CLOUDFLARE_ACCOUNT_ID=", "NEURONWARD_UPSTREAM=https://gateway.ai.cloudflare.com/v1/a/b",
	), new(Redactor))
	if got := mistakes.Error(); got != want {
		t.Errorf("mistakes are %q, want %q", got, want)
	}
}
