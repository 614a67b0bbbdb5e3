package normalize

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Whoever has no code of Cloudflare's says what failed in a shape of its own: error as an object, an array or a
// string, or a text under another name.
func TestTextsWithoutCodeInEveryShape(t *testing.T) {
	shapes := []string{
		`{"success":false,"error":{"message":T}}`, `{"success":false,"error":[{"message":T}]}`,
		`{"success":false,"error":[T]}`, `{"success":false,"error":T}`, `{"error":{"description":T}}`,
		`{"error":{"error":{"message":T}}}`, `{"errors":[T]}`, `{"errors":{"message":T}}`, `{"errors":T}`,
		`[T]`, `[{"error":{"message":T}}]`, `T`, `{"message":T}`, `{"description":T}`, `{"detail":T}`, `{"reason":T}`,
		`{"detail":[{"msg":T}]}`, `{"title":T,"status":403}`, `{"error":"denied","error_description":T}`,
		`{"success":false,"errors":[],"messages":[T]}`, `{"success":false,"errors":[],"messages":[{"message":T}]}`,
	}
	for text, want := range map[string]Code{
		"Access denied by policy":                            GatewayPolicyDenied,
		"Prompt blocked due to security configurations":      ContentFlagged,
		"Model or provider could not be resolved":            GatewayMisconfigured,
		"AiError: Capacity temporarily exceeded, try again.": OutOfCapacity,
	} {
		for _, shape := range shapes {
			body := strings.Replace(shape, "T", strconv.Quote(text), 1)
			f := Classify(http.StatusForbidden, nil, []byte(body))
			if f.Code != want || f.MatchedBy != MatchedText {
				t.Errorf("%s: got %s by %s, want %s by %s", body, f.Code, f.MatchedBy, want, MatchedText)
			}
			if text := strings.TrimPrefix(text, "AiError: "); !strings.HasPrefix(f.Message, text) {
				t.Errorf("%s: got message %q, want %q", body, f.Message, text)
			}
		}
	}
}

