package normalize

import (
	"strings"
	"testing"
)

// chunks are ordinary events, some of which hold the words of a failure in what a model wrote.
var chunks = map[string]string{
	"done":    "data: [DONE]\n\n",
	"comment": ": keep-alive error\n\n",
	"nothing": "",
	"blank":   "\n\n",
	"no data": "event: ping\nid: 1\n\n",
	"native":  "data: {\"response\":\"tok\",\"p\":\"abcdef\"}\n\n",
	"native with the words": "data: {\"response\":\"an \\\"error\\\": {\\\"code\\\":4006} you have used up your " +
		"daily free allocation\",\"p\":\"x\"}\n\n",
	"OpenAI": "data: {\"id\":\"1\",\"object\":\"chat.completion.chunk\"," +
		"\"choices\":[{\"delta\":{\"content\":\"x\"}}],\"usage\":{\"neurons\":0.1}}\n\n",
	"OpenAI with the words": "data: {\"id\":\"1\",\"object\":\"chat.completion.chunk\"," +
		"\"choices\":[{\"delta\":{\"content\":\"{\\\"error\\\":{},\\\"success\\\":false,\\\"errors\\\":[1]}\"}}]}\n\n",
	"OpenAI with keys inside": "data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"error\":{\"code\":1}," +
		"\"success\":false,\"type\":\"error\"}]}}],\"error\":null}\n\n",
	"tool arguments cut":      "data: {\"choices\":[{\"delta\":{\"arguments\":\"{\\\"success\\\":false,\"}}]}\n\n",
	"error is null":           "data: {\"choices\":[],\"error\": null,\"errors\":[],\"success\":true}\n\n",
	"error is empty":          "data: {\"response\":\"\",\"error\":\"\",\"errors\":{}}\n\n",
	"error is empty, success": "data: {\"success\":true,\"error\":{},\"errors\":[{\"code\":1}]}\n\n",
	"Anthropic": "event: content_block_delta\ndata: " +
		"{\"type\":\"content_block_delta\",\"delta\":{\"text\":\"error\"}}\n\n",
	"responses": "event: response.completed\ndata: " +
		"{\"type\":\"response.completed\",\"response\":{\"error\":null,\"status\":\"completed\"," +
		"\"output\":[{\"text\":\"error success\"}]}}\n\n",
	"responses incomplete": "data: {\"type\":\"response.incomplete\",\"response\":{\"error\":null," +
		"\"incomplete_details\":{\"reason\":\"max_output_tokens\"}}}\n\n",
	"usage":  "data: {\"response\":\"\",\"usage\":{\"prompt_tokens\":1}}\n\n",
	"a name": "data: {\"name\":\"AiError\",\"response\":\"x error\"}\n\n",
	"text":   "data: some error text\n\n",
	"array":  "data: [{\"error\":1}]\n\n",
}

