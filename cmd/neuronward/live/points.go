package live

import "github.com/neuronward/neuronward/quota"

// A point is something that the proxy assumes. look says what was seen of it.
type point struct {
	name, assumed string
	look          look
}

// A look compares what came back with an assumption.
type look func(*evidence) (result, seen string)

// evidence is all that came back.
type evidence struct {
	answers []*answer
	figure  figure
}

// points are what this proxy assumes of Workers AI, one row each.
var points = []point{
	{
		"chat.answer", "200 application/json with choices and usage",
		answers("chat", "application/json", "choices", "usage"),
	},
	{"chat.usage", "usage has tokens and neurons", finalUsage("chat", "usage")},
	{"chat.price", "neurons are the tokens at the price table", priced("chat")},
	{"chat.header", "cf-ai-neurons is what the usage says, with two decimals", header("chat")},

	{
		"stream.answer", "200 text/event-stream of objects with choices",
		answers("stream", "text/event-stream", "choices"),
	},
	{
		"stream.usage", "the last usage has tokens and neurons, and no text is in its event",
		finalUsage("stream", "usage"),
	},
	{"stream.sum", "usages before the last one, if there are any, add up to it", summed("stream")},
	{"stream.price", "neurons are the tokens at the price table", priced("stream")},
	{"stream.header", "cf-ai-neurons is missing, or at most what the stream cost", floor("stream")},
	{"stream.end", "[DONE] comes last and once, after each usage, and the connection ends in order", ended("stream")},

	{
		"embeddings.answer", "200 application/json with object, data and model",
		answers("embeddings", "application/json", "object", "data", "model"),
	},
	{"embeddings.cost", "a usage, or cf-ai-neurons above 0, says what the call cost", costed("embeddings")},

	{
		"run.answer", "200 application/json with result, success, errors and messages",
		answers("run", "application/json", "result", "success", "errors", "messages"),
	},
	{
		"run.usage", "result.usage or result.meta has tokens and neurons",
		finalUsage("run", "result.usage", "result.meta"),
	},
	{"run.price", "neurons are the tokens at the price table", priced("run")},
	{"run.header", "cf-ai-neurons is what the usage says, with two decimals", header("run")},

	{"bound.output", "no answer has more tokens than max_tokens", withinLimit},
	{"bound.prompt", "no prompt has more tokens than are reserved for it", withinReservation},

	{"unknown_model.status", "400", status("unknown_model", 400)},
	{"unknown_model.code", "the number 5007, which is no_such_model", code("unknown_model", 5007, "no_such_model")},
	{"unknown_model.shape", failureForm, shape("unknown_model")},
	{"bad_body.status", "400", status("bad_body", 400)},
	{"bad_body.code", "the number 5006, which is bad_input", code("bad_body", 5006, "bad_input")},
	{"bad_body.shape", failureForm, shape("bad_body")},
	{"failures.cost", "a failed call costs nothing: cf-ai-neurons is missing or 0", freeFailures},

	{"headers.ray", "each answer has cf-ray", everyHas("cf-ray", answered)},
	{"headers.id", "each answer of a model has cf-ai-req-id", everyHas("cf-ai-req-id", (*answer).succeeded)},
	{"headers.encoding", "no answer is compressed where identity is asked for", uncompressed},

	{"figure.lag", "the calls are in the account's own figure within " + quota.FigureLag.String(), lagging},
	{"figure.cost", "the account's own figure has them for what the answers say", billed},
}

// failureForm is the form of failures of the model's layer.
const failureForm = `errors, messages, result and success; the message begins with "AiError: " and ends with an ` +
	"id in brackets"
