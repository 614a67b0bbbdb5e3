package normalize

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestClassify(t *testing.T) {
	const allocated = "you have used up your daily free allocation of 10,000 neurons, please upgrade"
	tests := []struct {
		name   string
		status int
		ctype  string
		body   string
		want   Code
		by     MatchedBy
		number int // an unknown one that is kept
	}{
		// A text at the start of the message beats the code.
		{
			"capacity code with the allocation text", 429, "",
			`{"errors":[{"code":3040,"message":"AiError: ` + allocated + `"}]}`, AccountLimited, MatchedText, 0,
		},
		{"flagged output", 400, "", `{"errors":[{"code":3030,"message":"AiError: Output image was flagged. Choose ` +
			`another prompt."}]}`, ContentFlagged, MatchedCode, 0},
		{"flagged with 8007", 400, "", `{"errors":[{"code":8007,"message":"AiError: AiError: Your prompt has been ` +
			`flagged (5f0a1b2c)"}]}`, ContentFlagged, MatchedText, 0},
		{
			"max context", 400, "", `{"errors":[{"code":3030,"message":"AiError: Max context reached 8192"}]}`,
			ContextWindowExceeded, MatchedText, 0,
		},
		{
			"context with a code of bad input", 400, "",
			`{"errors":[{"code":5006,"message":"This model's maximum context length is 8192 tokens."}]}`,
			ContextWindowExceeded, MatchedText, 0,
		},
		{
			"timeout with a code of something else", 500, "",
			`{"errors":[{"code":8004,"message":"AiError: Request timed out"}]}`, Timeout, MatchedText, 0,
		},
		{
			"SGLang overflow", 400, "", `{"object":"error","message":"The input (9000 tokens) is longer than the ` +
				`model's context length (8192 tokens).","type":"BadRequestError","code":400}`, ContextWindowExceeded,
			MatchedText, 0,
		},
		{
			"vLLM max_tokens overflow", 400, "",
			`{"error":{"message":"'max_tokens' or 'max_completion_tokens' is too large: 16000. This model's ` +
				`maximum context length is 8192 tokens","code":400}}`, ContextWindowExceeded, MatchedText, 0,
		},

		// What the caller sent is not what Workers AI says.
		{
			"bad input echoes the allocation", 400, "",
			`{"errors":[{"code":5006,"message":"AiError: Bad input: Error: Type mismatch of '/prompt', '` + allocated +
				`' not in 'string'"}]}`, BadInput, MatchedCode, 0,
		},
		{
			"bad input that begins with the allocation", 400, "",
			`{"errors":[{"code":5006,"message":"AiError: ` + allocated + `"}]}`, BadInput, MatchedCode, 0,
		},
		{
			"bad input as text begins with the allocation", 400, "", `5006: Error: ` + allocated, BadInput, MatchedCode,
			0,
		},
		{
			"bad input echoes the allocation without a code", 400, "", `AiError: Bad input: AiError: ` + allocated,
			BadInput, MatchedText, 0,
		},
		{
			"a relay in front of an echo", 400, "", `Bad Request: AiError: AiError: Bad input: ` + allocated, BadInput,
			MatchedText, 0,
		},
		{
			"embedded JSON with 4006", 400, "",
			`{"errors":[{"code":5006,"message":"AiError: Bad input: Error: {\"code\":4006,\"message\":\"` + allocated +
				`\"} is no string"}]}`, BadInput, MatchedCode, 0,
		},
		{
			"embedded JSON with 4006 and no outer code", 400, "",
			`{"errors":[{"message":"AiError: Bad input: {\"code\":4006,\"message\":\"x\"}"}]}`, BadInput, MatchedText,
			0,
		},
		{
			"JSON in front of which bad input stands by its code", 400, "",
			`{"errors":[{"code":5012,"message":"AiError: {\"errors\":[{\"code\":4006,\"message\":\"` + allocated +
				`\"}]}"}]}`, BadInput, MatchedAlias, 0,
		},
		{
			"engine JSON that echoes the allocation", 400, "",
			`{"errors":[{"code":8007,"message":"AiError: {\"message\":\"` + allocated + `\",\"code\":400}"}]}`,
			BadInput, MatchedAlias, 0,
		},
		{
			"JSON in a message of another code", 429, "",
			`{"errors":[{"code":3040,"message":"AiError: {\"message\":\"` + allocated + `\"}"}]}`, OutOfCapacity,
			MatchedCode, 0,
		},
		{
			"JSON in a message of the daily allocation's code", 429, "",
			`{"errors":[{"code":4006,"message":"AiError: {\"message\":\"` + allocated + `\"}"}]}`, AccountLimited,
			MatchedAlias, 0,
		},
		{
			"a number inside a message with a number outside", 400, "",
			`{"errors":[{"code":5999,"message":"AiError: {\"code\":5007,\"message\":\"odd\"}"}]}`, BadInput,
			MatchedStatus, 5999,
		},
		{
			"insufficient_quota is somebody else's", 429, "",
			`{"error":{"message":"You exceeded your current quota","code":"insufficient_quota"}}`, GatewayNoCredits,
			MatchedCode, 0,
		},
		{
			"an echo without its lead in the description", 400, "",
			`{"name":"InvalidInput","message":"InvalidInput: ` + allocated + `","description":"` + allocated + `"}`,
			BadInput, MatchedText, 0,
		},
		{
			"an edge code in what the caller sent", 400, "", `{"errors":[{"code":5006,"message":"error code: 1015"}]}`,
			BadInput, MatchedCode, 0,
		},
		{
			"nsfw in what the caller sent", 400, "",
			`{"errors":[{"code":3030,"message":"AiError: Invalid input: 'nsfw flagged' is no image"}]}`, BadInput,
			MatchedText, 0,
		},
		{
			"a field that is called flagged", 400, "",
			`{"errors":[{"code":8007,"message":"AiError: Unknown parameter flagged_words"}]}`, BadInput, MatchedAlias,
			0,
		},
		{"timeout as a field", 400, "", `{"errors":[{"code":5006,"message":"AiError: Bad input: Error: Request ` +
			`timeout is no number"}]}`, BadInput, MatchedCode, 0},

		// Vague codes are refined by the text.
		{
			"3010 hides a large body", 400, "", `{"errors":[{"code":3010,"message":"AiError: Request is too large"}]}`,
			RequestTooLarge, MatchedText, 0,
		},
		{
			"8001 with a server error", 400, "",
			`{"errors":[{"code":8001,"message":"AiError: Internal server error"}]}`,
			UpstreamInternalError, MatchedText, 0,
		},
		{
			"1000 is an API token", 401, "", `{"success":false,"errors":[{"code":1000,"message":"Invalid API Token"}]}`,
			AuthenticationFailed, MatchedText, 0,
		},
		{
			"7003 is a model", 404, "", `{"name":"AiError","internalCode":7003,"message":"Model not found: x/y"}`,
			NoSuchModel, MatchedText, 0,
		},
		{
			"3030 with words of its own", 400, "", `{"errors":[{"code":3030,"message":"AiError: the tensor is sad"}]}`,
			BadInput, MatchedAlias, 0,
		},
		{
			"clear codes keep to themselves", 400, "", `{"errors":[{"code":5007,"message":"Internal server error"}]}`,
			NoSuchModel, MatchedCode, 0,
		},

		// Numbers that are no codes.
		{
			"an 8-hex id is no code", 500, "", `AiError: Something odd (12345678)`, UpstreamInternalError,
			MatchedStatus,
			0,
		},
		{
			"a limit in parentheses is no code", 500, "", `AiError: too many items (8192)`, UpstreamInternalError,
			MatchedStatus, 0,
		},
		{
			"an engine's status", 500, "", `{"error":{"message":"odd","type":"odd","code":429}}`, UpstreamRateLimited,
			MatchedStatus, 0,
		},
		{
			"AiError with an engine's 429", 400, "", `AiError: {"message":"odd","code":429}`, UpstreamRateLimited,
			MatchedStatus, 0,
		},
		{"zero is no code", 400, "", `{"errors":[{"code":0,"message":"odd"}]}`, BadInput, MatchedStatus, 0},
		{"a code as a fraction", 400, "", `{"errors":[{"code":5007.0,"message":"odd"}]}`, NoSuchModel, MatchedCode, 0},
		{
			"our own numbers are not upstream's", 418, "", `{"errors":[{"code":90001,"message":"odd"}]}`, Unclassified,
			MatchedStatus, 0,
		},

		// Unknown codes keep their number and fall back.
		{
			"unknown code, known text", 400, "", `{"errors":[{"code":5999,"message":"AiError: Request is too large"}]}`,
			RequestTooLarge, MatchedText, 5999,
		},
		{
			"unknown code, status", 422, "", `{"errors":[{"code":5999,"message":"AiError: odd"}]}`, BadInput,
			MatchedStatus, 5999,
		},
		{
			"unknown code as a string", 503, "", `{"errors":[{"code":"5999","message":"AiError: odd"}]}`,
			UpstreamUnavailable, MatchedStatus, 5999,
		},
		{"unknown code in text", 500, "", `AiError: 5999: odd`, UpstreamInternalError, MatchedStatus, 5999},
		{
			"unknown code in a success", 200, "", `{"success":false,"errors":[{"code":5999,"message":"odd"}]}`,
			Unclassified, MatchedStatus, 5999,
		},
		{
			"a known code beside an unknown one", 400, "",
			`{"errors":[{"code":5999,"message":"odd"},{"code":5007,"message":"odd"}]}`, NoSuchModel, MatchedCode, 0,
		},

		// Words.
		{
			"context_length_exceeded", 400, "", `{"error":{"message":"odd","code":"context_length_exceeded"}}`,
			ContextWindowExceeded, MatchedCode, 0,
		},
		{
			"Anthropic's overload", 529, "", `{"type":"error","error":{"type":"overloaded_error","message":"odd"}}`,
			OutOfCapacity, MatchedCode, 0,
		},
		{
			"content_filter", 400, "", `{"error":{"message":"odd","code":"content_filter"}}`, ContentFlagged,
			MatchedCode,
			0,
		},
		{
			"invalid_api_key", 401, "", `{"error":{"message":"odd","code":"invalid_api_key"}}`, AuthenticationFailed,
			MatchedCode, 0,
		},
		{
			"vLLM's unknown model", 404, "",
			"{\"object\":\"error\",\"message\":\"The model `x` does not " +
				"exist.\",\"type\":\"NotFoundError\",\"code\":404}", NoSuchModel, MatchedText, 0,
		},
		{"a failed response", 200, "", `{"type":"response.failed","response":{"id":"resp_1",` +
			`"error":{"code":"server_error","message":"odd"}}}`, UpstreamInternalError, MatchedCode, 0},

		// The gateway.
		{
			"gateway 429 without code", 429, "",
			`{"success":false,"name":"AiGatewayError","httpCode":429,"message":"odd"}`, GatewayRateLimited,
			MatchedStatus, 0,
		},
		{
			"gateway spend", 429, "", `{"success":false,"error":[{"code":2041,"message":"odd"}]}`, GatewaySpendLimited,
			MatchedCode, 0,
		},
		{
			"gateway spend as text", 429, "", `Spend limit exceeded for this gateway`, GatewaySpendLimited, MatchedText,
			0,
		},
		{
			"gateway 401 without code", 401, "", `{"name":"AiGatewayError","message":"odd"}`, GatewayUnauthorized,
			MatchedStatus, 0,
		},

		// Pages and plain edge errors.
		{
			"page 502", 502, "text/html", "<!DOCTYPE html><title>example.com | 502: Bad gateway</title>",
			UpstreamUnavailable, MatchedStatus, 0,
		},
		{
			"page 522 with status 200", 200, "",
			"<html><head><title>example.com | 522: Connection timed out</title></head></html>", UpstreamUnavailable,
			MatchedStatus, 0,
		},
		{
			"page 524 with a wrong status", 500, "text/html",
			"\n<!doctype html>\n<html><title>x | 524: A timeout occurred</title>", Timeout, MatchedStatus, 0,
		},
		{"page 504", 504, "", "<html><body><h1>504 Gateway Time-out</h1>", Timeout, MatchedStatus, 0},
		{
			"page 400", 400, "", "<html>\r\n<head><title>400 Bad Request</title></head>\r\n<center>cloudflare</center>",
			EdgeRejected, MatchedStatus, 0,
		},
		{
			"page 403", 403, "text/html; charset=UTF-8", "<html>Attention Required!</html>", EdgeRejected,
			MatchedStatus,
			0,
		},
		{
			"page 413", 413, "", "<html><center><h1>413 Request Entity Too Large</h1></center></html>", RequestTooLarge,
			MatchedStatus, 0,
		},
		{
			"page 1015", 429, "", `<html><span class="cf-error-code">1015</span></html>`, APIRateLimited, MatchedStatus,
			0,
		},
		{
			"page 1020 in words", 500, "", `<html><h1>Error 1020</h1><p>Access denied</p></html>`, EdgeRejected,
			MatchedStatus, 0,
		},
		{"page 1102", 503, "", `<html><h2>Error code: 1102</h2></html>`, UpstreamUnavailable, MatchedStatus, 0},
		{"page 429", 429, "", "<html>slow down</html>", APIRateLimited, MatchedStatus, 0},
		{"plain 1020", 403, "", "error code: 1020", EdgeRejected, MatchedAlias, 0},
		{"plain 1000", 403, "", "error code: 1000", EdgeRejected, MatchedAlias, 0},
		{"plain 502", 502, "", "error code: 502", UpstreamUnavailable, MatchedStatus, 0},
		{"plain 524", 500, "", "error code: 524", Timeout, MatchedStatus, 0},
		{"plain 1016", 530, "", "error code: 1016", UpstreamUnavailable, MatchedAlias, 0},
		{"plain code of the API", 500, "", "error code: 3040", OutOfCapacity, MatchedCode, 0},
		{"plain 1199", 403, "", "Error Code: 1199", EdgeRejected, MatchedAlias, 0},
		{"plain code that nobody knows", 403, "", "error code: 5999", PermissionDenied, MatchedStatus, 5999},
		{"errors as texts", 400, "", `{"success":false,"errors":["AiError: 3040: x"]}`, OutOfCapacity, MatchedCode, 0},
		{
			"JSON in JSON in a string", 400, "", `"{\"errors\":[{\"code\":3040,\"message\":\"x\"}]}"`, OutOfCapacity,
			MatchedCode, 0,
		},
		{"an array of errors", 400, "", `[{"error":{"code":"3040","message":"x"}}]`, OutOfCapacity, MatchedCode, 0},
		{"plain 1102", 503, "", "error code: 1102", UpstreamUnavailable, MatchedAlias, 0},
		{
			"upstream connect error", 503, "",
			"upstream connect error or disconnect/reset before headers. reset reason: overflow", UpstreamUnavailable,
			MatchedText, 0,
		},
		{
			"text in spite of its type", 500, "text/html", "AiError: 3040: Capacity temporarily exceeded",
			OutOfCapacity,
			MatchedCode, 0,
		},

		// Empty, broken and foreign bodies.
		{"empty success", 200, "", "", UpstreamUnavailable, MatchedStatus, 0},
		{"blank 429", 429, "", " \r\n\t", UpstreamRateLimited, MatchedStatus, 0},
		{"empty 504", 504, "", "", Timeout, MatchedStatus, 0},
		{"nothing but a byte order mark", 500, "", "\ufeff", UpstreamInternalError, MatchedStatus, 0},
		{"only [DONE]", 200, "", "data: [DONE]\n\n", UpstreamUnavailable, MatchedStatus, 0},
		{"JSON without words", 500, "", `{}`, UpstreamInternalError, MatchedStatus, 0},
		{"no object", 500, "", `[object Object]`, UpstreamInternalError, MatchedStatus, 0},
		{"null", 500, "", `null`, UpstreamInternalError, MatchedStatus, 0},
		{
			"failure without words in a success", 200, "", `{"success":false,"errors":[],"result":null}`, Unclassified,
			MatchedStatus, 0,
		},
		{"FastAPI", 404, "", `{"detail":"Not Found"}`, NoSuchRoute, MatchedStatus, 0},
		{
			"cut in the middle of the code's key", 429, "",
			`{"errors":[{"message":"AiError: AiError: rate limiting: inference request per min rate reached","cod`,
			RequestsPerMinuteExceeded, MatchedText, 0,
		},
		{
			"comment before the event", 200, "",
			": hello\n\nevent: error\ndata: {\"error\":{\"code\":3040,\"message\":\"x\"}}\n\n", OutOfCapacity,
			MatchedCode, 0,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := http.Header{}
			if tt.ctype != "" {
				h.Set("Content-Type", tt.ctype)
			}
			f := Classify(tt.status, h, []byte(tt.body))
			if f.Code != tt.want || f.MatchedBy != tt.by {
				t.Errorf("got %s by %s, want %s by %s", f.Code, f.MatchedBy, tt.want, tt.by)
			}
			if f.Number != tt.number {
				t.Errorf("got number %d, want %d", f.Number, tt.number)
			}
			if want := tt.number != 0 || tt.want == Unclassified; f.Unclassified != want {
				t.Errorf("unclassified %v, want %v", f.Unclassified, want)
			}
			checkMessage(t, f)
			checkEnvelope(t, f)
		})
	}
}

