package normalize

import "time"

// gateway are failures of an AI Gateway in front of Workers AI; no documentation lists their codes.
var gateway = []Entry{
	{
		Code: GatewayRateLimited, Slug: "gateway_rate_limited", Number: 2003, Aliases: []int{2018}, Status: 429,
		Type:   TypeRateLimit,
		OpenAI: "rate_limit_exceeded",
		Retry:  RetryAfterDelay, Delay: 10 * time.Second,
		Fault: FaultAccount, Origins: byUpstream, Charge: ChargeNone, Source: SourceObserved,
		Summary:   "The AI Gateway's own rate limit is reached.",
		Action:    "Send fewer calls, or raise the rate limit in the gateway's settings.",
		Automatic: "The answer tells SDKs to try again after a wait; the proxy does not repeat the call itself.",
		Wire: "`Rate limited` with 2003, the errors as an array under `error`; `wholesale rate limit exceeded " +
			"for this gateway, …` as text.",
	},
	{
		Code: GatewaySpendLimited, Slug: "gateway_spend_limited", Number: 2041, Aliases: []int{2045}, Status: 429,
		Type:   TypeRateLimit,
		OpenAI: "insufficient_quota",
		Retry:  RetryNever, Fault: FaultAccount, Origins: byUpstream, Charge: ChargeNone, Source: SourceObserved,
		Summary:   "The spend limit set on the AI Gateway is reached.",
		Action:    "Raise the spend limit in the gateway's settings, or wait for its period to end.",
		Automatic: "Nothing is repeated: a spend limit does not pass by waiting a little.",
		Wire:      "2041 or 2045 with 429.",
	},
	{
		Code: GatewayNoCredits, Slug: "gateway_no_credits", Number: 2021, Aliases: []int{2049}, Status: 402,
		Type:   TypeInvalidRequest,
		OpenAI: "insufficient_quota",
		Retry:  RetryNever, Fault: FaultAccount, Origins: byUpstream, Charge: ChargeNone, Source: SourceObserved,
		Summary: "The AI Gateway has no credits left to pay for this call.",
		Action: "Add credits on the AI Gateway page of the Cloudflare dashboard, or bring a provider key of " +
			"your own.",
		Automatic: "The answer is passed on as it is; the call is not repeated.",
		Wire: "`Insufficient unified billing credits. …`; once in OpenAI's shape with `code: null`, " +
			"`Insufficient balance; …`.",
	},
	{
		Code: GatewayUnauthorized, Slug: "gateway_unauthorized", Number: 2009, Status: 401, Type: TypeAuthentication,
		Retry: RetryNever, Fault: FaultOperator, Origins: byUpstream, Charge: ChargeNone, Source: SourceObserved,
		Summary: "The AI Gateway did not get the right token, or the model's provider refused the key that the " +
			"gateway keeps.",
		Action: "Set CF_AIG_TOKEN to a token with AI Gateway: Run, or turn authentication off in the gateway's " +
			"settings. For another provider's model, replace its key in the gateway.",
		Automatic: "Nothing is repeated. When the token is the proxy's own the caller gets 502.",
		Wire:      "`Unauthorized` with 2009, the errors as an array under `error`.",
	},
	{
		Code: GatewayMisconfigured, Slug: "gateway_misconfigured", Number: 2001, Aliases: []int{2008, 2036, 2040},
		Status: 400, Type: TypeInvalidRequest,
		Retry: RetryNever, Fault: FaultOperator, Origins: byUpstream, Charge: ChargeNone, Source: SourceObserved,
		Summary: "The AI Gateway does not exist or is not set up for this call.",
		Action: "Check the gateway's name in {UPSTREAM} and its providers and keys in the Cloudflare " +
			"dashboard.",
		Automatic: "The answer is passed on as it is; the call is not repeated.",
		Wire: "`Please configure AI Gateway in the Cloudflare dashboard`, `Provider '…' has no BYOK " +
			"credential named '…'`; 2002 `Provider not found`, 2005 with rejected credentials, 2021 with another " +
			"reason than credits.",
	},
	{
		Code: GatewayPolicyDenied, Slug: "gateway_policy_denied", Number: 90017, Status: 403, Type: TypePermission,
		Retry: RetryNever, Fault: FaultOperator, Origins: byUpstream, Charge: ChargeNone, Source: SourceObserved,
		Summary: "A policy of the Cloudflare account forbids this call.",
		Action: "Allow the model, or the token, in the policies of the AI Gateway or of the account in the " +
			"Cloudflare " +
			"dashboard.",
		Automatic: "The answer is passed on as it is; the call is not repeated.",
		Wire: "`Access denied by policy` with 403, an object under `error` that has no code. The number is this " +
			"proxy's, since Cloudflare gives none.",
	},
	{
		Code: UpstreamRateLimited, Slug: "upstream_rate_limited", Number: 90018, Status: 429, Type: TypeRateLimit,
		OpenAI: "rate_limit_exceeded",
		Retry:  RetryAfterDelay, Delay: 5 * time.Second,
		Fault: FaultUpstream, Origins: byUpstream, Charge: ChargeNone, Source: SourceObserved,
		Summary:   "A rate limit behind Cloudflare is reached, which names no code of Cloudflare's.",
		Action:    "Send fewer calls at once, or call again after the wait.",
		Automatic: "The answer tells SDKs to try again after a wait; the proxy does not repeat the call itself.",
		Wire: "429 without a code of Cloudflare's: a provider's own object, array or string, or an empty body. The " +
			"number is this proxy's, since Cloudflare gives none.",
	},
}
