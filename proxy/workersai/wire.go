package workersai

import (
	"slices"
	"strconv"
	"strings"

	"github.com/neuronward/neuronward/normalize"
)

// layer is where in Cloudflare a failure arises, which decides its usual form.
type layer uint8

const (
	layerModel   layer = iota // v4 with result {} and the request id in the text
	layerEdge                 // v4 with result null, never an id
	layerGateway              // AI Gateway: flat fields and an array under error
	layerPlain                // text/plain "error code: NNNN"
	layerPage                 // an HTML page
	layerBare                 // a message under error, and no number
)

// wire is how one code looks when Workers AI sends it.
type wire struct {
	number int
	status int
	layer  layer
	text   string // without prefix and id; {model}, {path} and {today} are filled in
}

// wires are the texts as they were captured or, where no capture is known, as
// Cloudflare documents them. Each number is there once.
var wires = []wire{
	{5007, 400, layerModel, "No such model: No such model {model} or task"},
	{5004, 400, layerModel, "Invalid data type for base64 input: string"},
	{3039, 400, layerModel, "Finetune is missing required files (model.safetensors and config.json)"},
	{3003, 400, layerModel, "Request is missing headers or body: body"},
	{5018, 403, layerModel, "Ai: This account is not allowed to access {model}"},
	{5016, 403, layerModel, "Model Agreement: User has not agreed to Llama3.2 model terms"},
	{3023, 403, layerModel, "Service unavailable for account"},
	{3041, 403, layerModel, "The account is not allowed to access this model"},
	{5019, 405, layerModel, "Request trying to use deprecated SDK version"},
	{5005, 405, layerModel, "The model {model} does not support LoRA inference"},
	{3042, 404, layerModel, "The model name is invalid"},
	{3006, 413, layerModel, "Request is too large"},
	{3007, 408, layerModel, "Request timeout"},
	{3046, 408, layerModel, "Request timeout"},
	{3008, 408, layerModel, "Request was aborted"},
	{3036, 429, layerModel, "You have used up your daily free allocation of 10,000 neurons. Please upgrade to " +
		"Cloudflare's Workers Paid plan if you would like to continue usage."},
	{4006, 429, layerModel, "you have used up your daily free allocation of 10,000 neurons, please upgrade to " +
		"Cloudflare's Workers Paid plan if you would like to continue usage."},
	{3040, 429, layerModel, "Capacity temporarily exceeded, please try again."},
	{5035, 403, layerModel, "Model {model} is not available on the Workers Free plan: Model {model} is not " +
		"available on the Workers Free plan. Upgrade to access this model: " +
		"https://dash.cloudflare.com/?to=/:account/workers/plans"},

	{3021, 429, layerModel, "rate limiting: inference request per min rate reached"},
	{5006, 400, layerModel, "Bad input: Error: required properties at '/' are 'prompt'"},
	{5012, 422, layerModel, `{"error":{"type":"invalid_request","message":"Request body failed ` +
		`validation","details":{"formErrors":[],"fieldErrors":{"images":["image payload is invalid"]}}}}`},
	{8001, 400, layerModel, "Invalid input"},
	{8006, 400, layerModel, "Invalid data for image - reason invalid base64 encoding"},
	{3010, 400, layerModel, "Invalid or incomplete input for the model"},
	{1001, 400, layerModel, "InvalidInput: prompt and messages are mutually exclusive"},
	{3030, 400, layerModel, "Input prompt contains NSFW content."},
	{8007, 400, layerModel, `{"object":"error","message":"Requested token count exceeds the model's maximum ` +
		`context length of 262144 tokens. You requested a total of 263925 tokens: 199925 tokens from the input ` +
		`messages and 64000 tokens for the completion. Please reduce the number of tokens in the input ` +
		`messages or the completion to fit within the ` +
		`limit.","type":"BadRequestError","param":null,"code":400}`},
	{5021, 413, layerModel, "Ai: The estimated number of input and maximum output tokens (263008) exceeded this " +
		"model context window limit (262144)."},
	{5028, 410, layerModel, "Model has been deprecated: {model} was deprecated on {today}. Please use an " +
		"alternative model."},
	{5023, 400, layerModel, "JSON Schema mode is not supported with stream mode."},
	{5025, 403, layerModel, "Ai: This model doesn't support JSON Schema."},
	{5024, 400, layerModel, "JSON Mode couldn't be met"},
	{5504, 404, layerModel, "Request not found in queue"},
	{3043, 500, layerModel, "Internal server error"},
	{8004, 500, layerModel, "Internal server error"},
	{8005, 500, layerModel, "Internal server error"},
	{8008, 500, layerModel, "Internal server error"},
	{4007, 500, layerModel, "An internal server error occured."},
	{3001, 500, layerModel, "Internal server error"},
	{5017, 500, layerModel, "Configuration error: Failed to fetch configuration"},
	{1000, 500, layerModel, "Error: Network connection lost."},
	{3050, 503, layerModel, "Max retries exhausted"},

	{10000, 401, layerEdge, "Authentication error"},
	{9106, 400, layerEdge, "Missing X-Auth-Key, X-Auth-Email or Authorization headers"},
	{6003, 400, layerEdge, "Invalid request headers"},
	{9109, 403, layerEdge, "Unauthorized to access requested resource"},
	{7003, 404, layerEdge, "Could not route to {path}, perhaps your object identifier is invalid?"},
	{7000, 400, layerEdge, "No route for that URI"},
	{7001, 405, layerEdge, "Method not allowed for this URI"},
	{7009, 502, layerEdge, "Upstream service unavailable"},
	{971, 429, layerEdge, "Please wait and consider throttling your request speed"},
	{1015, 429, layerPlain, "error code: 1015"},
	{1031, 400, layerPlain, "error code: 1031"},
	{1010, 403, layerPlain, "error code: 1010"},
	{1101, 500, layerPage, "Worker threw exception"},

	{9015, 400, layerModel, "invalid prompt: failed to parse prompt: unknown variant `json_object`, expected " +
		"`json_schema`"},

	{2005, 400, layerGateway, "Failed to get response from provider"},
	{2016, 424, layerGateway, "Prompt blocked due to security configurations"},
	{2017, 424, layerGateway, "Response blocked due to security configurations"},
	{2029, 424, layerGateway, "Request content blocked due to DLP policy violations"},
	{2030, 424, layerGateway, "Response content blocked due to DLP policy violations"},
	{2003, 429, layerGateway, "Rate limited"},
	{2018, 429, layerGateway, "Rate limited"},
	{2041, 429, layerGateway, "Spend limit exceeded"},
	{2045, 429, layerGateway, "Spend limit exceeded"},
	{2021, 402, layerGateway, "Insufficient unified billing credits. Please add additional credits on the AI " +
		"Gateway Cloudflare dashboard to continue using provider models."},
	{2049, 402, layerGateway, "Insufficient balance; add money to your gateway or use BYOK"},
	{2009, 401, layerGateway, "Unauthorized"},
	{2001, 400, layerGateway, "Please configure AI Gateway in the Cloudflare dashboard"},
	{2008, 400, layerGateway, "Invalid provider"},
	{2036, 403, layerGateway, "The gateway is not set up for this provider"},
	{2040, 400, layerGateway, "Provider 'workers-ai' has no BYOK credential named 'example'. Configured aliases: " +
		"'other'"},

	// Cloudflare gives these no number. The catalog's stands here for finding them and is never sent.
	{90017, 403, layerBare, "Access denied by policy"},
	{90018, 429, layerBare, "Too many requests, please slow down"},
}

