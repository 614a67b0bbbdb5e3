package normalize

import "strings"

// A rule recognizes a text by how it begins and by what follows. Texts are compared in lower case with single spaces.
type rule struct {
	code Code
	// any of them begins the text; "=" in front: is the whole of it; "$" behind: no word goes on there; none:
	// whatever begins it
	lead []string
	has  []string // and any of them follows; none: nothing need follow
}

// Dominant rules beat every code: upstream pairs these texts with codes of other things. They hold at the start
// of a message only, since messages echo the caller's input further on.
var (
	allocation = rule{AccountLimited, []string{
		"you have used up your daily", "you've used up your daily", "used up your daily free allocation",
		"daily free allocation", "account limited$",
	}, nil}

	dominant = []rule{
		{ContextWindowExceeded, []string{
			"max context reached", "max context length", "maximum context length", "maximum context reached",
			"sequence too long",
			"the estimated number of input and maximum output tokens", "context length exceeded",
			"context window exceeded", "context_length_exceeded",
			"input is too long", "prompt is too long", "input too long", "prompt too long", "the prompt is too long",
			"your input exceeds the context",
			"the decoder prompt", "the input is too long", "exceeded model context", "exceeded context",
			"exceeds context", "exceeds the context",
		}, nil},
		{ContextWindowExceeded, []string{
			"this model's maximum context", "this model's max context", "requested token count exceeds",
			"the model's context", "the model's maximum context",
			"'max_tokens'", "max_tokens", "'max_completion_tokens'", "max_completion_tokens", "input length",
			"the input (", "the input length",
			"input tokens", "the number of input tokens", "total tokens", "the total number of tokens", "your request",
			"the request exceeds", "prompt length",
			"the prompt (", "request exceeds", "input exceeds", "prompt exceeds", "the prompt exceeds",
			"the input exceeds", "token count",
		}, []string{"context length", "context window", "context limit", "model length", "context size"}},
		{
			ContextWindowExceeded,
			[]string{"sequence length", "input length", "prompt length", "input sequence"},
			[]string{"exceed", "longer than", "too long"},
		},
		{Timeout, []string{
			"request timeout", "the request timeout", "the request waiting timeout", "request timed out",
			"request waiting timeout", "request time out",
			"the request timed out", "gateway timeout", "gateway time-out",
			"timeout:", "=timeout", "timed out$", "a timeout occurred", "upstream request timeout", "upstream timeout",
			"inference timed out", "inference timeout",
			"model timed out", "operation timed out", "the operation timed out", "context deadline exceeded",
		}, nil},
	}
)

// flagged recognizes refused content. The words need not begin the text, but stand before anything that could
// be the caller's.
func flagged(text string) bool {
	own := ownWords(text)
	return hasWord(own, "nsfw") || hasWord(own, "flagged") ||
		strings.HasPrefix(text, "content_policy") ||
		strings.HasPrefix(text, "your request was rejected by the safety") ||
		strings.HasPrefix(text, "your request was rejected as a result of our safety") ||
		strings.HasPrefix(text, "this content violates")
}

// ownWords returns the beginning of text up to the first quotation, path, JSON or colon.
func ownWords(text string) string {
	for i := range len(text) {
		switch text[i] {
		case '"', '`', '/', '{', '[', '@', ':', '<':
			return text[:i]
		case '\'':
			if i == 0 || i+1 == len(text) || !letter(text[i-1]) || !letter(text[i+1]) {
				return text[:i]
			}
		}
	}
	return text
}

