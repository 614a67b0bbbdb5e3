package proxy

import (
	"net/http"

	"github.com/neuronward/neuronward/normalize"
	"github.com/neuronward/neuronward/quota/workload"
)

// modelPlace says where a call names its model.
type modelPlace uint8

const (
	modelNone modelPlace = iota
	modelInPath
	modelInBody
)

// bodyKind says what a route's request body may be.
type bodyKind uint8

const (
	bodyNone bodyKind = iota
	bodyJSON          // a JSON object
	bodyAny           // a JSON object, else raw bytes or multipart that stream through
)

// An answerer says who answers the calls of a route.
type answerer uint8

const (
	answeredUpstream  answerer = iota
	answeredModels             // here, by OpenAI's list of models
	answeredReference          // here, by the error reference
)

// A route is one method and path pair that goes to Workers AI. Everything that is not in the table is refused: our
// token is for inference.
type route struct {
	name      string // metric label and log field; a path below …/ai/
	method    string
	model     modelPlace
	body      bodyKind
	nested    bool          // the parameters stand in the field "input" of the body
	task      workload.Task // of its models that the price table does not know; "": any
	protocol  normalize.Protocol
	answer    answerer
	repaired  bool   // its streams are OpenAI chunks, and a native usage among them is replaced by one
	session   bool   // over a WebSocket
	finetunes bool   // only for a client whose entry says so
	gateway   string // path below an AI Gateway, or one of gatewayNone, gatewayAPI, gatewayRun
}

// metered reports whether it can be known what a call of this route costs. What tomarkdown costs is said nowhere,
// neither before nor after.
func (r *route) metered() bool { return r.model != modelNone }

// native reports whether it is Workers AI's own form of inference, which has batches.
func (r *route) native() bool { return r.model != modelNone && r.protocol == normalize.ProtocolNative }

// local reports whether a call costs next to nothing here and nothing elsewhere.
func (r *route) local() bool { return r.answer == answeredReference }

// Label of calls that no route takes.
const noRoute = "none"

// routes is keyed by the path below …/ai/. A model that follows "run/" is not part of the key.
var routes = map[string][]route{
	"run/": {{
		name: "run/{model}", method: http.MethodPost, model: modelInPath, body: bodyAny, gateway: gatewayRun,
	}},
	"run": {{
		name: "run", method: http.MethodPost, model: modelInBody, body: bodyJSON, nested: true, gateway: gatewayRun,
	}},

	"v1/chat/completions": {{
		name: "v1/chat/completions", method: http.MethodPost, model: modelInBody, body: bodyJSON,
		protocol: normalize.ProtocolOpenAI, repaired: true, gateway: "/workers-ai/v1/chat/completions",
	}},
	"v1/embeddings": {{
		name: "v1/embeddings", method: http.MethodPost, model: modelInBody, body: bodyJSON,
		task: workload.TextEmbeddings, protocol: normalize.ProtocolOpenAI, gateway: "/workers-ai/v1/embeddings",
	}},
	"v1/responses": {{
		name: "v1/responses", method: http.MethodPost, model: modelInBody, body: bodyJSON,
		protocol: normalize.ProtocolResponses,
	}},
	"v1/messages": {{
		name: "v1/messages", method: http.MethodPost, model: modelInBody, body: bodyJSON,
		protocol: normalize.ProtocolAnthropic,
	}},

	"v1/models": {{name: "v1/models", method: http.MethodGet, gateway: gatewayAPI, answer: answeredModels}},

	"v1/models/{id}": {{
		name: "v1/models/{id}", method: http.MethodGet, gateway: gatewayAPI, answer: answeredModels,
	}},

	"models/search":  {{name: "models/search", method: http.MethodGet, gateway: gatewayAPI}},
	"models/schema":  {{name: "models/schema", method: http.MethodGet, gateway: gatewayAPI}},
	"tasks/search":   {{name: "tasks/search", method: http.MethodGet, gateway: gatewayAPI}},
	"authors/search": {{name: "authors/search", method: http.MethodGet, gateway: gatewayAPI}},

	"finetunes": {
		{name: "finetunes", method: http.MethodGet, gateway: gatewayAPI},
		{name: "finetunes", method: http.MethodPost, body: bodyJSON, finetunes: true, gateway: gatewayAPI},
	},
	"finetunes/{id}/finetune-assets": {{
		name: "finetunes/{id}/finetune-assets", method: http.MethodPost, body: bodyAny, finetunes: true,
		gateway: gatewayAPI,
	}},
	"finetunes/public":     {{name: "finetunes/public", method: http.MethodGet, gateway: gatewayAPI}},
	"tomarkdown":           {{name: "tomarkdown", method: http.MethodPost, body: bodyAny, gateway: gatewayAPI}},
	"tomarkdown/supported": {{name: "tomarkdown/supported", method: http.MethodGet, gateway: gatewayAPI}},
}

// referenceRoutes are those of the error reference: every doc_url of an envelope leads there.
var referenceRoutes = []route{
	{name: "errors", method: http.MethodGet, answer: answeredReference},
	{name: "errors", method: http.MethodHead, answer: answeredReference},
}
