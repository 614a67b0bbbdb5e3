package proxy

import (
	"net/http"
	"strings"
	"testing"

	"github.com/neuronward/neuronward/proxy/modelname"
)

// Where Cloudflare has no path that this proxy made by itself, the address or the account is set wrongly. That is the
// operator's, and stands in the log as an error.
func TestWrongUpstreamIsTheOperators(t *testing.T) {
	const unrouted = `{"success":false,"errors":[{"code":7003,"message":"Could not route to /client/v4/accounts/x/ai/` +
		`v1/chat/completions, perhaps your object identifier is invalid?"}],"messages":[],"result":null}`
	const page = `<html><head><title>404 Not Found</title></head></html>`
	thirdParty := strings.Replace(chat, testModel, "openai/gpt-5.5", 1)
	account := "/client/v4/accounts/" + testAccount + "/ai"
	for _, c := range []struct {
		name, method, path, body, answer string
		status                           int // of upstream
		want                             int
	}{
		{"chat", "POST", "/v1/chat/completions", chat, unrouted, 404, 502},
		{"chat with 400", "POST", "/v1/chat/completions", chat, unrouted, 400, 502},
		{
			"chat with another text", "POST", "/v1/chat/completions", chat,
			`{"errors":[{"code":7000,"message":"No route for that URI"}]}`, 400, 502,
		},
		{"embeddings", "POST", "/v1/embeddings", chat, unrouted, 404, 502},
		{"responses", "POST", "/v1/responses", `{"model":"` + testModel + `","input":"x"}`, unrouted, 404, 502},
		{"messages", "POST", "/v1/messages", chat, unrouted, 404, 502},
		{"the drop-in path", "POST", account + "/v1/chat/completions", chat, unrouted, 404, 502},
		{"the list of models", "GET", "/v1/models", "", unrouted, 404, 502},
		{"a page of another server", "POST", "/v1/chat/completions", chat, page, 404, 502},
		{"another provider's model", "POST", "/v1/chat/completions", thirdParty, unrouted, 404, 502},
		{"another provider's page", "POST", "/v1/chat/completions", thirdParty, page, 404, 404},
		{
			"a response that is not there", "POST", "/v1/responses", `{"model":"` + testModel + `","input":"x"}`,
			`{"error":{"message":"Response not found","type":"not_found_error"}}`, 404, 404,
		},
		{"a path with the caller's model", "POST", "/run/" + testModel, `{"prompt":"x"}`, unrouted, 404, 404},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t, answerJSON(c.status, c.answer), func(config *Config) {
				config.AllowedModels = modelname.List{"*"}
			})
			res, body := b.do(c.method, c.path, c.body)
			wantEqual(t, "status", res.StatusCode, c.want)
			e := b.envelope(body).Error
			wantEqual(t, "name", e.Name, "no_such_route")
			wantEqual(t, "X-Should-Retry", res.Header.Get("X-Should-Retry"), "false")
			b.ended()
			if c.want == http.StatusNotFound {
				wantEqual(t, "fault", e.Fault, "caller")
				wantLacks(t, "log", b.log.String(), `"level":"ERROR"`)
				return
			}
			wantEqual(t, "fault", e.Fault, "operator")
			wantEqual(t, "code", e.Code, "no_such_route")
			wantHas(t, "message", e.Message, "Whoever runs this proxy must correct the address of the upstream")
			wantHas(t, "body", string(body), "Correct NEURONWARD_UPSTREAM, NEURONWARD_API or the account id")
			wantHas(t, "log", b.log.String(), `"level":"ERROR","msg":"call failed"`)
		})
	}
}

// An account that the caller names and pays for by its own token is its own.
func TestUnroutedAccountOfTheCallersIsTheCallers(t *testing.T) {
	b := newBench(t, answerJSON(http.StatusNotFound, `{"errors":[{"code":7003,"message":"Could not route to /x"}]}`),
		func(config *Config) { config.Token = func() string { return "" } })
	res, body := b.do("POST", "/client/v4/accounts/"+strings.Repeat("f", 32)+"/ai/v1/chat/completions", chat,
		"Authorization", "Bearer mine-0123456789")
	wantEqual(t, "status", res.StatusCode, http.StatusNotFound)
	wantEqual(t, "fault", b.envelope(body).Error.Fault, "caller")
}