func TestClassifyEvent(t *testing.T) {
	for name, event := range chunks {
		if f := ClassifyEvent([]byte(event)); f != nil {
			t.Errorf("%s: got %s, want no failure", name, f.Code)
		}
	}
	tests := []struct {
		name, event string
		want        Code
	}{
		{
			"error object", "data: {\"error\":{\"message\":\"AiError: 3040: Capacity temporarily exceeded\"}}\n\n",
			OutOfCapacity,
		},
		{
			"error string", "data: {\"error\":\"3021: rate limiting: inference request per min rate reached\"}\n\n",
			RequestsPerMinuteExceeded,
		},
		{"error after other keys", "data: {\"id\":\"x\",\"choices\":[],\"error\":{\"code\":3046}}\n\n", Timeout},
		{
			"v4", "data: {\"result\":{},\"success\": false,\"errors\":[{\"code\":4006,\"message\":\"AiError: " +
				"x\"}]}\n\n",
			AccountLimited,
		},
		{"v4 without success", "data: {\"errors\":[{\"code\":4006,\"message\":\"AiError: x\"}]}\n\n", AccountLimited},
		{
			"nested v4", "data: {\"error\":{\"errors\":[{\"code\":3021,\"message\":\"x\"}],\"success\":false}}\n\n",
			RequestsPerMinuteExceeded,
		},
		{
			"SGLang", "data: {\"object\":\"error\",\"message\":\"Request waiting timeout reached.\",\"code\":503}\n\n",
			Timeout,
		},
		{"Anthropic", "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\"," +
			"\"message\":\"Overloaded\"}}\n\n", OutOfCapacity},
		{"Anthropic without its name", "data: {\"type\":\"error\",\"error\":{\"type\":\"api_error\"," +
			"\"message\":\"x\"}}\n\n", UpstreamInternalError},
		{"responses error", "event: error\ndata: {\"type\":\"error\",\"code\":\"server_error\",\"message\":\"x\"," +
			"\"sequence_number\":3}\n\n", UpstreamInternalError},
		{"responses failed", "event: response.failed\ndata: " +
			"{\"type\":\"response.failed\",\"response\":{\"id\":\"r\",\"error\":{\"code\":\"x\"," +
			"\"message\":\"AiError: Request timeout\"}}}\n\n", Timeout},
		{"flat", "data: {\"internalCode\":3040,\"message\":\"x\"}\n\n", OutOfCapacity},
		{
			"flat by name", "data: {\"name\":\"AiError\",\"httpCode\":408,\"message\":\"AiError: Request " +
				"timeout\"}\n\n",
			Timeout,
		},
		{"plain text", "data: AiError: 3040: Capacity temporarily exceeded\n\n", OutOfCapacity},
		{"named error with text", "event: error\ndata: Internal server error\n\n", UpstreamInternalError},
		{"no space, CRLF", "event:error\r\ndata:{\"message\":\"3040: x\"}\r\n\r\n", OutOfCapacity},
		{
			"several data lines", "data: {\"error\":\ndata: {\"code\":3040,\ndata: \"message\":\"x\"}}\n\n",
			OutOfCapacity,
		},
		{"no event at all", "{\"success\":false,\"errors\":[{\"code\":3040,\"message\":\"x\"}]}", OutOfCapacity},
		{"page", "<html><title>502 Bad Gateway</title></html>\n\n", UpstreamUnavailable},
		{"page as data", "data: <!DOCTYPE html><title>524: A timeout occurred</title>\n\n", Timeout},
		{"nothing known", "data: {\"error\":{\"message\":\"odd\"}}\n\n", Unclassified},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := ClassifyEvent([]byte(tt.event))
			if f == nil || f.Code != tt.want {
				t.Fatalf("%v, want %s", f, tt.want)
			}
			if f.HTTPStatus() != tt.want.Entry().Status || f.Upstream.Status != 200 {
				t.Errorf("got status %d, upstream %d; want %d, 200", f.HTTPStatus(), f.Upstream.Status,
					tt.want.Entry().Status)
			}
			checkMessage(t, f)
			checkEnvelope(t, f)
		})
	}
}

