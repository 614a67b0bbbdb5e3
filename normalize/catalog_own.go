package normalize

import "time"

// own are what this proxy says where Workers AI has no word for it. Their wire form is always the envelope.
var own = []Entry{
	{
		Code: RateLimited, Slug: "rate_limited", Number: 90001, Status: 429, Type: TypeRateLimit,
		OpenAI: "rate_limit_exceeded",
		Retry:  RetryAfterDelay, Delay: 5 * time.Second,
		Fault: FaultCaller, Origins: byGuard, Charge: ChargeNone, Source: SourceOwn,
		Summary: "More requests a minute than the proxy lets through for this model or client.",
		Action:  "Spread the calls over the minute, or have the client's or the model's limit raised.",
		Automatic: "The call waited its turn for {RATE_WAIT} before it was refused; it never reached " +
			"Workers AI.",
		Wire: "Never sent by Workers AI, whose own code is 3021.",
	},
	{
		Code: ClientBudgetExhausted, Slug: "client_budget_exhausted", Number: 90002, Status: 429, Type: TypeRateLimit,
		OpenAI: "insufficient_quota",
		Retry:  RetryAtReset, Fault: FaultAccount, Origins: byGuard, Charge: ChargeNone, Source: SourceOwn,
		Summary: "This client's own neurons of the day, or of the month, are used up; they come back at 00:00 UTC of " +
			"the next one.",
		Action: "Wait for the reset, make the call as small as the message says, use a cheaper model, or have " +
			"daily_neurons or monthly_neurons of this client raised in the clients file.",
		Automatic: "Calls of this client are refused until the reset; other clients continue.",
		Wire:      "Never sent by Workers AI.",
	},
	{
		Code: QuotaContended, Slug: "quota_contended", Number: 90003, Status: 429, Type: TypeRateLimit,
		OpenAI: "rate_limit_exceeded",
		Retry:  RetryAfterDelay, Delay: 5 * time.Second,
		Fault: FaultAccount, Origins: byGuard, Charge: ChargeNone, Source: SourceOwn,
		Summary: "Calls in flight hold the neurons that this call may need; some will be released.",
		Action: "Call again after retry-after, make the call as small as the message says, or send fewer calls at " +
			"once. Calls without max_tokens reserve the most: set it, or have {DEFAULT_MAX_TOKENS} set.",
		Automatic: "The call waited for {QUOTA_WAIT} before it was refused; it never reached Workers AI.",
		Wire:      "Never sent by Workers AI.",
	},
	{
		Code: ClientUnauthorized, Slug: "client_unauthorized", Number: 90004, Status: 401, Type: TypeAuthentication,
		OpenAI: "invalid_api_key",
		Retry:  RetryNever, Fault: FaultCaller, Origins: byGuard, Charge: ChargeNone, Source: SourceOwn,
		Summary:   "The proxy knows no client with this key, or no key came.",
		Action:    "Send the client's key as Authorization: Bearer, x-api-key or cf-aig-authorization.",
		Automatic: "The call is refused; it never reached Workers AI.",
		Wire:      "Never sent by Workers AI, whose own code is 10000.",
	},
	{
		Code: ClientForbidden, Slug: "client_forbidden", Number: 90005, Status: 403, Type: TypePermission,
		Retry: RetryNever, Fault: FaultCaller, Origins: byGuard, Charge: ChargeNone, Source: SourceOwn,
		Summary: "This client may not do this: a model that is not on its list, a cross-site browser request, or " +
			"a host name that is not ours.",
		Action: "Use what the client's entry in the clients file allows, and call from a program rather than " +
			"from a web page.",
		Automatic: "The call is refused; it never reached Workers AI.",
		Wire:      "Never sent by Workers AI.",
	},
	{
		Code: AccountMismatch, Slug: "account_mismatch", Number: 90006, Status: 403, Type: TypePermission,
		Retry: RetryNever, Fault: FaultCaller, Origins: byGuard, Charge: ChargeNone, Source: SourceOwn,
		Summary:   "The path names another account than the one that the proxy's token is for.",
		Action:    "Put the proxy's account id into the path, or leave it out and call /v1 or /ai.",
		Automatic: "The call is refused; the proxy's token is never used on another account.",
		Wire:      "Never sent by Workers AI.",
	},
	{
		Code: RouteNotProxied, Slug: "route_not_proxied", Number: 90007, Status: 404, Type: TypeNotFound,
		Retry: RetryNever, Fault: FaultCaller, Origins: byGuard, Charge: ChargeNone, Source: SourceOwn,
		Summary: "The proxy passes inference paths only, and this is none.",
		Action: "Check the base URL: http://host:3036/v1 for OpenAI clients, http://host:3036/client/v4 for " +
			"Cloudflare's.",
		Automatic: "The call is refused; it never reached Cloudflare.",
		Wire:      "Never sent by Workers AI, whose own code is 7003.",
	},
	{
		Code: MethodNotAllowed, Slug: "method_not_allowed", Number: 90008, Status: 405, Type: TypeInvalidRequest,
		Retry: RetryNever, Fault: FaultCaller, Origins: byGuard, Charge: ChargeNone, Source: SourceOwn,
		Summary:   "The path is proxied, but not with this method.",
		Action:    "Use the method that the Allow header names.",
		Automatic: "The call is refused; it never reached Cloudflare.",
		Wire:      "Never sent by Workers AI.",
	},
	{
		Code: Overloaded, Slug: "overloaded", Number: 90009, Status: 503, Type: TypeOverloaded,
		Retry: RetryAfterDelay, Delay: time.Second,
		Fault: FaultProxy, Origins: byGuard, Charge: ChargeNone, Source: SourceOwn,
		Summary: "The proxy itself has too many calls in flight, or too many request bytes in memory.",
		Action: "Call again shortly; if it lasts, raise {MAX_IN_FLIGHT} or {MAX_HELD}, or run " +
			"more replicas.",
		Automatic: "The call is refused instead of waiting without end; it never reached Workers AI.",
		Wire:      "Never sent by Workers AI.",
	},
	{
		Code: ShuttingDown, Slug: "shutting_down", Number: 90010, Status: 503, Type: TypeOverloaded,
		Retry: RetryAfterDelay, Delay: time.Second,
		Fault: FaultProxy, Origins: byGuard, Charge: ChargeNone, Source: SourceOwn,
		Summary: "This proxy process is stopping and takes no new calls.",
		Action:  "Call again; a load balancer will choose another replica.",
		Automatic: "Calls in flight are finished within {DRAIN}; new ones are refused. So does a process " +
			"that is starting and waits for the one before it to let the state file go.",
		Wire: "Never sent by Workers AI.",
	},
	{
		Code: UpstreamUnreachable, Slug: "upstream_unreachable", Number: 90011, Status: 502, Type: TypeAPI,
		Retry: RetryAfterDelay, Delay: time.Second,
		Fault: FaultUpstream, Origins: byProxy, Charge: ChargeEstimate, Source: SourceOwn,
		Summary: "The connection to Cloudflare could not be made, or broke before an answer came.",
		Action: "Check name resolution, the network and a firewall between the proxy and the upstream, then " +
			"www.cloudflarestatus.com.",
		Automatic: "A connection that was refused, or broke before anything of the call was written, is tried " +
			"again up to {RETRIES} times, as far as {RETRY_BUDGET} allows. Once something was written the call is " +
			"not repeated, because it may run; it is charged its estimate.",
		Wire: "No answer at all: a failed lookup, a refused or reset connection, a TLS error.",
	},
	{
		Code: StreamInterrupted, Slug: "stream_interrupted", Number: 90012, Status: 502, Type: TypeAPI,
		Retry: RetryOnce, Fault: FaultUpstream, Origins: byProxy, Charge: ChargeEstimate, Source: SourceOwn,
		Summary:   "Upstream cut the stream, or sent nothing for too long, before it was complete.",
		Action:    "The answer is not complete: keep or discard what arrived, and call again.",
		Automatic: "The incomplete event is dropped, this failure is the last event, and the connection is closed.",
		Wire: "A stream that ends without [DONE], a finish_reason, message_stop, response.completed or the " +
			"final usage.",
	},
	{
		Code: StoreUnavailable, Slug: "store_unavailable", Number: 90013, Status: 503, Type: TypeAPI,
		Retry: RetryAfterDelay, Delay: 2 * time.Second,
		Fault: FaultOperator, Origins: byProxy, Charge: ChargeNone, Source: SourceOwn,
		Summary: "The store that counts neurons cannot be used, so no call can be admitted safely.",
		Action: "Bring the store of {STORE} back, or set {ON_STORE_FAILURE}=allow to go on " +
			"without it.",
		Automatic: "Calls are refused until the store is back. Until then the proxy is not ready.",
		Wire:      "Never sent by Workers AI.",
	},
	{
		Code: Internal, Slug: "internal", Number: 90014, Status: 500, Type: TypeAPI,
		Retry: RetryOnce, Fault: FaultProxy, Origins: byProxy, Charge: ChargeEstimate, Source: SourceOwn,
		Summary:   "The proxy itself failed.",
		Action:    "Look for the request id in the proxy's log, and report what it says.",
		Automatic: "The failure is logged with its cause; other calls continue.",
		Wire:      "Never sent by Workers AI, whose own code is 3043.",
	},
	{
		Code: PriorityFloor, Slug: "priority_floor", Number: 90015, Status: 429, Type: TypeRateLimit,
		OpenAI: "insufficient_quota",
		Retry:  RetryAtReset, Fault: FaultAccount, Origins: byGuard, Charge: ChargeNone, Source: SourceOwn,
		Summary: "What is left of the account's neurons today is kept for clients of higher priority.",
		Action:  "Wait for the reset, or have this client's priority raised in the clients file.",
		Automatic: "Clients of normal priority stop at 95 % of the account's day, of low priority at 80 %; others " +
			"continue.",
		Wire: "Never sent by Workers AI.",
	},
	{
		Code: ModelNotAllowed, Slug: "model_not_allowed", Number: 90016, Status: 403, Type: TypePermission,
		OpenAI: "model_not_found",
		Retry:  RetryNever, Fault: FaultCaller, Origins: byGuard, Charge: ChargeNone, Source: SourceOwn,
		Summary: "The operator of this proxy does not allow this model.",
		Action: "Use a model of GET /v1/models, or have the operator add this one to {MODELS}. Models outside " +
			"Workers AI are billed in dollars that this proxy does not count.",
		Automatic: "The call is refused; it never reached Cloudflare.",
		Wire:      "Never sent by Workers AI.",
	},
}
