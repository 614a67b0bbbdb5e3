package proxy

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// behindGateway is a proxy whose upstream is an AI Gateway and whose API is
// another server; seen is what each was asked last.
func behindGateway(t *testing.T, gateway, api http.HandlerFunc, change ...func(*Config)) *bench {
	t.Helper()
	apiServer := httptest.NewServer(api)
	t.Cleanup(apiServer.Close)
	return newBench(t, gateway, append(change, func(c *Config) {
		c.Upstream = &url.URL{Scheme: "http", Host: c.Upstream.Host, Path: "/v1/" + testAccount + "/my-gateway"}
		c.API, _ = url.Parse(apiServer.URL + "/client/v4")
		c.GatewayToken = func() string { return "gateway-canary-0123456789" }
	})...)
}

func TestGatewayMapping(t *testing.T) {
	type seen struct{ server, uri, body, authorization, gatewayToken string }
	var last seen
	record := func(server string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			last = seen{
				server, r.RequestURI, string(body), r.Header.Get("Authorization"),
				r.Header.Get("Cf-Aig-Authorization"),
			}
			answerJSON(200, `{"result":[],"success":true}`)(w, r)
		}
	}
	b := behindGateway(t, record("gateway"), record("api"))
	gateway, api := "/v1/"+testAccount+"/my-gateway", "/client/v4/accounts/"+testAccount+"/ai"
	for _, c := range []struct{ method, path, body, server, uri, sent string }{
		{"POST", "/v1/chat/completions", chat, "gateway", gateway + "/workers-ai/v1/chat/completions", chat},
		{"POST", "/v1/embeddings", chat, "gateway", gateway + "/workers-ai/v1/embeddings", chat},
		{
			"POST", "/run/" + testModel, `{"prompt":"x"}`, "gateway", gateway + "/workers-ai/" + testModel,
			`{"prompt":"x"}`,
		},
		{
			"POST", "/run/" + testModel + "?queueRequest=true", `{"requests":[]}`, "gateway",
			gateway + "/workers-ai/" + testModel + "?queueRequest=true", `{"requests":[]}`,
		},
		{
			"POST", api + "/run/" + testModel, `{"prompt":"x"}`, "gateway", gateway + "/workers-ai/" + testModel,
			`{"prompt":"x"}`,
		},
		{
			"POST", "/run", `{"model":"` + testModel + `", "input": {"prompt":"x"} }`, "gateway",
			gateway + "/workers-ai/" + testModel, `{"prompt":"x"}`,
		},
		{"GET", "/ai/models/search?task=x", "", "api", api + "/models/search?task=x", ""},
		{"GET", "/ai/models/schema?model=x", "", "api", api + "/models/schema?model=x", ""},
		{"GET", "/ai/finetunes/public", "", "api", api + "/finetunes/public", ""},
		{"GET", "/ai/tasks/search", "", "api", api + "/tasks/search", ""},
		{"GET", "/ai/authors/search", "", "api", api + "/authors/search", ""},
		{"GET", "/ai/finetunes", "", "api", api + "/finetunes", ""},
		{"GET", "/ai/tomarkdown/supported", "", "api", api + "/tomarkdown/supported", ""},
		{"POST", "/ai/tomarkdown", "--x", "api", api + "/tomarkdown", "--x"},
		{"GET", "/v1/models", "", "api", api + "/models/search?page=1&per_page=100", ""},
	} {
		last = seen{}
		res, body := b.do(c.method, c.path, c.body, "Cf-Aig-Authorization", "Bearer theirs", "Cf-Aig-Cache-Ttl", "60")
		if res.StatusCode != 200 {
			t.Errorf("%s: got status %d, want 200: %s", c.path, res.StatusCode, body)
		}
		what := c.method + " " + c.path
		wantEqual(t, what+": server", last.server, c.server)
		wantEqual(t, what+": URI", last.uri, c.uri)
		wantEqual(t, what+": body", last.body, c.sent)
		wantEqual(t, what+": authorization", last.authorization, "Bearer "+testToken)
		if want := "Bearer gateway-canary-0123456789"; c.server == "gateway" && last.gatewayToken != want {
			t.Errorf("%s: the gateway's token: got %q, want %q", c.path, last.gatewayToken, want)
		}
		if c.server == "api" && last.gatewayToken != "" {
			t.Errorf("%s: the gateway's token at the API: got %q, want none", c.path, last.gatewayToken)
		}
	}
	for _, c := range []struct{ path, body, slug string }{
		{"/v1/responses", chat, "route_not_proxied"},
		{"/v1/messages", chat, "route_not_proxied"},
		{"/run", `{"model":"` + testModel + `"}`, "incomplete_request"},
		{"/run", `{"model":"../../user","input":{}}`, "invalid_model_id"},
		{"/client/v4/accounts/another/ai/run/" + testModel, `{"prompt":"x"}`, "account_mismatch"},
	} {
		last = seen{}
		if _, body := b.do("POST", c.path, c.body); b.envelope(body).Error.Name != c.slug || last.server != "" {
			t.Errorf("%s %s: got %s, and %+v upstream; want %s, and no call upstream", c.path, c.body, body, last,
				c.slug)
		}
	}
}