func TestIsFailure(t *testing.T) {
	for name, body := range map[string]string{
		"native":       `{"result":{"response":"x"},"success":true,"errors":[],"messages":[]}`,
		"empty result": `{"result":{},"success":true}`,
		"the words in the text": `{"result":{"response":"\"success\":false, ` +
			`{\"error\":{}}","success":false,"error":{"a":1}},"success":true,"errors":[],"messages":[]}`,
		"the words, cut short":   `{"result":{"response":"x\",\"success\":false,\"errors\":[{`,
		"keys inside, cut short": `{"result":{"success":false,"errors":[{"code":4006`,
		"OpenAI": `{"id":"x","object":"chat.completion",` +
			`"choices":[{"message":{"content":"{\"error\":{}}","refusal":null}}],"error":null}`,
		"embeddings": `{"object":"list","data":[{"object":"error","embedding":[0.1]}]}`,
		"Anthropic":  `{"type":"message","content":[{"type":"error"}]}`,
		"responses": `{"object":"response","status":"completed","error":null,` +
			`"incomplete_details":null}`,
		"batch": `{"result":{"responses":[{"success":false,"error":{"code":1}}]},` +
			`"success":true,"errors":[]}`,
		"warnings beside a success": `{"success":true,"errors":[{"code":1}],"result":{}}`,
		"errors is null":            `{"errors":null,"error":"","result":{}}`, "PNG": "\x89PNG\r\n\x1a\n",
		"MP3": "ID3\x03", "array": `[{"error":1}]`, "text": "an error", "string": `"error"`,
		"XML":                "<svg xmlns='x'>",
		"a number for error": `{"error":0}`, "name alone": `{"name":"AiError","result":{}}`,
		"object": `{"object":"list"}`, "quotes": `{"a":"\\","b":"\"error\":{"}`,
		"success in Python": `{'success': True, 'errors': [{'code': 1}]}`, "no code": `{"internalCode":0,"result":{}}`,
		"a code that is none":               `{"internalCode":null,"result":{}}`,
		"error of nothing beside a success": `{"error":{},"success":true}`, "error cut short": `{"error":"`,
		"a name and a status that is fine": `{"name":"AiError","httpCode":200}`,
		"a name and a status that is none": `{"name":"AiError","httpCode":600}`,
		"a status alone":                   `{"httpCode":500,"result":{}}`, "no name": `{"name":"","httpCode":500}`,
		"a type that is a number":   `{"type":5,"object":null}`,
		"a class without its colon": "AiErrors: x", "half a class": "AiErro",
	} {
		if IsFailure([]byte(body)) {
			t.Errorf("%s: got a failure, want none", name)
		}
	}
	for name, body := range map[string]string{
		"empty": "", "blank": " \r\n\t", "byte order mark": "\ufeff \n",
		"success false":            `{"result":null,"success": false,"errors":[]}`,
		"success false, cut short": `{"success":false`,
		"Python":                   `{'success': False}`, "error object": `{"error":{"message":"x"}}`,
		"error object, cut short": `{"error":{"mess`, "error array": `{"result":[],"error":[{"code":2009}]}`,
		"error string": `{"error":"x"}`, "error of nothing": `{"error":{}}`, "errors": `{"errors":[{"code":1}]}`,
		"errors, success later false": `{"errors":[{}],"success":false}`,
		"flat":                        `{"internalCode":5006,"message":"x"}`,
		"flat by name":                `{"name":"AiError","httpCode":400}`,
		"flat as text":                `{"internalCode":"5006"}`, "object error": `{"object":"error"}`,
		"type error": ` {"type" : "error"}`, "page": "<html>", "doctype": "\ufeff\n<!DOCTYPE HTML PUBLIC",
		"heading": "<H1>x", "AiError": "AiError: 3040: x", "JSON string": `"AiError: Request timeout"`,
		"edge": "error code: 1015", "class alone": "AiError:",
		"success is null": `{"success":null,"errors":[{"code":1}]}`, "flat, highest digit": `{"internalCode":9001}`,
		"flat, lowest digit": `{"internalCode":1001}`,
		"flat by name, 5xx":  `{"name":"AiError","httpCode":500}`, "type in Python": `{'type': 'error'}`,
		"failed response": `{"type":"response.failed"}`, "paragraph": "<P>",
		"late success": `{"result":"` + strings.Repeat("x", 60000) + `","success":false}`,
	} {
		if !IsFailure([]byte(body)) {
			t.Errorf("%s: got no failure, want one", name)
		}
	}
	if IsFailure([]byte(`{"result":"` + strings.Repeat("x", MaxErrorBody) + `","success":false}`)) {
		t.Error("got a failure from beyond MaxErrorBody, want none")
	}
}

func TestOrdinaryAnswersCostNoAllocation(t *testing.T) {
	for name, chunk := range chunks {
		event := []byte(chunk)
		if n := testing.AllocsPerRun(100, func() { _ = ClassifyEvent(event) }); n != 0 {
			t.Errorf("%s: got %v allocations, want 0", name, n)
		}
	}
	body := []byte(`{"result":{"response":"the error"},"success":true,"errors":[],"messages":[]}`)
	if n := testing.AllocsPerRun(100, func() { IsFailure(body) }); n != 0 {
		t.Errorf("IsFailure: got %v allocations, want 0", n)
	}
}
