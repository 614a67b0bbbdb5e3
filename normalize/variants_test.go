package normalize

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// documentedTexts are the sixteen codes of Cloudflare's table as the service words them. own says that the text
// alone is enough.
var documentedTexts = []struct {
	code Code
	text string
	own  bool
}{
	{NoSuchModel, "No such model @cf/meta/llama-9-1b or task", true},
	{InvalidData, "Invalid data type for base64 input: object", true},
	{FinetuneMissingFiles, "Finetune is missing required files (model.safetensors and config.json)", true},
	{IncompleteRequest, "Request is missing headers or body: body", true},
	{AccountNotAllowed5018, "The account is not allowed to access this model", true},
	{ModelAgreementRequired, "User has not agreed to Llama3.2 model terms", true},
	{AccountBlocked, "Service unavailable for account", true},
	{AccountNotAllowed3041, "The account is not allowed to access this model", false},
	{DeprecatedSDKVersion, "Request trying to use deprecated SDK version", true},
	{LoraUnsupported, "The model @cf/qwen/qwen3-30b-a3b-fp8 does not support LoRA inference", true},
	{InvalidModelID, "The model name is invalid", true},
	{RequestTooLarge, "Request is too large", true},
	{Timeout, "Request timeout", true},
	{Aborted, "Request was aborted", true},
	{AccountLimited, "You have used up your daily free allocation of 10,000 neurons. Please upgrade to " +
		"Cloudflare's Workers Paid plan if you would like to continue usage.", true},
	{OutOfCapacity, "No more data centers to forward the request to", true},
	{OutOfCapacity, "Capacity temporarily exceeded, please try again.", true},
	{PaidPlanRequired, "Model @cf/x/y is not available on the Workers Free plan: Model @cf/x/y is not available on " +
		"the Workers Free plan. Upgrade to access this model", true},
}

const fakeID = "0c7f8a3e-5b7d-4e2a-9f61-2d0c7b4e9a15"

// shapes write a failure as the vendor's surfaces do; c is a JSON number or string, "" for none.
var shapes = []struct {
	name  string
	coded bool
	body  func(text, c string) string
}{
	{"v4", true, func(text, c string) string {
		return fmt.Sprintf(`{"errors":[{"message":%s,"code":%s}],"success":false,"result":{},"messages":[]}`,
			quote("AiError: AiError: "+text+" ("+fakeID+")"), c)
	}},
	{"v4 with the code first and other keys", true, func(text, c string) string {
		return fmt.Sprintf(` { "result" : null , "success" : false , "errors" : [ { "code" : %s , "message" : %s `+
			`} ] } `, c, quote(text))
	}},
	{"flat", true, func(text, c string) string {
		return fmt.Sprintf(`{"name":"AiError","internalCode":%s,"httpCode":400,"message":%s,"description":%s,`+
			`"requestId":%q}`, c, quote("AiError: "+text+" ("+fakeID+")"), quote(text), fakeID)
	}},
	{"gateway array", true, func(text, c string) string {
		return fmt.Sprintf(`{"success":false,"result":[],"messages":[],"error":[{"code":%s,"message":%s}],`+
			`"name":"AiError"}`, c, quote(text))
	}},
	{"nested error", true, func(text, c string) string {
		return fmt.Sprintf(`{"error":{"errors":[{"message":%s,"code":%s}],"success":false}}`, quote("AIERROR:  "+text),
			c)
	}},
	{"error object", true, func(text, c string) string {
		return fmt.Sprintf(`{"error":{"message":%s,"code":%s,"type":"error"}}`, quote(text), c)
	}},
	{"event as body", true, func(text, c string) string {
		return fmt.Sprintf("data: {\"errors\":[{\"code\":%s,\"message\":%s}],\"success\":false}\n\ndata: [DONE]\n\n", c,
			quote(text))
	}},
	{"python dict", true, func(text, c string) string {
		return fmt.Sprintf(`{'errors': [{'message': "AiError: %s", 'code': %s}], 'success': False, 'result': None}`,
			text, strings.ReplaceAll(c, `"`, "'"))
	}},
	{"relayed by a client", true, func(text, c string) string {
		return fmt.Sprintf(`Error code: 400 - {'errors': [{'message': "AiError: %s", 'code': %s}], 'success': False}`,
			text, c)
	}},
	{"relayed by a worker", true, func(text, c string) string {
		return fmt.Sprintf(`my-worker HTTP 502: {"errors":[{"message":%s,"code":%s}]}`, quote("AiError: "+text), c)
	}},
	{"cut short after the code", true, func(text, c string) string {
		return fmt.Sprintf(`{"name":"AiError","internalCode":%s,"httpCode":400,"message":"AiError: `, c)
	}},
	{"text with code", true, func(text, c string) string {
		return "InferenceUpstreamError: AiError: " + bare(c) + ": " +
			text
	}},
	{"text with ERROR", true, func(text, c string) string {
		return "InferenceUpstreamError: InferenceUpstreamError: ERROR " + bare(c) + ": " + text
	}},
	{"text with error", true, func(text, c string) string { return "error: " + bare(c) + ":\n   " + text }},
	{"text with code behind", true, func(text, c string) string { return "AiError: " + text + " (" + bare(c) + ")" }},
	{
		"text with code word behind", true,
		func(text, c string) string { return "AiError: " + text + " (code " + bare(c) + ") (" + fakeID + ")" },
	},
	{"JSON string with code", true, func(text, c string) string { return quote("AiError: " + bare(c) + ": " + text) }},
	{"text alone", false, func(text, _ string) string {
		return "AiError: AiError: AiError: " + text + " (" +
			fakeID[:8] + ")"
	}},
	{"bare text in capitals", false, func(text, _ string) string { return "  " + strings.ToUpper(text) + "\n" }},
	{"v4 without code", false, func(text, _ string) string {
		return fmt.Sprintf(`{"errors":[{"message":%s}],"success":false}`, quote("AiError: Ai: "+text))
	}},
	{"OpenAI with invalid_prompt", false, func(text, _ string) string {
		return fmt.Sprintf(`{"error":{"code":"invalid_prompt","message":%s}}`,
			quote("AiError: AiError: "+text+" ("+fakeID+")"))
	}},
	{"engine JSON in the message", false, func(text, _ string) string {
		inner := fmt.Sprintf(`{"object":"error","message":%s,"type":"BadRequestError","param":null,"code":400}`,
			quote(text))
		return fmt.Sprintf(`{"errors":[{"message":%s}],"success":false}`,
			quote("AiError: AiError: "+inner+" ("+fakeID+")"))
	}},
	{"text cut short in the id", false, func(text, _ string) string {
		return `{"errors":[{"message":"AiError: ` + text + ` (` + fakeID[:23]
	}},
}