func TestClassifyByStatus(t *testing.T) {
	want := map[int]Code{
		400: BadInput, 401: AuthenticationFailed, 402: GatewayNoCredits, 403: PermissionDenied, 404: NoSuchRoute,
		405: NoSuchRoute, 408: Timeout,
		409: BadInput, 410: ModelDeprecated, 413: RequestTooLarge, 415: BadInput, 422: BadInput,
		429: UpstreamRateLimited,
		500: UpstreamInternalError,
		502: UpstreamUnavailable, 503: UpstreamUnavailable, 504: Timeout, 520: UpstreamUnavailable,
		521: UpstreamUnavailable, 522: UpstreamUnavailable,
		523: UpstreamUnavailable, 524: Timeout, 525: UpstreamUnavailable, 526: UpstreamUnavailable,
		527: UpstreamUnavailable, 530: UpstreamUnavailable,
	}
	for status := 100; status < 1000; status++ {
		f := Classify(status, nil, []byte(`{"message":"odd"}`))
		if f.Code != want[status] {
			t.Errorf("%d: %s, want %s", status, f.Code, want[status])
		}
		unclassified := want[status] == Unclassified
		wantStatus := f.Code.Entry().Status
		if unclassified && status >= 400 && status <= 599 {
			wantStatus = status
		}
		if f.Unclassified != unclassified || f.HTTPStatus() != wantStatus {
			t.Errorf("%d: got unclassified %v, status %d; want %v, %d", status, f.Unclassified, f.HTTPStatus(),
				unclassified, wantStatus)
		}
		if f.MatchedBy != MatchedStatus {
			t.Errorf("%d: got matched by %s, want by %s", status, f.MatchedBy, MatchedStatus)
		}
		if retry := f.Retryable(); unclassified && retry != (wantStatus >= 500) {
			t.Errorf("%d: got retryable %v, want %v", status, retry, wantStatus >= 500)
		}
	}
}

