package workersai

import (
	"bytes"
	"encoding/json"
)

// The bodies of failures, in the order of keys that was captured.

type failureEntry struct {
	Message string          `json:"message"`
	Code    json.RawMessage `json:"code,omitempty"`
}

type v4Failure struct {
	Errors   []failureEntry  `json:"errors"`
	Success  bool            `json:"success"`
	Result   json.RawMessage `json:"result"`
	Messages []string        `json:"messages"`
}

type edgeFailure struct {
	Result   *string        `json:"result"`
	Success  bool           `json:"success"`
	Errors   []failureEntry `json:"errors"`
	Messages []string       `json:"messages"`
}

type flatFailure struct {
	Name        string          `json:"name"`
	Code        json.RawMessage `json:"internalCode,omitempty"`
	Status      int             `json:"httpCode"`
	Message     string          `json:"message"`
	Description string          `json:"description"`
	RequestID   string          `json:"requestId"`
}

type gatewayFailure struct {
	Success     bool            `json:"success"`
	Result      []string        `json:"result"`
	Messages    []string        `json:"messages"`
	Error       []failureEntry  `json:"error"`
	Name        string          `json:"name"`
	Status      int             `json:"httpCode"`
	Code        json.RawMessage `json:"internalCode,omitempty"`
	Message     string          `json:"message"`
	Description string          `json:"description"`
}

type openAIFailure struct {
	Error openAIError `json:"error"`
}

type openAIError struct {
	Code    json.RawMessage `json:"code"`
	Message string          `json:"message"`
}

type anthropicFailure struct {
	Type      string         `json:"type"`
	Error     anthropicError `json:"error"`
	RequestID string         `json:"request_id"`
}

type anthropicError struct {
	Type    string `json:"type"`
	Message string `json:"message"`
}

type nestedFailure struct {
	Error v4Failure `json:"error"`
}

type sglangFailure struct {
	Error engineError `json:"error"`
}

// engineError is what the inference engines behind Workers AI say. Its code is
// an HTTP status.
type engineError struct {
	Object  string  `json:"object"`
	Message string  `json:"message"`
	Type    string  `json:"type"`
	Param   *string `json:"param"`
	Code    int     `json:"code"`
}

// success is the v4 envelope of an answer.
type success struct {
	Result     any         `json:"result"`
	Success    bool        `json:"success"`
	Errors     []string    `json:"errors"`
	Messages   []string    `json:"messages"`
	ResultInfo *resultInfo `json:"result_info,omitempty"`
}

type resultInfo struct {
	Count      int `json:"count"`
	Page       int `json:"page"`
	PerPage    int `json:"per_page"`
	TotalCount int `json:"total_count"`
}

func wrap(result any) success {
	return success{Result: result, Success: true, Errors: []string{}, Messages: []string{}}
}

func anthropicType(status int) string {
	switch status {
	case 401:
		return "authentication_error"
	case 403:
		return "permission_error"
	case 404:
		return "not_found_error"
	case 413:
		return "request_too_large"
	case 429:
		return "rate_limit_error"
	case 529:
		return "overloaded_error"
	}
	if status >= 500 || status == 408 {
		return "api_error"
	}
	return "invalid_request_error"
}

// compact is v as JSON on one line, without the escapes for HTML that Cloudflare
// does not write either.
func compact(v any) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic("workersai: " + err.Error()) // all of them are types of this package
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}