func quote(s string) string {
	b, _ := json.Marshal(s)
	return string(b)
}

func bare(c string) string { return strings.Trim(c, `"`) }

func TestClassifyDocumentedVariants(t *testing.T) {
	n := 0
	for _, d := range documentedTexts {
		e := d.code.Entry()
		for _, number := range append([]int{e.Number}, e.Aliases...) {
			for _, shape := range shapes {
				for _, c := range []string{fmt.Sprint(number), fmt.Sprintf("%q", fmt.Sprint(number))} {
					for _, status := range []int{e.Status, 200, 400, 403, 429, 500, 502} {
						if !shape.coded && !d.own {
							continue
						}
						n++
						body := shape.body(d.text, c)
						where := fmt.Sprintf("%s, code %s, status %d", shape.name, c, status)
						f := Classify(status, http.Header{"Content-Type": {"application/json"}}, []byte(body))
						if f.Code != d.code || f.Unclassified {
							t.Errorf("%s: got %s by %s, unclassified %t; want %s\n%s", where, f.Code, f.MatchedBy,
								f.Unclassified, d.code, body)
						}
						if got := f.HTTPStatus(); got != e.Status {
							t.Errorf("%s: got status %d, want %d", where, got, e.Status)
						}
						if strings.Contains(f.Message, "AiError") || strings.Contains(f.Message, fakeID[:8]) {
							t.Errorf("%s: got message %q, want it without prefix and id", shape.name, f.Message)
						}
						checkMessage(t, f)
					}
				}
			}
		}
	}
	t.Logf("%d variants", n)
}