func TestStreamThroughAGateway(t *testing.T) {
	sent := firstChunk + lastChunk + "data: [DONE]\n\n"
	b := behindGateway(t, streams(func(_ http.ResponseWriter, _ *http.Request, send func(string)) { send(sent) }),
		http.NotFound)
	if res, answer, cut := b.stream(chatPath, streamChat); answer != sent || cut {
		t.Errorf("got status %d, cut %v, %q; want cut false, %q", res.StatusCode, cut, answer, sent)
	}
	b = behindGateway(t, streams(func(_ http.ResponseWriter, _ *http.Request, send func(string)) {
		send(firstChunk + "data: {\"success\":false,\"error\":[{\"code\":2003,\"message\":\"Rate limited\"}]}\n\n")
	}), http.NotFound)
	_, answer, cut := b.stream(chatPath, streamChat)
	if want := firstChunk + `data: {"error":{`; !strings.HasPrefix(answer, want) {
		t.Errorf("got %q, want %q at the beginning", answer, want)
	}
	wantHas(t, "answer", answer, `"name":"gateway_rate_limited"`)
	wantEqual(t, "cut", cut, true)
}

func TestGatewayFailures(t *testing.T) {
	for _, c := range []struct {
		name, body   string
		sent, status int
		slug, fault  string
	}{
		{
			"rate limited",
			`{"success":false,"result":[],"messages":[],"error":[{"code":2003,"message":"Rate limited"}],` +
				`"name":"AiGatewayError","httpCode":429}`, 429, 429, "gateway_rate_limited", "",
		},
		{
			"our gateway token is refused",
			`{"success":false,"result":[],"messages":[],"error":[{"code":2009,"message":"Unauthorized"}]}`, 401, 502,
			"gateway_unauthorized", "operator",
		},
		{
			"no credits",
			`{"success":false,"result":[],"messages":[],"error":[{"code":2021,"message":"Insufficient unified ` +
				`billing credits."}]}`, 402, 402, "gateway_no_credits", "",
		},
		{
			"set up wrongly",
			`{"success":false,"result":[],"messages":[],"error":[{"code":2001,"message":"Please configure AI ` +
				`Gateway in the Cloudflare dashboard"}]}`, 400, 400, "gateway_misconfigured", "",
		},
		{
			"a model's failure behind it",
			`{"name":"AiError","httpCode":400,"internalCode":5007,"message":"AiError: No such model @cf/x/y or task"}`,
			404, 400, "no_such_model", "",
		},
	} {
		b := behindGateway(t, answerJSON(c.sent, c.body), http.NotFound)
		res, body := b.do("POST", "/run/"+testModel, `{"prompt":"x"}`)
		e := b.envelope(body)
		wantEqual(t, c.name+": status", res.StatusCode, c.status)
		wantEqual(t, c.name+": name", e.Error.Name, c.slug)
		if c.fault != "" {
			wantEqual(t, c.name+": fault", e.Error.Fault, c.fault)
		}
	}
}

func TestModelsListIsOpenAIs(t *testing.T) {
	pages := 0
	b := newBench(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		pages++
		var found []string
		for i := range map[string]int{"1": 100, "2": 7}[r.URL.Query().Get("page")] {
			found = append(found,
				fmt.Sprintf(`{"id":"x","name":"@cf/meta/m-%s-%d","created_at":"2026-01-02 03:04:05.678"}`,
					r.URL.Query().Get("page"), i))
		}
		answerJSON(200, `{"success":true,"result":[`+strings.Join(found, ",")+`],"errors":[],"messages":[]}`)(w, r)
	}))
	res, body := b.do("GET", "/v1/models", "")
	var list struct {
		Object string
		Data   []struct {
			ID, Object, OwnedBy string
			Created             int64
		}
	}
	if err := json.Unmarshal(body, &list); err != nil || res.StatusCode != 200 {
		t.Fatalf("got status %d, error %v; want 200, none: %.300s", res.StatusCode, err, body)
	}
	if list.Object != "list" {
		t.Fatalf("got object %q, want list: %.300s", list.Object, body)
	}
	if len(list.Data) != 107 || pages != 2 {
		t.Fatalf("got %d models of %d pages, want 107 of 2", len(list.Data), pages)
	}
	if first := list.Data[0]; first.Object != "model" || first.Created != 1767323045 {
		t.Errorf("got first %+v, want object model, created 1767323045", first)
	}
	if got, want := list.Data[106].ID, "@cf/meta/m-2-6"; got != want {
		t.Errorf("got last %q, want %q", got, want)
	}
	if !strings.Contains(string(body), `"owned_by":"meta"`) {
		t.Errorf("got %.300s, want %s in it", body, `"owned_by":"meta"`)
	}

	b = newBench(t, answerJSON(200,
		`{"success":false,"errors":[{"code":971,"message":"Please wait and consider throttling your request speed"}]}`))
	if res, body := b.do("GET", "/v1/models", ""); res.StatusCode != 429 ||
		b.envelope(body).Error.Name != "api_rate_limited" {
		t.Errorf("got status %d and %s, want 429 and api_rate_limited", res.StatusCode, body)
	}
}