// texts recognize a message that has no code, or one whose code says little. The first that fits decides.
var texts = []rule{
	{AccountNotAllowed5018, []string{
		"the account is not allowed to access", "this account is not allowed to access",
		"account is not allowed", "account not allowed",
	}, nil},
	{AccountBlocked, []string{
		"service unavailable for account", "service is unavailable for account",
		"account blocked",
	}, nil},
	{ModelAgreementRequired, []string{
		"user has not agreed", "model agreement", "you have not agreed",
		"thank you for agreeing", "prior to using this model, you must",
	}, nil},
	{
		PaidPlanRequired,
		[]string{"model", "this model", "the model"},
		[]string{
			"workers free plan", "requires a workers paid", "requires a paid plan", "requires workers paid",
			"require a workers paid",
		},
	},
	{
		ModelDeprecated,
		[]string{"model", "this model", "the model", "@cf/", "@hf/"},
		[]string{"been deprecated", "was deprecated", "is deprecated", "has been removed", "been retired"},
	},
	{DeprecatedSDKVersion, []string{"request trying to use deprecated sdk", "deprecated sdk version"}, nil},
	{
		LoraUnsupported,
		[]string{"the model", "this model", "model"},
		[]string{"does not support lora", "doesn't support lora"},
	},
	{LoraUnsupported, []string{"lora"}, []string{"unsupported", "not supported"}},
	{InvalidModelID, []string{
		"the model name is invalid", "model name is invalid", "invalid model name",
		"invalid model id",
	}, nil},
	{
		NoSuchModel,
		[]string{"no such model", "model not found", "no model found", "unknown model", "model_not_found"},
		nil,
	},
	{BadInput, []string{"model input"}, nil},
	{
		NoSuchModel,
		[]string{"the model", "model"},
		[]string{"does not exist", "not found", "doesn't exist", "could not be found"},
	},
	{FinetuneMissingFiles, []string{"finetune is missing", "finetune missing", "fine-tune is missing"}, nil},
	{
		IncompleteRequest,
		[]string{"request is missing headers or body", "request is missing", "incomplete request"},
		nil,
	},
	{InvalidData, []string{"invalid data type for base64", "invalid data type for"}, nil},
	{RequestTooLarge, []string{
		"request is too large", "request too large", "request entity too large",
		"payload too large", "request body is too large", "request body too large", "content too large",
		"body is too large",
	}, nil},
	{Aborted, []string{
		"request was aborted", "request aborted", "the request was aborted", "the operation was aborted",
		"this operation was aborted", "operation was aborted", "=aborted", "aborted:",
	}, nil},
	{OutOfCapacity, []string{
		"capacity temporarily exceeded", "no more data centers", "out of capacity", "no capacity",
		"=overloaded", "model is overloaded", "the model is overloaded", "the model is currently overloaded",
		"the engine is currently overloaded", "that model is currently overloaded",
		"request queue is full", "the request queue is full",
	}, nil},
	{RequestsPerMinuteExceeded, []string{
		"rate limiting: inference", "inference request per min",
		"inference requests per min", "rate limiting:",
	}, nil},
	{GatewayRateLimited, []string{"wholesale rate limit", "gateway rate limit"}, nil},
	{GatewayRateLimited, []string{"rate limit exceeded", "rate limited"}, []string{"gateway"}},
	{GatewaySpendLimited, []string{
		"spend limit", "spending limit", "gateway spend", "ai gateway spend",
		"your spend limit", "the spend limit", "budget limit",
	}, nil},
	{GatewayNoCredits, []string{
		"insufficient unified billing", "insufficient balance", "insufficient credit",
		"insufficient funds", "not enough credits", "no credits", "your credit balance is too low",
		"payment error", "payment required",
	}, nil},
	{GatewayMisconfigured, []string{
		"please configure ai gateway", "ai gateway not found", "gateway not found",
		"no byok",
	}, nil},
	{GatewayMisconfigured, []string{"provider "}, []string{"byok", "credential", "not configured"}},
	{StructuredOutputFailed, []string{
		"json mode couldn't be met", "json mode could not be met",
		"json mode couldnt be met",
	}, nil},
	{StructuredOutputUnsupported, []string{
		"json mode", "json schema", "json_schema", "response_format",
		"structured output", "streaming",
	}, []string{
		"with stream", "streaming is not", "not supported", "isn't supported", "unsupported", "json mode",
		"json schema",
	}},
	{
		StructuredOutputUnsupported,
		[]string{"this model", "the model", "model"},
		[]string{"support json", "support the json", "support response_format", "support structured"},
	},
	{BatchRequestNotFound, []string{"request not found", "batch request not found"}, nil},
	{APIRateLimited, []string{"more than "}, []string{"requests per"}},
	{APIRateLimited, []string{
		"please wait and consider throttling", "too many api requests",
		"you are being rate limited",
	}, nil},
	{ContentFlagged, []string{"prompt", "response", "request content", "response content"}, []string{
		"blocked due to security configurations", "blocked due to dlp polic",
	}},
	{GatewayPolicyDenied, []string{"access denied by policy"}, nil},
	{GatewayMisconfigured, []string{
		"forbidden: model or provider could not be resolved", "model or provider could not be resolved",
	}, nil},
	{PermissionDenied, []string{
		"unauthorized to access", "permission denied", "not authorized",
		"actor requires permission", "you do not have permission",
	}, nil},
	{AuthenticationFailed, []string{
		"authentication error", "authentication failed", "missing x-auth-key", "missing authorization",
		"missing authentication", "invalid api token",
		"invalid api key", "incorrect api key", "invalid request headers", "invalid access token",
		"invalid format for authorization", "unable to authenticate",
		"authentication required", "invalid token", "invalid authorization",
		"you didn't provide an api key", "you did not provide an api key", "no api key", "missing api key",
		"api key not valid", "api key expired", "invalid x-api-key",
		"no auth credentials", "api key is missing", "api key is required", "you must provide an api key",
	}, nil},
	{AuthenticationFailed, []string{"missing"}, []string{"authorization header"}},
	{NoSuchRoute, []string{
		"could not route to", "no route for", "no route matches", "method not allowed",
		"method not available",
	}, nil},
	{NoSuchRoute, []string{"method "}, []string{"not available for", "not allowed for", "not supported for"}},
	{UpstreamRetriesExhausted, []string{
		"max retries exhausted", "maximum retries exhausted", "max retries exceeded",
		"retries exhausted",
	}, nil},
	{UpstreamUnavailable, []string{
		"upstream service unavailable", "upstream connect error", "bad gateway", "no healthy upstream",
		"=service unavailable", "service unavailable.",
		"service temporarily unavailable", "the service is temporarily unavailable", "worker threw exception",
		"web server is down", "origin is unreachable",
		"upstream unavailable", "web server is returning an unknown error",
	}, nil},
	{UpstreamInternalError, []string{
		"internal server error", "an internal server error", "internal error", "an internal error", "=undefined",
		"=undefined: undefined", "network connection lost",
		"configuration error: failed to fetch", "failed to fetch configuration", "unexpected error",
		"an unexpected error", "an unknown error", "something went wrong",
		"server error", "traceback (most recent call", "cuda ", "cuda out of memory", "enginecore", "enginedeaderror",
		"nonetype", "cannot read properties of",
		"attributeerror:", "keyerror:", "indexerror:", "runtimeerror:", "list index out of range", "local variable",
		"zerodivisionerror", "assertionerror",
	}, nil},
	{
		UpstreamInternalError,
		[]string{"'", "type object '", "module '"},
		[]string{"object has no attribute", "object is not ", "has no attribute", "object does not support"},
	},
	{UpstreamInternalError, []string{
		"unsupported operand type", "object of type '", "argument of type '",
		"expected str instance", "can only concatenate",
	}, nil},
	{BadInput, []string{
		"bad input", "invalid input", "invalidinput", "invalid or incomplete input", "invalid data for",
		"invalid data:", "input tensor",
		"oneof at", "anyof at", "required propert", "must have required", "additional or unevaluated",
		"type mismatch of", "validation error", "request body failed validation",
		"max_completion_tokens", "max_tokens", "'max_tokens'", "system message must", "unknown channel",
		"conversation roles must", "after the optional system message",
		"unable to decode", "could not parse", "failed to parse", "json parse error", "invalid json", "invalid prompt",
		"invalid parameter", "invalid value", "invalid type",
		"invalid argument", "missing required", "unsupported value", "length of '", "... \"system message",
	}, nil},
}
