package normalize

import "net/http"

// words are codes and types of OpenAI's, Anthropic's and the engines' error objects. insufficient_quota is not
// among the daily allocation's: whatever has it is not Workers AI.
var words = map[string]Code{
	"context_length_exceeded":         ContextWindowExceeded,
	"string_above_max_length":         ContextWindowExceeded,
	"model_not_found":                 NoSuchModel,
	"model_not_available":             NoSuchModel,
	"rate_limit_exceeded":             UpstreamRateLimited,
	"rate_limit_error":                UpstreamRateLimited,
	"too_many_requests":               UpstreamRateLimited,
	"insufficient_quota":              GatewayNoCredits,
	"billing_error":                   GatewayNoCredits,
	"resource_exhausted":              UpstreamRateLimited,
	"invalid_api_key":                 AuthenticationFailed,
	"api_key_invalid":                 AuthenticationFailed,
	"unauthenticated":                 AuthenticationFailed,
	"authentication_error":            AuthenticationFailed,
	"unauthorized":                    AuthenticationFailed,
	"permission_error":                PermissionDenied,
	"permission_denied":               PermissionDenied,
	"content_filter":                  ContentFlagged,
	"content_policy_violation":        ContentFlagged,
	"moderation_blocked":              ContentFlagged,
	"overloaded_error":                OutOfCapacity,
	"engine_overloaded":               OutOfCapacity,
	"request_too_large":               RequestTooLarge,
	"timeout_error":                   Timeout,
	"deadline_exceeded":               Timeout,
	"not_found_error":                 NoSuchRoute,
	"invalid_request_error":           BadInput,
	"invalid_request":                 BadInput,
	"invalid_prompt":                  BadInput,
	"badrequesterror":                 BadInput,
	"validation_error":                BadInput,
	"invalid_argument":                BadInput,
	"unsupported_parameter":           BadInput,
	"unsupported_value":               BadInput,
	"missing_required_parameter":      BadInput,
	"server_error":                    UpstreamInternalError,
	"api_error":                       UpstreamInternalError,
	"internal_error":                  UpstreamInternalError,
	"internal_server_error":           UpstreamInternalError,
	"internalservererror":             UpstreamInternalError,
	"service_unavailable":             UpstreamUnavailable,
	"serviceunavailableerror":         UpstreamUnavailable,
	"structured_output_not_supported": StructuredOutputUnsupported,
}

// byStatus decides by the status alone: the one that the body names before the one of HTTP, which relays make up.
func (e *evidence) byStatus(status int) Code {
	if e.page != nil {
		return e.page.byStatus(status)
	}
	if e.hint != 0 {
		status = e.hint
	}
	switch status {
	case http.StatusOK:
		if e.empty {
			return UpstreamUnavailable
		}
		return Unclassified
	case http.StatusUnauthorized:
		if e.gateway || e.array {
			return GatewayUnauthorized
		}
	case http.StatusTooManyRequests:
		if e.gateway || e.array && len(e.codes) > 0 {
			return GatewayRateLimited
		}
		return UpstreamRateLimited
	}
	return statusCodes(status)
}

func statusCodes(status int) Code {
	switch status {
	case 400, 409, 415, 422:
		return BadInput
	case 401:
		return AuthenticationFailed
	case 402:
		return GatewayNoCredits
	case 403:
		return PermissionDenied
	case 404, 405:
		return NoSuchRoute
	case 408, 504, 524:
		return Timeout
	case 410:
		return ModelDeprecated
	case 413:
		return RequestTooLarge
	case 429:
		return APIRateLimited
	case 500:
		return UpstreamInternalError
	case 502, 503, 520, 521, 522, 523, 525, 526, 527, 530:
		return UpstreamUnavailable
	default:
		return Unclassified
	}
}

// byStatus decides what a page means: by the number that it shows, else by its status. A page in a success
// means that something in front of Workers AI answered in its stead.
func (p *page) byStatus(status int) Code {
	if c := byEdge(p.code); c != Unclassified {
		return c
	}
	if p.status != 0 {
		status = p.status
	}
	switch status {
	case 400, 403:
		return EdgeRejected
	case http.StatusOK:
		return UpstreamUnavailable
	}
	return statusCodes(status)
}

// byEdge decides what an error number of Cloudflare's edge means.
func byEdge(n int) Code {
	switch {
	case n == 1015 || n == 971:
		return APIRateLimited
	case n == 1101 || n == 1102 || n == 1016 || n == 1033 || n == 1104:
		return UpstreamUnavailable
	case 1000 <= n && n <= 1199:
		return EdgeRejected
	}
	if c, ok := byNumber[n]; ok {
		return c
	}
	return Unclassified
}
