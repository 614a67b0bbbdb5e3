package routing

import (
	"net/http"

	"github.com/neuronward/neuronward/normalize"
	"github.com/neuronward/neuronward/quota/workload"
)

// A ModelPlace says where a call names its model.
type ModelPlace uint8

// Where a call names its model.
const (
	ModelNone ModelPlace = iota
	ModelInPath
	ModelInBody
)

// A BodyKind says what a route's request body may be.
type BodyKind uint8

// What a request body may be.
const (
	BodyNone BodyKind = iota
	BodyJSON          // a JSON object
	BodyAny           // a JSON object, else raw bytes or multipart that stream through
)

// An Answerer says who answers the calls of a route.
type Answerer uint8

// Who answers.
const (
	AnsweredUpstream  Answerer = iota
	AnsweredModels             // here, by OpenAI's list of models
	AnsweredReference          // here, by the error reference
)

// A Route is one method and path pair that goes to Workers AI. Everything that is not in the table is refused: our
// token is for inference.
type Route struct {
	Name      string // metric label and log field; a path below …/ai/
	Method    string
	Model     ModelPlace
	Body      BodyKind
	Nested    bool          // the parameters stand in the field "input" of the body
	Task      workload.Task // of its models that the price table does not know; "": any
	Protocol  normalize.Protocol
	Answer    Answerer
	Repaired  bool   // its streams are OpenAI chunks, and a native usage among them is replaced by one
	Session   bool   // over a WebSocket
	Finetunes bool   // only for a client whose entry says so
	Gateway   string // path below an AI Gateway, or one of GatewayNone, GatewayAPI, GatewayRun
}

// Metered reports whether it can be known what a call of this route costs. What tomarkdown costs is said nowhere,
// neither before nor after.
func (r *Route) Metered() bool { return r.Model != ModelNone }

// Native reports whether it is Workers AI's own form of inference, which has batches.
func (r *Route) Native() bool { return r.Model != ModelNone && r.Protocol == normalize.ProtocolNative }

// Local reports whether a call costs next to nothing here and nothing elsewhere.
func (r *Route) Local() bool { return r.Answer == AnsweredReference }

// routes is keyed by the path below …/ai/. A model that follows "run/" is not part of the key.
var routes = map[string][]Route{
	"run/": {{
		Name: "run/{model}", Method: http.MethodPost, Model: ModelInPath, Body: BodyAny, Gateway: GatewayRun,
	}},
	"run": {{
		Name: "run", Method: http.MethodPost, Model: ModelInBody, Body: BodyJSON, Nested: true, Gateway: GatewayRun,
	}},

	"v1/chat/completions": {{
		Name: "v1/chat/completions", Method: http.MethodPost, Model: ModelInBody, Body: BodyJSON,
		Protocol: normalize.ProtocolOpenAI, Repaired: true, Gateway: "/workers-ai/v1/chat/completions",
	}},
	"v1/embeddings": {{
		Name: "v1/embeddings", Method: http.MethodPost, Model: ModelInBody, Body: BodyJSON,
		Task: workload.TextEmbeddings, Protocol: normalize.ProtocolOpenAI, Gateway: "/workers-ai/v1/embeddings",
	}},
	"v1/responses": {{
		Name: "v1/responses", Method: http.MethodPost, Model: ModelInBody, Body: BodyJSON,
		Protocol: normalize.ProtocolResponses,
	}},
	"v1/messages": {{
		Name: "v1/messages", Method: http.MethodPost, Model: ModelInBody, Body: BodyJSON,
		Protocol: normalize.ProtocolAnthropic,
	}},

	"v1/models": {{Name: "v1/models", Method: http.MethodGet, Gateway: GatewayAPI, Answer: AnsweredModels}},

	"v1/models/{id}": {{
		Name: "v1/models/{id}", Method: http.MethodGet, Gateway: GatewayAPI, Answer: AnsweredModels,
	}},

	"models/search":  {{Name: "models/search", Method: http.MethodGet, Gateway: GatewayAPI}},
	"models/schema":  {{Name: "models/schema", Method: http.MethodGet, Gateway: GatewayAPI}},
	"tasks/search":   {{Name: "tasks/search", Method: http.MethodGet, Gateway: GatewayAPI}},
	"authors/search": {{Name: "authors/search", Method: http.MethodGet, Gateway: GatewayAPI}},

	"finetunes": {
		{Name: "finetunes", Method: http.MethodGet, Gateway: GatewayAPI},
		{Name: "finetunes", Method: http.MethodPost, Body: BodyJSON, Finetunes: true, Gateway: GatewayAPI},
	},
	"finetunes/{id}/finetune-assets": {{
		Name: "finetunes/{id}/finetune-assets", Method: http.MethodPost, Body: BodyAny, Finetunes: true,
		Gateway: GatewayAPI,
	}},
	"finetunes/public":     {{Name: "finetunes/public", Method: http.MethodGet, Gateway: GatewayAPI}},
	"tomarkdown":           {{Name: "tomarkdown", Method: http.MethodPost, Body: BodyAny, Gateway: GatewayAPI}},
	"tomarkdown/supported": {{Name: "tomarkdown/supported", Method: http.MethodGet, Gateway: GatewayAPI}},
}

// referenceRoutes are those of the error reference: every doc_url of an envelope leads there.
var referenceRoutes = []Route{
	{Name: "errors", Method: http.MethodGet, Answer: AnsweredReference},
	{Name: "errors", Method: http.MethodHead, Answer: AnsweredReference},
}