func TestClassifyKeepsWhatUpstreamSent(t *testing.T) {
	h := http.Header{"Cf-Ray": {"8885b5d9562815fb-FRA"}, "Content-Type": {"application/json"}}
	body := `{"errors":[{"message":"AiError: AiError: Capacity temporarily exceeded, please try again. (` + fakeID +
		`)","code":"3040"}],"success":false}`
	f := Classify(400, h, []byte(body))
	want := Upstream{
		Status: 400, Code: "3040",
		Message:   "AiError: AiError: Capacity temporarily exceeded, please try again. (" + fakeID + ")",
		RequestID: fakeID, Ray: "8885b5d9562815fb-FRA",
	}
	if *f.Upstream != want {
		t.Errorf("%+v, want %+v", *f.Upstream, want)
	}
	if f.Origin != OriginUpstream || f.Message != "Capacity temporarily exceeded, please try again." {
		t.Errorf("got origin %s, message %q; want %s and the text without its prefix", f.Origin, f.Message,
			OriginUpstream)
	}

	h.Set("Cf-Ai-Req-Id", "3a1983d7-1ddd-453a-ab75-c4358c91b582")
	if f := Classify(400, h, []byte(body)); f.Upstream.RequestID != "3a1983d7-1ddd-453a-ab75-c4358c91b582" {
		t.Errorf("got request id %s, want the header's", f.Upstream.RequestID)
	}
	h.Set("Cf-Ray", "bad\r\nX-Evil: 1")
	if f := Classify(400, h, []byte(body)); f.Upstream.Ray != "" {
		t.Errorf("got ray %q of a header with a line break, want none", f.Upstream.Ray)
	}
	page := `<h1><span class="cf-error-code">1101</span> <small>Ray ID: 8885b5d9562815fb &bull; 2024-05-23</small></h1>`
	if f := Classify(500, nil, []byte(page)); f.Upstream.Ray != "8885b5d9562815fb" || f.Message != "" {
		t.Errorf("page: got ray %q, message %q; want 8885b5d9562815fb and none", f.Upstream.Ray, f.Message)
	}
	f = Classify(400, nil, []byte(`{"error":{"message":"odd","param":"messages[0]","code":"invalid_value"}}`))
	if f.Param != "messages[0]" || f.Upstream.Code != "invalid_value" {
		t.Errorf("got param %q and code %v, want messages[0] and invalid_value", f.Param, f.Upstream.Code)
	}
	if f := Classify(500, nil, []byte("3043: x")); f.Upstream.Code != 3043 {
		t.Errorf("got code %v, want 3043", f.Upstream.Code)
	}
	if f := Classify(500, nil, []byte("x")); f.Upstream.Code != nil {
		t.Errorf("got code %v, want none", f.Upstream.Code)
	}
}