// Every number of the catalog that upstream can send must be found in every shape that carries a code, with a
// text that says nothing.
func TestClassifyNumbers(t *testing.T) {
	for _, e := range Catalog() {
		if e.Source == SourceOwn || e.Code == Unclassified {
			continue
		}
		for _, number := range append([]int{e.Number}, e.Aliases...) {
			want := e.Code
			if number == 3030 {
				want = BadInput // its text decides, and this one says nothing
			}
			for _, shape := range shapes {
				if !shape.coded {
					continue
				}
				body := shape.body("Some words", fmt.Sprint(number))
				f := Classify(418, nil, []byte(body))
				if f.Code != want || f.Unclassified {
					t.Errorf("%d in %s: %s by %s, want %s", number, shape.name, f.Code, f.MatchedBy, want)
				}
				wantBy := MatchedAlias
				if number == e.Number && want == e.Code {
					wantBy = MatchedCode
				}
				if f.MatchedBy != wantBy {
					t.Errorf("%d in %s: matched by %s, want %s", number, shape.name, f.MatchedBy, wantBy)
				}
			}
		}
	}
}

// The model layer puts the name of the failure in front of its text, and other texts say the same in other words.
func TestClassifyOtherWords(t *testing.T) {
	for _, c := range []struct {
		want Code
		body string
	}{
		{InvalidData, "AiError: Invalid data: Invalid data type for base64 input: string"},
		{AccountLimited, "AiError: Account limited: You have used up your daily free allocation of 10,000 neurons."},
		{AccountLimited, "Error: You\u2019ve used up your daily free allocation"},
		{Timeout, "AiError: Timeout: Request timeout"},
		{OutOfCapacity, "AiError: Out of capacity: No more data centers to forward the request to"},
		{OutOfCapacity, "Capacity temporarily exceeded, please try again. [code: 3040]"},
		{RequestTooLarge, "AiError: Request too large: Request is too large"},
		{Aborted, "AiError: Aborted: Request was aborted"},
		{AccountBlocked, "AiError: Account blocked: Service unavailable for account"},
		{InvalidModelID, "AiError: Invalid model ID: The model name is invalid"},
		{LoraUnsupported, "AiError: LoRA unsupported: The model @cf/x does not support LoRA inference"},
		{FinetuneMissingFiles, "AiError: Finetune missing required files: Finetune is missing required files"},
		{IncompleteRequest, "AiError: Incomplete request: Request is missing headers or body: prompt"},
		{AccountNotAllowed5018, "AiError: Account not allowed for private model: The account is not allowed to " +
			"access this model"},
		{DeprecatedSDKVersion, "AiError: Deprecated SDK version: Request trying to use deprecated SDK version"},
		{ModelAgreementRequired, "AiError: Model agreement: User has not agreed to Llama3.2 model terms"},
		{PaidPlanRequired, "This model requires a Workers Paid plan"},
		{StructuredOutputUnsupported, "JSON mode is not supported with streaming"},
		{BatchRequestNotFound, "Request not found in queue"},
		{ModelDeprecated, "Model @cf/x was deprecated on 2026-05-30"},
		{ContentFlagged, "AiError: Output image contains NSFW content."},
		{ContextWindowExceeded, "AiError: Max context reached"},
		{UpstreamRetriesExhausted, "AiError: Max retries exhausted"},
		{GatewayRateLimited, "wholesale rate limit exceeded"},
		{GatewayNoCredits, "Insufficient balance; add money to your gateway"},
		{APIRateLimited, "More than 1200 requests per 300 seconds reached. Please wait and consider throttling " +
			"your requests"},
		{PermissionDenied, "Unauthorized to access requested resource"},
		{AuthenticationFailed, "Authentication failed (status: 400)"},
		{NoSuchRoute, "Method POST not available for that URI"},
		{UpstreamUnavailable, "upstream connect error or disconnect/reset before headers"},
		{UpstreamInternalError, "AiError: AiError: 'list' object has no attribute 'get' " +
			"(282cb330-ea6c-4fc6-83fd-4e37fdb95ee5)"},
		{ModelAgreementRequired, "Model Agreement: Prior to using this model, you must submit the prompt 'agree'"},
		{ContextWindowExceeded, "'max_tokens' is too large: 9. This model's maximum context length is 8 tokens"},
		{GatewayMisconfigured, "Provider 'x' has no BYOK credential named 'y'"},
		{StructuredOutputUnsupported, "This model doesn't support JSON Schema."},
		{UpstreamInternalError, "InferenceUpstreamError: AiError: undefined: undefined"},
	} {
		if f := Classify(418, nil, []byte(c.body)); f.Code != c.want || f.MatchedBy != MatchedText {
			t.Errorf("%s: got %s by %s, want %s by %s", c.body, f.Code, f.MatchedBy, c.want, MatchedText)
		}
	}
}