// What other providers say on Cloudflare's paths is told apart from what Cloudflare says.
func TestProvidersBodies(t *testing.T) {
	for _, tt := range []struct {
		name   string
		status int
		body   string
		want   Code
	}{
		{"OpenAI: a key", 401, `{"error":{"message":"Incorrect API key provided: sk-x. You can find your API key at ` +
			`https://platform.openai.com/account/api-keys.","type":"invalid_request_error","param":null,` +
			`"code":"invalid_api_key"}}`, AuthenticationFailed},
		{"OpenAI: a model", 404, `{"error":{"message":"The model 'gpt-9' does not exist or you do not have access to ` +
			`it.","type":"invalid_request_error","param":null,"code":"model_not_found"}}`, NoSuchModel},
		{
			"OpenAI: money", 429, `{"error":{"message":"You exceeded your current quota, please check your plan and ` +
				`billing details.","type":"insufficient_quota","param":null,"code":"insufficient_quota"}}`,
			GatewayNoCredits,
		},
		{"OpenAI: a rate", 429, `{"error":{"message":"Rate limit reached for gpt-5 on tokens per min (TPM): Limit ` +
			`10000","type":"tokens","param":null,"code":"rate_limit_exceeded"}}`, UpstreamRateLimited},
		{"OpenAI: load", 503, `{"error":{"message":"The engine is currently overloaded, please try again later",` +
			`"type":"server_error","param":null,"code":null}}`, OutOfCapacity},
		{"OpenAI: an error inside", 500, `{"error":{"message":"The server had an error while processing your ` +
			`request.","type":"server_error","param":null,"code":null}}`, UpstreamInternalError},
		{"OpenAI: moderation", 400, `{"error":{"message":"Your request was rejected as a result of our safety ` +
			`system.","type":"image_generation_user_error","param":null,"code":"moderation_blocked"}}`, ContentFlagged},
		{"OpenAI: a country", 403, `{"error":{"code":"unsupported_country_region_territory","message":"Country, ` +
			`region, or territory not supported","type":"request_forbidden"}}`, PermissionDenied},
		{"Anthropic: a field", 400, `{"type":"error","error":{"type":"invalid_request_error","message":"max_tokens: ` +
			`Field required"}}`, BadInput},
		{"Anthropic: money", 400, `{"type":"error","error":{"type":"invalid_request_error","message":"Your credit ` +
			`balance is too low to access the Anthropic API."}}`, GatewayNoCredits},
		{"Anthropic: a key", 401, `{"type":"error","error":{"type":"authentication_error","message":"invalid ` +
			`x-api-key"}}`, AuthenticationFailed},
		{"Anthropic: a permission", 403, `{"type":"error","error":{"type":"permission_error","message":"Your API key ` +
			`does not have permission to use the specified resource."}}`, PermissionDenied},
		{
			"Anthropic: a model", 404,
			`{"type":"error","error":{"type":"not_found_error","message":"model: claude-9"}}`,
			NoSuchModel,
		},
		{"Anthropic: a size", 413, `{"type":"error","error":{"type":"request_too_large","message":"Request exceeds ` +
			`the maximum size"}}`, RequestTooLarge},
		{"Anthropic: a rate", 429, `{"type":"error","error":{"type":"rate_limit_error","message":"This request would ` +
			`exceed your organization's rate limit of 40,000 input tokens per minute."}}`, UpstreamRateLimited},
		{
			"Anthropic: load", 529, `{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}`,
			OutOfCapacity,
		},
		{"Anthropic: a window", 400, `{"type":"error","error":{"type":"invalid_request_error","message":"prompt is ` +
			`too long: 208310 tokens > 200000 maximum"}}`, ContextWindowExceeded},
		{"Google: a key", 400, `[{"error":{"code":400,"message":"API key not valid. Please pass a valid API key.",` +
			`"status":"INVALID_ARGUMENT","details":[{"reason":"API_KEY_INVALID"}]}}]`, AuthenticationFailed},
		{"Google: a field", 400, `[{"error":{"code":400,"message":"Unknown name \"foo\"","status":` +
			`"INVALID_ARGUMENT"}}]`, BadInput},
		{"Google: a model", 404, `[{"error":{"code":404,"message":"models/gemini-9 is not found for API version ` +
			`v1beta","status":"NOT_FOUND"}}]`, NoSuchModel},
		{"Google: a rate", 429, `[{"error":{"code":429,"message":"Resource has been exhausted (e.g. check quota).",` +
			`"status":"RESOURCE_EXHAUSTED"}}]`, UpstreamRateLimited},
		{
			"Google: a rate inside a success", 200, `{"error":{"status":"RESOURCE_EXHAUSTED","message":"odd"}}`,
			UpstreamRateLimited,
		},
		{"Google: load", 503, `{"error":{"code":503,"message":"The model is overloaded. Please try again later.",` +
			`"status":"UNAVAILABLE"}}`, OutOfCapacity},
		{"Google: time", 504, `{"error":{"code":504,"message":"Deadline expired before operation could complete.",` +
			`"status":"DEADLINE_EXCEEDED"}}`, Timeout},
		{"a string for a rate", 429, `"Rate limited"`, UpstreamRateLimited},
		{"a text for a rate", 429, `Too Many Requests`, UpstreamRateLimited},
		{"an array for a rate", 429, `{"error":[{"message":"slow down"}]}`, UpstreamRateLimited},
		{"an array with a gateway's code", 429, `{"error":[{"code":2077,"message":"slow down"}]}`, GatewayRateLimited},
		{"the model layer without a code", 429, `{"errors":[{"message":"AiError: nope"}]}`, UpstreamRateLimited},
		{"a relay's word for a rate", 429, `{"error":{"code":"invalid_prompt","message":"nope"}}`, UpstreamRateLimited},
		{
			"a relay's word for what failed", 500, `{"error":{"code":"invalid_prompt","message":"nope"}}`,
			UpstreamInternalError,
		},
		{"nothing for a rate", 429, ``, UpstreamRateLimited},
		{"a gateway's 7003", 404, `{"error":[{"code":7003,"message":"odd"}],"name":"AiGatewayError"}`, NoSuchModel},
		{"a gateway's 7003", 400, `{"error":[{"code":7003,"message":"odd"}],"name":"AiGatewayError"}`, BadInput},
		{
			"a gateway's 7003", 500, `{"error":[{"code":7003,"message":"odd"}],"name":"AiGatewayError"}`,
			UpstreamInternalError,
		},
		{"a gateway's 7000", 400, `{"error":[{"code":7000,"message":"odd"}],"name":"AiGatewayError"}`, BadInput},
		{
			"a gateway's 7000 inside a success", 200,
			`{"error":[{"code":7000,"message":"odd"}],"name":"AiGatewayError"}`, NoSuchRoute,
		},
		{
			"a gateway's 7003 inside a success", 200,
			`{"error":[{"code":7003,"message":"odd"}],"name":"AiGatewayError"}`, NoSuchRoute,
		},
		{"the API's 7000", 400, `{"errors":[{"code":7000,"message":"odd"}]}`, NoSuchRoute},
		{"the API's 7003", 500, `{"errors":[{"code":7003,"message":"odd"}]}`, NoSuchRoute},
		{"the API's 7003", 400, `{"errors":[{"code":7003,"message":"odd"}]}`, NoSuchRoute},
		{"a string for credentials", 401, `{"error":"Unauthorized"}`, AuthenticationFailed},
		{
			"a provider's key in a gateway", 400, `{"error":[{"code":2005,"message":"Invalid API key"}]}`,
			GatewayMisconfigured,
		},
		{
			"a gateway's provider that is down", 503, `{"error":[{"code":2005,"message":"Unauthorized"}]}`,
			UpstreamUnavailable,
		},
	} {
		f := Classify(tt.status, http.Header{"Content-Type": {"application/json"}}, []byte(tt.body))
		if f.Code != tt.want {
			t.Errorf("%s: got %s by %s, want %s", tt.name, f.Code, f.MatchedBy, tt.want)
		}
		if f.RefusesToken() {
			t.Errorf("%s: got a refused token of Cloudflare's, want none", tt.name)
		}
	}
}