func TestClassifyReadsUpstreamsWait(t *testing.T) {
	const date = "Sun, 22 Nov 2026 10:00:00 GMT"
	tests := []struct {
		name   string
		header http.Header
		want   time.Duration
	}{
		{"none", http.Header{}, 0},
		{"seconds", http.Header{"Retry-After": {"7"}}, 7 * time.Second},
		{"part of a second", http.Header{"Retry-After": {"0.25"}}, 250 * time.Millisecond},
		{"milliseconds first", http.Header{"Retry-After": {"7"}, "Retry-After-Ms": {"1500"}}, 1500 * time.Millisecond},
		{"a date", http.Header{"Retry-After": {"Sun, 22 Nov 2026 10:00:30 GMT"}, "Date": {date}}, 30 * time.Second},
		{"a date that has passed", http.Header{"Retry-After": {"Sun, 22 Nov 2026 09:00:30 GMT"}, "Date": {date}}, 0},
		{"a date without a clock", http.Header{"Retry-After": {"Sun, 22 Nov 2026 10:00:30 GMT"}}, 0},
		{
			"a date of next year",
			http.Header{"Retry-After": {"Mon, 22 Nov 2027 10:00:30 GMT"}, "Date": {date}},
			24 * time.Hour,
		},
		{"days", http.Header{"Retry-After": {"999999999"}}, 24 * time.Hour},
		{"less than nothing", http.Header{"Retry-After": {"-5"}}, 0},
		{"no number", http.Header{"Retry-After": {"NaN"}, "Retry-After-Ms": {"soon"}}, 0},
		{"endless", http.Header{"Retry-After": {"Inf"}}, 24 * time.Hour},
		{"ratelimit", http.Header{"Ratelimit": {`"neurons";r=5;t=900, "rpm";r=0;t=20`}}, 20 * time.Second},
		{"ratelimit-reset", http.Header{"Ratelimit-Reset": {"12"}}, 12 * time.Second},
		{"x-ratelimit as a duration", http.Header{"X-Ratelimit-Reset-Requests": {"1m30s"}}, 90 * time.Second},
		{"x-ratelimit as a date", http.Header{"X-Ratelimit-Reset": {"1795341600"}}, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if f := Classify(429, tt.header, []byte("3040: x")); f.RetryAfter != tt.want {
				t.Errorf("%v, want %v", f.RetryAfter, tt.want)
			}
			if f := Classify(429, tt.header, []byte("4006: x")); f.RetryAfter != 0 {
				t.Errorf("got a wait of %v from a header for the daily allocation, want none", f.RetryAfter)
			}
		})
	}
}

