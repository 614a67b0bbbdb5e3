package normalize

import "time"

// Origins that entries share.
var (
	byUpstream         = []Origin{OriginUpstream}
	byUpstreamAndGuard = []Origin{OriginUpstream, OriginGuard}
	byUpstreamAndProxy = []Origin{OriginUpstream, OriginProxy}
	byGuard            = []Origin{OriginGuard}
	byProxy            = []Origin{OriginProxy}
)

// documented are the failures of Cloudflare's own table, with its codes and statuses.
var documented = []Entry{
	{
		Code: NoSuchModel, Slug: "no_such_model", Number: 5007, Status: 400, Type: TypeNotFound,
		OpenAI: "model_not_found",
		Retry:  RetryNever, Fault: FaultCaller, Origins: byUpstreamAndGuard, Charge: ChargeNone,
		Source:  SourceDocumented,
		Summary: "Workers AI has no model of that name, or the model does not serve this task.",
		Action: "Take the exact name, with its @cf/ prefix, from GET /v1/models, and call the path that serves " +
			"the model's task.",
		Automatic: "The answer is passed on as it is; the call is not repeated.",
		Wire: "`No such model ${model} or task`, with 400 or 404; an AI Gateway and the binding say `Model " +
			"not found: …`, once with 7003.",
	},
	{
		Code: InvalidData, Slug: "invalid_data", Number: 5004, Status: 400, Type: TypeInvalidRequest,
		Retry: RetryNever, Fault: FaultCaller, Origins: byUpstream, Charge: ChargeNone, Source: SourceDocumented,
		Summary:   "The base64 input does not hold the type of data that the model takes.",
		Action:    "Encode the file itself in base64, with the media type that the model's page names.",
		Automatic: "The answer is passed on as it is; the call is not repeated.",
		Wire:      "`Invalid data type for base64 input: ${type}`.",
	},
	{
		Code: FinetuneMissingFiles, Slug: "finetune_missing_files", Number: 3039, Status: 400, Type: TypeInvalidRequest,
		Retry: RetryNever, Fault: FaultCaller, Origins: byUpstream, Charge: ChargeNone, Source: SourceDocumented,
		Summary:   "The finetune lacks one of the files that make it usable.",
		Action:    "Upload both model.safetensors and config.json to the finetune, then call again.",
		Automatic: "The answer is passed on as it is; the call is not repeated.",
		Wire:      "`Finetune is missing required files (model.safetensors and config.json)`.",
	},
	{
		Code: IncompleteRequest, Slug: "incomplete_request", Number: 3003, Status: 400, Type: TypeInvalidRequest,
		Retry: RetryNever, Fault: FaultCaller, Origins: byUpstreamAndGuard, Charge: ChargeNone,
		Source:    SourceDocumented,
		Summary:   "The request lacks its body or a header, or the body is no whole JSON.",
		Action:    "Send the whole request: a body that is complete JSON, or the raw file with its Content-Type.",
		Automatic: "A missing or broken JSON body is refused before Workers AI is called.",
		Wire:      "`Request is missing headers or body: {what}`.",
	},
	{
		Code: AccountNotAllowed5018, Slug: "account_not_allowed_5018", Number: 5018, Status: 403, Type: TypePermission,
		Retry: RetryNever, Fault: FaultAccount, Origins: byUpstream, Charge: ChargeNone, Source: SourceDocumented,
		Summary:   "The model is private and this account is not on its list.",
		Action:    "Ask Cloudflare for access to the model, or use a public one.",
		Automatic: "The answer is passed on as it is; the call is not repeated.",
		Wire: "`The account is not allowed to access this model`, also with the model's name; the text alone " +
			"counts as this code, not as 3041.",
	},
	{
		Code: ModelAgreementRequired, Slug: "model_agreement_required", Number: 5016, Status: 403, Type: TypePermission,
		Retry: RetryNever, Fault: FaultAccount, Origins: byUpstream, Charge: ChargeNone, Source: SourceDocumented,
		Summary: "Nobody has accepted the model's licence for this account yet.",
		Action: "Read the model's licence and accept it once for the account by sending the prompt \"agree\" to " +
			"the model.",
		Automatic: "The answer is passed on as it is; the proxy never accepts a licence.",
		Wire: "`User has not agreed to Llama3.2 model terms`; `Model Agreement: Thank you for agreeing …` " +
			"answers the accepting call itself: call again.",
	},
	{
		Code: AccountBlocked, Slug: "account_blocked", Number: 3023, Status: 403, Type: TypePermission,
		Retry: RetryNever, Fault: FaultAccount, Origins: byUpstream, Charge: ChargeNone, Source: SourceDocumented,
		Summary:   "Cloudflare has blocked Workers AI for this account.",
		Action:    "Look for a notice in the Cloudflare dashboard and write to Cloudflare's support.",
		Automatic: "The answer is passed on as it is; the call is not repeated.",
		Wire:      "`Service unavailable for account`; a different thing from a 503.",
	},
	{
		Code: AccountNotAllowed3041, Slug: "account_not_allowed_3041", Number: 3041, Status: 403, Type: TypePermission,
		Retry: RetryNever, Fault: FaultAccount, Origins: byUpstream, Charge: ChargeNone, Source: SourceDocumented,
		Summary:   "The model is private and this account is not on its list.",
		Action:    "Ask Cloudflare for access to the model, or use a public one.",
		Automatic: "The answer is passed on as it is; the call is not repeated.",
		Wire:      "The text of 5018 with the code 3041; only the code tells the two apart.",
	},
	{
		Code: DeprecatedSDKVersion, Slug: "deprecated_sdk_version", Number: 5019, Status: 405, Type: TypeInvalidRequest,
		Retry: RetryNever, Fault: FaultCaller, Origins: byUpstream, Charge: ChargeNone, Source: SourceDocumented,
		Summary:   "The client library is too old for Workers AI.",
		Action:    "Update the Cloudflare SDK, or call the REST API without it.",
		Automatic: "The answer is passed on as it is; the call is not repeated.",
		Wire:      "`Request trying to use deprecated SDK version`.",
	},
	{
		Code: LoraUnsupported, Slug: "lora_unsupported", Number: 5005, Status: 405, Type: TypeInvalidRequest,
		Retry: RetryNever, Fault: FaultCaller, Origins: byUpstream, Charge: ChargeNone, Source: SourceDocumented,
		Summary:   "The model does not run LoRA adapters.",
		Action:    "Drop the lora field, or take a model whose page says that it supports LoRA.",
		Automatic: "The answer is passed on as it is; the call is not repeated.",
		Wire:      "`The model ${model} does not support LoRA inference`.",
	},
	{
		Code: InvalidModelID, Slug: "invalid_model_id", Number: 3042, Status: 404, Type: TypeNotFound,
		OpenAI: "model_not_found",
		Retry:  RetryNever, Fault: FaultCaller, Origins: byUpstreamAndGuard, Charge: ChargeNone,
		Source:    SourceDocumented,
		Summary:   "The model name is not a name at all.",
		Action:    "Write the model as @cf/author/name, taken from GET /v1/models.",
		Automatic: "The answer is passed on as it is; the call is not repeated.",
		Wire:      "`The model name is invalid`.",
	},
	{
		Code: RequestTooLarge, Slug: "request_too_large", Number: 3006, Status: 413, Type: TypeTooLarge,
		Retry: RetryNever, Fault: FaultCaller, Origins: byUpstreamAndGuard, Charge: ChargeNone,
		Source:  SourceDocumented,
		Summary: "The request body is larger than is accepted.",
		Action:  "Send a smaller body: fewer or smaller images, shorter audio, less text.",
		Automatic: "A body over {MAX_BODY} is refused: before Workers AI is called if its length is declared, else " +
			"when it gets too long.",
		Wire: "`Request is too large`, once behind 3010; a bare 413.",
	},
	{
		Code: Timeout, Slug: "timeout", Number: 3007, Aliases: []int{3046}, Status: 408, Type: TypeTimeout,
		Retry: RetryOnce, Fault: FaultUpstream, Origins: byUpstreamAndProxy, Charge: ChargeEstimate,
		Source:  SourceDocumented,
		Summary: "The model did not answer in time.",
		Action: "Ask for less: a shorter prompt, fewer output tokens, a smaller model; or stream, so that the " +
			"first token comes early.",
		Automatic: "Nothing is repeated, and the answer tells SDKs not to repeat it by themselves: the model may " +
			"have run. The call is charged its estimate.",
		Wire: "`Request timeout` after 120 to 360 seconds, with 3046 rather than 3007; on /v1/responses 400 " +
			"`invalid_prompt` with that text; " +
			"`Request waiting timeout reached.` in a stream; 504 and 524.",
	},
	{
		Code: Aborted, Slug: "aborted", Number: 3008, Status: 408, Type: TypeTimeout,
		Retry: RetryOnce, Fault: FaultCaller, Origins: byUpstreamAndProxy, Charge: ChargeEstimate,
		Source:    SourceDocumented,
		Summary:   "The call was cancelled before it was answered.",
		Action:    "If nobody cancelled it on purpose, raise the client's own timeout and call again.",
		Automatic: "When the caller leaves, the upstream call is cancelled as well; what had passed is counted.",
		Wire:      "`Request was aborted`.",
	},
	{
		Code: AccountLimited, Slug: "account_limited", Number: 3036, Aliases: []int{4006}, Status: 429,
		Type:   TypeRateLimit,
		OpenAI: "insufficient_quota",
		Retry:  RetryAtReset, Fault: FaultAccount, Origins: byUpstreamAndGuard, Charge: ChargeNone,
		Source:  SourceDocumented,
		Summary: "The account's neurons of today are used up; they come back at 00:00 UTC.",
		Action: "Wait for the reset, make the call as small as the message says, raise the plan, or use a cheaper " +
			"model.",
		Automatic: "Nothing is repeated. Once Workers AI has said it, further calls are refused here until the " +
			"reset, except for one now and then that tries.",
		Wire: "`you have used up your daily free allocation of 10,000 neurons, …` with 4006, once with 3040; 3036 " +
			"itself in a binding's text. " +
			"The sentence counts only at the start of the message, never where a caller's input is echoed.",
	},
	{
		Code: OutOfCapacity, Slug: "out_of_capacity", Number: 3040, Status: 429, Type: TypeOverloaded,
		Retry: RetryAfterDelay, Delay: 2 * time.Second,
		Fault: FaultUpstream, Origins: byUpstreamAndGuard, Charge: ChargeNone, Source: SourceDocumented,
		Summary: "No data center has room for this model right now.",
		Action:  "Call again shortly, or fall back to another model.",
		Automatic: "The call is repeated up to {RETRIES} times after short random waits, as far as " +
			"{RETRY_BUDGET} allows, but not where options.rejectIfBusy is set. While it lasts, most calls to the " +
			"model are refused here (origin guard), and a few are sent to see whether there is room again.",
		Wire: "`Capacity temporarily exceeded, please try again.`, earlier `No more data centers to forward " +
			"the request to`; 429, also 400 through a gateway.",
	},
	{
		Code: PaidPlanRequired, Slug: "paid_plan_required", Number: 5035, Status: 403, Type: TypePermission,
		Retry: RetryNever, Fault: FaultAccount, Origins: byUpstreamAndGuard, Charge: ChargeNone,
		Source:    SourceDocumented,
		Summary:   "The model is only for accounts on Workers Paid.",
		Action:    "Put the account on the Workers Paid plan, or use a model that the free plan has.",
		Automatic: "The answer is passed on as it is; the call is not repeated.",
		Wire:      "`Model ${model} is not available on the Workers Free plan: …`.",
	},
}
