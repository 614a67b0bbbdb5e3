package normalize

import (
	"strings"
	"testing"
)

func TestReadPhrase(t *testing.T) {
	tests := []struct {
		in   string
		want phrase
	}{
		{"AiError: AiError: x (" + fakeID + ")", phrase{text: "x", id: fakeID}},
		{"InferenceUpstreamError [AiError]: 3010: \nx", phrase{text: "x", code: 3010, relayed: true}},
		{"InferenceUpstreamError: InferenceUpstreamError: ERROR 3036: x", phrase{text: "x", code: 3036, relayed: true}},
		{"Uncaught (in promise) AiError: 3040: x", phrase{text: "x", code: 3040}},
		{"error: 5007: x", phrase{text: "x", code: 5007}},
		{"ERROR: AIERROR: x", phrase{text: "x"}},
		{"x (3040)", phrase{text: "x", code: 3040}},
		{"x (code 8001) (f660721d)", phrase{text: "x", code: 8001}},
		{"x (<uuid>)", phrase{text: "x"}},
		{"x (12345678)", phrase{text: "x"}},
		{"x (8192)", phrase{text: "x (8192)"}},
		{"x (f3f58c5f-7207-461a-9", phrase{text: "x"}},
		{"x (see", phrase{text: "x (see"}},
		{"408 AiError: x", phrase{text: "x", hint: 408}},
		{"CF Whisper 400: AiError: x (code 8001)", phrase{text: "x", hint: 400, code: 8001}},
		{"Bad Request: AiError: x", phrase{text: "x", hint: 400}},
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
		{"AiError", phrase{}},
		{"", phrase{}},
	}
	for _, tt := range tests {
		if got := readPhrase(tt.in); got != tt.want {
			t.Errorf("%q: %+v, want %+v", tt.in, got, tt.want)
		}
	}
}

// The forms that are taken off have an end; one byte beyond it everything stays text.
func TestReadPhraseAtItsBounds(t *testing.T) {
	head := strings.Repeat("a", 44) + " 400"
	for in, want := range map[string]phrase{
		head + ": {x":                      {text: "{x", hint: 400},
		"a" + head + ": {x":                {text: "a" + head + ": {x"},
		"relay HTTP 503: busy":             {text: "busy", hint: 503},
		"relay status 503: busy":           {text: "busy", hint: 503},
		"relay said 503: busy":             {text: "relay said 503: busy"},
		`"x" HTTP 503: busy`:               {text: `"x" HTTP 503: busy`},
		"400: x":                           {text: "x", hint: 400},
		"599: x":                           {text: "x", hint: 599},
		"399: x":                           {text: "x"},
		"100: x":                           {text: "x"},
		"099: x":                           {text: "x", code: 99},
		"600: x":                           {text: "x", code: 600},
		"429: 503: x":                      {text: "x", hint: 429},
		"3040: 5007: x":                    {text: "x", code: 3040},
		"90001: x":                         {text: "x", code: 90001},
		"300001: x":                        {text: "300001: x"},
		"30: x":                            {text: "30: x"},
		"3040 - x":                         {text: "x", code: 3040},
		"3040 x":                           {text: "3040 x"},
		"5999":                             {text: "5999"},
		"error 3040: x":                    {text: "x", code: 3040},
		"error code: 1031.":                {code: 1031, edge: true},
		"error code: 1031 x":               {text: "x", code: 1031, edge: true},
		"error code: 1031x":                {text: "error code: 1031x"},
		"error code: x":                    {text: "error code: x"},
		"(3040)":                           {code: 3040},
		"x (3040 y)":                       {text: "x (3040 y)"},
		"x (code 5999)":                    {text: "x", code: 5999},
		"x (code: 3040 y)":                 {text: "x (code: 3040 y)"},
		"x (code)":                         {text: "x (code)"},
		"x (internalCode=5999)":            {text: "x", code: 5999},
		"x (f3f58c5f-":                     {text: "x"},
		"x (f3f58c5f":                      {text: "x (f3f58c5f"},
		"x (" + fakeID:                     {text: "x"},
		"x (" + fakeID + "0":               {text: "x (" + fakeID + "0"},
		"x (f3f58c5)":                      {text: "x (f3f58c5)"},
		"x (f3f58c5g)":                     {text: "x (f3f58c5g)"},
		"x (<uuid)":                        {text: "x (<uuid)"},
		"AI: x":                            {text: "x"},
		"AI x":                             {text: "AI x"},
		"AiError x":                        {text: "x"},
		"AiErrors x":                       {text: "AiErrors x"},
		"AI":                               {text: "AI"},
		"408 x":                            {text: "x", hint: 408},
		"408x":                             {text: "408x"},
		"Not Found: 5007: x":               {text: "x", code: 5007, hint: 404},
		"Not Found: x":                     {text: "Not Found: x"},
		"Network Authentication Req: x":    {text: "Network Authentication Req: x"},
		"Error code: 429 - x":              {text: "x", hint: 429},
		"Error code: 429 + x":              {text: "+ x", hint: 429},
		strings.Repeat("AiError: ", 16):    {text: ""},
		"x" + strings.Repeat(" (3040)", 4): {text: "x", code: 3040},
		"x" + strings.Repeat(" (3040)", 5): {text: "x (3040)", code: 3040},
	} {
		if got := readPhrase(in); got != want {
			t.Errorf("%q: %+v, want %+v", in, got, want)
		}
	}
}

func TestOnce(t *testing.T) {
	a := strings.Repeat("a", 198)
	for in, want := range map[string]string{
		"x: x y": "x y", "x: y": "x: y", ": x": ": x", "x: y: x: y z": "x: y z", "x: abc: x: abc z": "x: abc z",
		"a: : a: b": "a: b", "x: ": "x: ", "": "",
		a + ": b: " + a + ": bc": a + ": bc", "a" + a + ": b: a" + a + ": bc": "a" + a + ": b: a" + a + ": bc",
	} {
		if got := once(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestNumbersAndIDs(t *testing.T) {
	for in, want := range map[string]int{
		"400": 400, "599": 599, "399": 0, "600": 0, "0400": 0, "+400": 0, "40": 0,
		"": 0, "4x0": 0,
	} {
		if got := statusCode(in); got != want {
			t.Errorf("%q: %d, want %d", in, got, want)
		}
	}
	for in, want := range map[string]bool{
		fakeID: true, strings.ToUpper(fakeID): true, "099afAF-": false, fakeID[1:]: false, fakeID + "0": false,
		strings.Replace(fakeID, "0", "g", 1): false,
		strings.Repeat("0", 36):              false, strings.Replace(fakeID, "-", "0", 1): false,
		fakeID[:13] + "0" + fakeID[14:]: false, fakeID[:18] + "0" + fakeID[19:]: false,
		fakeID[:23] + "0" + fakeID[24:]: false,
	} {
		if isUUID(in) != want {
			t.Errorf("%q: %v", in, !want)
		}
	}
	for c := range 128 {
		if want := strings.IndexByte("-0123456789abcdefABCDEF", byte(c)) >= 0; hexDashes(string(rune(c))) != want {
			t.Errorf("%q: %v", rune(c), !want)
		}
	}
}
