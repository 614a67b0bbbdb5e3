package normalize

import "time"

// observed are failures that no documentation lists; each number is the one seen most, the others are aliases.
var observed = []Entry{
	{
		Code: RequestsPerMinuteExceeded, Slug: "requests_per_minute_exceeded", Number: 3021, Status: 429,
		Type:   TypeRateLimit,
		OpenAI: "rate_limit_exceeded",
		Retry:  RetryAfterDelay, Delay: 15 * time.Second,
		Fault: FaultAccount, Origins: byUpstream, Charge: ChargeNone, Source: SourceObserved,
		Summary: "The account sends this task more requests a minute than Workers AI allows.",
		Action:  "Send fewer calls at once, spread them over the minute, or batch the inputs.",
		Automatic: "The answer is passed on. Someone else uses the same limit, so the proxy halves its own rate for " +
			"the model and raises it again step by step.",
		Wire: "`rate limiting: inference request per min rate reached`, also as the first event of a stream " +
			"with status 200. No Retry-After ever came with it.",
	},
	{
		Code: BadInput, Slug: "bad_input", Number: 5006, Aliases: []int{5012, 8001, 8006, 8007, 3010, 1001, 9015},
		Status: 400, Type: TypeInvalidRequest,
		Retry: RetryNever, Fault: FaultCaller, Origins: byUpstreamAndGuard, Charge: ChargeNone, Source: SourceObserved,
		Summary: "The input does not fit what the model takes.",
		Action:  "Compare the body with the model's input schema; the message names the field.",
		Automatic: "The answer is passed on as it is. A body that gives an inspected field twice is refused before " +
			"Workers AI is called.",
		Wire: "5006 `Bad input: Error: oneOf at '/' not met, …`, `required properties at '/' are …`; 5012 with " +
			"JSON in the message; 8001, 8006, 3010, 1001. " +
			"3030 and 8007 stand for several failures: the text decides whether it is the input, flagged content " +
			"or the context window.",
	},
	{
		Code: ContentFlagged, Slug: "content_flagged", Number: 3030, Aliases: []int{2016, 2017, 2029, 2030},
		Status: 400, Type: TypeInvalidRequest,
		OpenAI: "content_filter",
		Retry:  RetryNever, Fault: FaultCaller, Origins: byUpstream, Charge: ChargeNone, Source: SourceObserved,
		Summary: "A safety filter refused the prompt or what the model made of it: the model's own, or the " +
			"guardrails or data loss prevention of an AI Gateway.",
		Action:    "Change the prompt; the same one will be refused again.",
		Automatic: "The answer is passed on as it is; the call is not repeated.",
		Wire: "3030 or 8007 with `Input prompt contains NSFW content.` or a flagged output; both codes mean " +
			"bad_input with another text. 2016, 2017, 2029, 2030 of an AI Gateway with 424, 422 or 400, also in a " +
			"stream.",
	},
	{
		Code: ContextWindowExceeded, Slug: "context_window_exceeded", Number: 5021, Status: 413,
		Type: TypeInvalidRequest, OpenAI: "context_length_exceeded",
		Retry: RetryNever, Fault: FaultCaller, Origins: byUpstream, Charge: ChargeNone, Source: SourceObserved,
		Summary:   "Prompt and asked-for output together do not fit the model's context window.",
		Action:    "Shorten the prompt or the history, lower max_tokens, or take a model with a larger window.",
		Automatic: "The answer is passed on as it is; the call is not repeated.",
		Wire: "5021 `The estimated number of input and maximum output tokens (N) exceeded this model context " +
			"window limit (M).`; 3030 `Max context reached`, " +
			"`Sequence too long`; 8007 with the engine's own JSON about its maximum context length.",
	},
	{
		Code: ModelDeprecated, Slug: "model_deprecated", Number: 5028, Status: 410, Type: TypeNotFound,
		Retry: RetryNever, Fault: FaultCaller, Origins: byUpstream, Charge: ChargeNone, Source: SourceObserved,
		Summary:   "Cloudflare has taken the model out of service.",
		Action:    "Move to another model; the old one does not come back.",
		Automatic: "The answer is passed on as it is; the call is not repeated.",
		Wire:      "`Model has been deprecated: … was deprecated on 2026-05-30`, with 410, earlier 400.",
	},
	{
		Code: StructuredOutputUnsupported, Slug: "structured_output_unsupported", Number: 5023, Aliases: []int{5025},
		Status: 400, Type: TypeInvalidRequest,
		Retry: RetryNever, Fault: FaultCaller, Origins: byUpstream, Charge: ChargeNone, Source: SourceObserved,
		Summary:   "The model cannot answer by a JSON schema, or not in a stream.",
		Action:    "Turn stream off, or take a model that supports JSON mode.",
		Automatic: "The answer is passed on as it is; the call is not repeated.",
		Wire:      "5023 for a JSON schema with streaming, 5025 (403) `This model doesn't support JSON Schema.`",
	},
	{
		Code: StructuredOutputFailed, Slug: "structured_output_failed", Number: 5024, Status: 400,
		Type:  TypeInvalidRequest,
		Retry: RetryOnce, Fault: FaultUpstream, Origins: byUpstream, Charge: ChargeReported, Source: SourceObserved,
		Summary: "The model answered, but not in the form that the JSON schema asks for.",
		Action:  "Call again; if it stays, simplify the schema or leave the answer more tokens.",
		Automatic: "The body says that trying once more may help; neither the proxy nor SDKs do so by themselves, " +
			"because the call was billed.",
		Wire: "`JSON Mode couldn't be met`, also with success false in an answer of status 200.",
	},
	{
		Code: BatchRequestNotFound, Slug: "batch_request_not_found", Number: 5504, Status: 404, Type: TypeNotFound,
		Retry: RetryNever, Fault: FaultCaller, Origins: byUpstream, Charge: ChargeNone, Source: SourceObserved,
		Summary: "The queue knows no batch of that request id.",
		Action: "Poll with the request_id of the submit's answer, on the model that it was sent to, and submit " +
			"again if it is too old.",
		Automatic: "The answer is passed on as it is; the call is not repeated.",
		Wire:      "`Request not found in queue`.",
	},
	{
		Code: UpstreamInternalError, Slug: "upstream_internal_error", Number: 3043,
		Aliases: []int{8004, 8005, 8008, 4007, 3001, 5017, 1000, 2002}, Status: 500, Type: TypeAPI,
		Retry: RetryOnce, Fault: FaultUpstream, Origins: byUpstream, Charge: ChargeReported, Source: SourceObserved,
		Summary: "Workers AI had an internal error.",
		Action: "Call again; if one model keeps failing, use another and report the upstream request id to " +
			"Cloudflare.",
		Automatic: "The call is repeated once after a short random wait, as far as {RETRY_BUDGET} allows.",
		Wire: "`Internal server error`, `An internal server error occured.`, `Network connection lost.`, " +
			"`undefined: undefined`; 3030 with that text; " +
			"a Python exception of the engine behind 400 `invalid_prompt`.",
	},
	{
		Code: UpstreamRetriesExhausted, Slug: "upstream_retries_exhausted", Number: 3050, Status: 503,
		Type:  TypeOverloaded,
		Retry: RetryAfterDelay, Delay: 5 * time.Second,
		Fault: FaultUpstream, Origins: byUpstream, Charge: ChargeReported, Source: SourceObserved,
		Summary: "Workers AI tried the model several times itself and gave up.",
		Action:  "Call again after a few seconds, or fall back to another model.",
		Automatic: "The call is repeated up to {RETRIES} times after short random waits, as far as " +
			"{RETRY_BUDGET} allows.",
		Wire: "`Max retries exhausted`.",
	},
	{
		Code: AuthenticationFailed, Slug: "authentication_failed", Number: 10000, Aliases: []int{9106, 6003},
		Status: 401, Type: TypeAuthentication,
		OpenAI: "invalid_api_key",
		Retry:  RetryNever, Fault: FaultCaller, Origins: byUpstreamAndGuard, Charge: ChargeNone, Source: SourceObserved,
		Summary: "Cloudflare does not accept the token, or the token lacks the permission Workers AI.",
		Action:  "Check that the token is whole and not expired, and that it has Workers AI: Read for this account.",
		Automatic: "Nothing is repeated. When the token is the proxy's own the caller gets 502 and the fault is " +
			"the operator's; for ten seconds, and until one trial call passes or the token changes, calls get this " +
			"answer without a call to Cloudflare (origin guard).",
		Wire: "10000 `Authentication error` with 401 or 403; 9106 and 6003 with 400, `Missing X-Auth-Key, " +
			"X-Auth-Email or Authorization headers`.",
	},
	{
		Code: PermissionDenied, Slug: "permission_denied", Number: 9109, Status: 403, Type: TypePermission,
		Retry: RetryNever, Fault: FaultCaller, Origins: byUpstream, Charge: ChargeNone, Source: SourceObserved,
		Summary: "The token is good but may not do this on this account.",
		Action:  "Give the token Workers AI: Read for this account, or use the account that it belongs to.",
		Automatic: "Nothing is repeated. When the token is the proxy's own the caller gets 502 and the fault is " +
			"the operator's.",
		Wire: "`Unauthorized to access requested resource`.",
	},
	{
		Code: NoSuchRoute, Slug: "no_such_route", Number: 7003, Aliases: []int{7000, 7001, 2019}, Status: 404,
		Type:  TypeNotFound,
		Retry: RetryNever, Fault: FaultCaller, Origins: byUpstream, Charge: ChargeNone, Source: SourceObserved,
		Summary: "Cloudflare's API has no such path, or not for this method.",
		Action:  "Check the account id and the path; an unfilled placeholder in the base URL is the usual cause.",
		Automatic: "The path that Cloudflare echoes is removed from the message, because people paste tokens into " +
			"it. Below /v1 the proxy makes the path: there the status is 502, and the operator can fix it.",
		Wire: "`Could not route to …, perhaps your object identifier is invalid?`, `No route for that URI`; " +
			"404, also 400 and 405, once with code 1000.",
	},
	{
		Code: UpstreamUnavailable, Slug: "upstream_unavailable", Number: 7009, Aliases: []int{1101, 1102, 2005},
		Status: 502,
		Type:   TypeAPI,
		Retry:  RetryAfterDelay, Delay: time.Second,
		Fault: FaultUpstream, Origins: byUpstream, Charge: ChargeReported, Source: SourceObserved,
		Summary: "Cloudflare's edge could not reach Workers AI or had no usable answer from it.",
		Action:  "Call again; if it lasts, look at www.cloudflarestatus.com.",
		Automatic: "With 502, 503, 521, 522 or 523 the call is repeated up to {RETRIES} times after short " +
			"random waits, as far as {RETRY_BUDGET} allows; with another status it may have run, and is not repeated.",
		Wire: "7009 `Upstream service unavailable`; an HTML page with 502, 503, 52x, 1101 or even 200; " +
			"`upstream connect error`; an empty body.",
	},
	{
		Code: APIRateLimited, Slug: "api_rate_limited", Number: 971, Aliases: []int{1015}, Status: 429,
		Type: TypeRateLimit, OpenAI: "rate_limit_exceeded",
		Retry: RetryAfterDelay, Delay: 300 * time.Second,
		Fault: FaultAccount, Origins: byUpstream, Charge: ChargeNone, Source: SourceObserved,
		Summary: "Cloudflare's API or edge limits this user or address, whatever the model: 1,200 requests in 5 " +
			"minutes for the API.",
		Action: "Stop for five minutes, then find what calls Cloudflare's API so often; it need not be inference.",
		Automatic: "The wait is in the body. By default it is too long for retry-after, and SDKs are told not to " +
			"repeat the call by themselves.",
		Wire: "Code 971, `error code: 1015` as plain text, or a 429 that says nothing else.",
	},
	{
		Code: EdgeRejected, Slug: "edge_rejected", Number: 1031,
		Aliases: []int{1003, 1006, 1007, 1008, 1009, 1010, 1012, 1020}, Status: 400, Type: TypeInvalidRequest,
		Retry: RetryNever, Fault: FaultOperator, Origins: byUpstream, Charge: ChargeNone, Source: SourceObserved,
		Summary: "Cloudflare's edge refused the request before it reached the API.",
		Action: "Look at what the edge dislikes: the address of the proxy, its user agent, a malformed header " +
			"or a firewall rule.",
		Automatic: "The answer is passed on as it is; the call is not repeated.",
		Wire: "`error code: 1031`, `error code: 1010` and other codes of that range as plain text; an HTML " +
			"page with 400 or 403.",
	},
	{
		Code: Unclassified, Slug: "upstream_unclassified", Number: 90000, Status: 502, Type: TypeAPI,
		Retry: RetryOnce, Fault: FaultUpstream, Origins: byUpstream, Charge: ChargeReported, Source: SourceObserved,
		Summary: "Workers AI failed in a way that this version does not know.",
		Action:  "Read the upstream message; if it should have an entry of its own, report it with the request id.",
		Automatic: "The status of upstream is kept where it is 4xx or 5xx; the answer tells SDKs to try again " +
			"where it is 5xx or 429.",
		Wire: "Anything that no code, text or status of this catalog fits.",
	},
}