// Every prefix of every capture is a failure that has an entry, a message and a valid envelope.
func TestClassifyCutBodies(t *testing.T) {
	for _, c := range captures(t) {
		for i := 0; i < len(c.Body); i += 1 + len(c.Body)/40 {
			f := Classify(500, nil, []byte(c.Body[:i]))
			checkMessage(t, f)
			if again, ok := Parse(f.Append(nil)); !ok || again.Code != f.Code {
				t.Fatalf("%s cut at %d: got %v back from %s, want %s", c.ID, i, again, f.Append(nil), f.Code)
			}
		}
	}
}

// hostile are bodies made to be dear to read.
func hostile() map[string]string {
	return map[string]string{
		"deep arrays":      strings.Repeat("[", MaxErrorBody),
		"deep objects":     strings.Repeat(`{"error":`, MaxErrorBody/9),
		"deep messages":    `{"message":"` + strings.Repeat(`{\"message\":\"`, 4000),
		"many errors":      `{"errors":[` + strings.Repeat(`{"code":1,"message":"x"},`, 2600),
		"many keys":        "{" + strings.Repeat(`"a":1,`, 10000) + `"code":5007}`,
		"backslashes":      `{"message":"` + strings.Repeat(`\`, 60000),
		"quotes":           strings.Repeat(`"`, MaxErrorBody),
		"open parentheses": "AiError: " + strings.Repeat("(", 60000),
		"classes":          strings.Repeat("AiError: ", 7000),
		"codes":            strings.Repeat("5007: ", 10000),
		"tags":             "<html>" + strings.Repeat("<", 60000),
		"one long word":    "AiError: " + strings.Repeat("a", 60000),
		"broken UTF-8":     "AiError: " + strings.Repeat("\xff", 60000),
		"colons":           strings.Repeat(": ", 30000),
	}
}

func TestClassifyIsBounded(t *testing.T) {
	for name, body := range hostile() {
		t.Run(name, func(t *testing.T) {
			f := Classify(500, nil, []byte(body))
			checkMessage(t, f)
			checkEnvelope(t, f)
		})
	}
	long := "AiError: Bad input: " + strings.Repeat("ä ", 5000)
	f := Classify(400, nil, []byte(long))
	if n := len(f.Message); n > maxMessage || n < maxMessage-8 {
		t.Errorf("got a message of %d bytes, want %d to %d", n, maxMessage-8, maxMessage)
	}
	if !strings.HasSuffix(f.Message, "…") {
		t.Errorf("got message %q, want a mark at its end", f.Message)
	}
}