// asSent maps numbers that Cloudflare documents to those that the REST API sends
// in their place.
var asSent = map[int]int{3036: 4006, 3007: 3046}

// unknownCode is a number that no catalog has, sent for upstream_unclassified with
// a status that says nothing either.
const unknownCode = 5999

// findWire returns how number looks on the wire.
func findWire(number int) (wire, bool) {
	if number == unknownCode {
		return wire{number, 501, layerModel, "Something that no catalog knows yet"}, true
	}
	for _, w := range wires {
		if w.number == number {
			return w, true
		}
	}
	return catalogWire(number)
}

// catalogWire is how a number looks of which no more is known than the catalog says: its entry's status, and the text
// that the entry quotes.
func catalogWire(number int) (wire, bool) {
	code, ok := normalize.Lookup(strconv.Itoa(number))
	e := code.Entry()
	if !ok || number > normalize.FirstOwnNumber || !slices.Contains(e.Origins, normalize.OriginUpstream) {
		return wire{}, false
	}
	w := wire{number, e.Status, layerModel, e.Summary}
	if 2000 <= number && number < 2100 {
		w.layer = layerGateway
	}
	if _, quote, ok := strings.Cut(e.Wire, "`"); ok {
		w.text, _, _ = strings.Cut(quote, "`")
	}
	return w, true
}
