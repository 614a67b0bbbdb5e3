package normalize

import "testing"

func TestReadPhrase(t *testing.T) {
	tests := []struct {
		in   string
		want phrase
	}{
		{"AiError: AiError: x (" + fakeID + ")", phrase{text: "x", id: fakeID, engine: true}},
		{"InferenceUpstreamError [AiError]: 3010: \nx", phrase{text: "x", code: 3010, engine: true}},
		{"InferenceUpstreamError: InferenceUpstreamError: ERROR 3036: x", phrase{text: "x", code: 3036}},
		{"Uncaught (in promise) AiError: 3040: x", phrase{text: "x", code: 3040, engine: true}},
		{"error: 5007: x", phrase{text: "x", code: 5007}},
		{"ERROR: AIERROR: x", phrase{text: "x", engine: true}},
		{"x (3040)", phrase{text: "x", code: 3040}},
		{"x (code 8001) (f660721d)", phrase{text: "x", code: 8001}},
		{"x (<uuid>)", phrase{text: "x"}},
		{"x (12345678)", phrase{text: "x"}},
		{"x (8192)", phrase{text: "x (8192)"}},
		{"x (f3f58c5f-7207-461a-9", phrase{text: "x"}},
		{"x (see", phrase{text: "x (see"}},
		{"408 AiError: x", phrase{text: "x", hint: 408, engine: true}},
		{"CF Whisper 400: AiError: x (code 8001)", phrase{text: "x", hint: 400, code: 8001, engine: true}},
		{"Bad Request: AiError: x", phrase{text: "x", hint: 400, engine: true}},
		{"Cloudflare image HTTP 400: {\"a\"", phrase{text: "{\"a\"", hint: 400}},
		{"Error code: 429 - {'a'", phrase{text: "{'a'", hint: 429}},
		{"error code: 1031", phrase{code: 1031, edge: true}},
		{"error code: 521", phrase{hint: 521}},
		{"429: slow down", phrase{text: "slow down", hint: 429}},
		{"No such model: No such model y", phrase{text: "No such model y"}},
		{"Bad input: Error: AiError: 4006: x", phrase{text: "Bad input: Error: AiError: 4006: x"}},
		{"Bad input: AiError: 4006: x", phrase{text: "Bad input: AiError: 4006: x"}},
		{"Aid: x", phrase{text: "Aid: x"}},
		{"Error decoding x", phrase{text: "Error decoding x"}},
		{"3040", phrase{code: 3040}},
		{"5000 - x", phrase{text: "5000 - x"}},
		{"AiError", phrase{engine: true}},
		{"", phrase{}},
	}
	for _, tt := range tests {
		if got := readPhrase(tt.in); got != tt.want {
			t.Errorf("%q: %+v, want %+v", tt.in, got, tt.want)
		}
	}
}