// A wait that only the body tells is told on; a header of upstream's comes first.
func TestWaitsInBodies(t *testing.T) {
	const (
		google = `{"error":{"code":429,"message":"odd","details":[{"@type":"x"},{"retryDelay":"34s"}]}}`
		edge   = `{"title":"Error 1200: Cache connection limit","error_code":1200,"cloudflare_error":true,` +
			`"retry_after":60}`
	)
	for name, tt := range map[string]struct {
		body   string
		header string
		want   time.Duration
	}{
		"Google":              {google, "", 34 * time.Second},
		"problem details":     {edge, "", time.Minute},
		"a header as well":    {edge, "7", 7 * time.Second},
		"none":                {`{"error":{"message":"odd","details":[]}}`, "", 0},
		"what is no duration": {`{"retry_after":"soon"}`, "", 0},
		"the day is spent":    {`{"errors":[{"code":4006,"message":"odd"}],"retry_after":60}`, "", 0},
	} {
		h := http.Header{}
		if tt.header != "" {
			h.Set("Retry-After", tt.header)
		}
		if f := Classify(http.StatusTooManyRequests, h, []byte(tt.body)); f.RetryAfter != tt.want {
			t.Errorf("%s: got a wait of %v, want %v", name, f.RetryAfter, tt.want)
		}
	}
}

// The token is refused by Cloudflare's own codes alone, in whatever form they come.
func TestRefusesToken(t *testing.T) {
	for body, want := range map[string]bool{
		`{"errors":[{"code":10000,"message":"Authentication error"}]}`:   true,
		`{"errors":[{"code":"10000","message":"Authentication error"}]}`: true,
		`{"errors":[{"code":9106,"message":"Authentication failed"}]}`:   true,
		`{"errors":[{"code":6003,"message":"Invalid headers"}]}`:         true,
		`{"errors":[{"code":9109,"message":"Unauthorized"}]}`:            false,
		`{"error":{"message":"Authentication error"}}`:                   false,
		`{"error":{"code":"invalid_api_key","message":"Wrong"}}`:         false,
	} {
		if got := Classify(http.StatusUnauthorized, nil, []byte(body)).RefusesToken(); got != want {
			t.Errorf("%s: got %t, want %t", body, got, want)
		}
	}
}

func TestUnrouted(t *testing.T) {
	for _, tt := range []struct {
		name, body  string
		status      int
		want, alone bool
	}{
		{"7003", `{"errors":[{"code":7003,"message":"Could not route to /x, perhaps your object identifier is ` +
			`invalid?"}]}`, 404, true, true},
		{"7000 as a string", `{"errors":[{"code":"7000","message":"No route for that URI"}]}`, 400, true, true},
		{"the text alone", `Could not route to /x`, 404, true, true},
		{"a number that says less", `{"errors":[{"code":1000,"message":"Could not route to /x"}]}`, 500, true, true},
		{"7001", `{"errors":[{"code":7001,"message":"POST not supported for requested URI."}]}`, 405, false, false},
		{"a page", `<html><title>404 Not Found</title></html>`, 404, false, true},
		{"nothing", ``, 404, false, true},
		{
			"a thing that is not there", `{"error":{"message":"Response not found","type":"not_found_error"}}`, 404,
			false, false,
		},
		{"a model that is not there", `{"errors":[{"code":7003,"message":"Model not found: x"}]}`, 404, false, false},
	} {
		f := Classify(tt.status, nil, []byte(tt.body))
		if got := f.Unrouted(false); got != tt.want {
			t.Errorf("%s: got %t, want %t", tt.name, got, tt.want)
		}
		if got := f.Unrouted(true); got != tt.alone {
			t.Errorf("%s, where nobody else answers: got %t, want %t", tt.name, got, tt.alone)
		}
	}
}

// Whoever must wait is told how long, unless that is longer than is told, also where its SDK is not to repeat the call.
func TestEveryDelayIsSent(t *testing.T) {
	for _, e := range Catalog() {
		for _, noRetry := range []bool{false, true} {
			h := http.Header{}
			(&Failure{Code: e.Code, NoRetry: noRetry}).SetHeader(h, time.Minute)
			want := ""
			if e.Retry == RetryAfterDelay && e.Delay <= time.Minute {
				want = strconv.Itoa(int(e.Delay.Seconds()))
			}
			if got := h.Get("Retry-After"); got != want {
				t.Errorf("%s, no retry %t: got retry-after %q, want %q", e.Slug, noRetry, got, want)
			}
		}
	}
}
