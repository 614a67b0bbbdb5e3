package simtest

import (
	"encoding/base64"
	"strings"
)

// Model is a model for text that streams in the older form.
const Model = "@cf/meta/llama-3.1-8b-instruct-fp8"

// Messages is a member of a chat's body.
const Messages = `"messages":[{"role":"system","content":"Be brief."},` +
	`{"role":"user","content":"Tell me of neurons and what they cost"}]`

// arguments is the schema of what a tool is called with, or of an object.
const arguments = `{"type":"object","required":["city","days"],"properties":{"city":{"type":"string"},` +
	`"days":{"type":"integer","minimum":1},"note":{"type":"string","minLength":300}}}`

// A Shape is a call whose answer the simulator gives a form of its own.
type Shape struct {
	Name, Path, Body string
	ReportsUsage     bool // the answer's body has tokens and neurons
	ReportsQuantity  bool // or the quantity that the price is for, such as seconds of audio
}

// Shapes returns calls for every task and protocol: with models that stream in the older and in the newer form, and
// with one that charges less for cached tokens.
func Shapes() []Shape {
	picture := base64.StdEncoding.EncodeToString([]byte("a picture"))
	usage := append(
		texts(),
		shape("embeddings", "run/@cf/baai/bge-base-en-v1.5", `{"text":["one two","three"]}`),
		shape("embeddings, in meta", "run/@cf/qwen/qwen3-embedding-0.6b", `{"text":"one"}`),
		shape("reranker", "run/@cf/baai/bge-reranker-base",
			`{"query":"green apple","contexts":[{"text":"a red car"},{"text":"a green apple"}]}`),
		shape("an embedding model that ranks", "run/@cf/baai/bge-m3",
			`{"query":"apple","contexts":[{"text":"apple"}]}`),
		shape("translation", "run/@cf/meta/m2m100-1.2b", `{"text":"good day","target_lang":"fr"}`),
		shape("translation to Indian languages", "run/@cf/ai4bharat/indictrans2-en-indic-1B",
			`{"text":["good day"],"target_language":"tam_Taml"}`),
		shape("image to text", "run/@cf/moondream/moondream3.1-9B-A2B",
			`{"image":"data:image/png;base64,`+picture+`","prompt":"What is it?"}`),
	)
	for i := range usage {
		usage[i].ReportsUsage = true
	}
	audio := `{"audio":"` + base64.StdEncoding.EncodeToString(make([]byte, 100_000)) + `"}`
	quantity := []Shape{
		shape("Whisper", "run/@cf/openai/whisper", audio),
		shape("Whisper, turbo", "run/@cf/openai/whisper-large-v3-turbo", audio),
		shape("Deepgram", "run/@cf/deepgram/nova-3", audio),
	}
	for i := range quantity {
		quantity[i].ReportsQuantity = true
	}
	return append(
		append(usage, quantity...),
		shape("OpenAI's embeddings, which report nothing", "v1/embeddings",
			`{"model":"@cf/baai/bge-base-en-v1.5","input":["one two","three"]}`),
		shape("voice activity", "run/@cf/pipecat-ai/smart-turn-v2", audio),
		shape("speech as bytes", "run/@cf/deepgram/aura-1", `{"text":"Hello there"}`),
		shape("speech in JSON", "run/@cf/myshell-ai/melotts", `{"prompt":"Hello there"}`),
		shape("an image in JSON", "run/@cf/black-forest-labs/flux-1-schnell",
			`{"prompt":"a cat","width":256,"height":256}`),
		shape("an image as bytes", "run/@cf/leonardo/phoenix-1.0", `{"prompt":"a cat","width":256,"height":256}`),
		shape("classification of text", "run/@cf/huggingface/distilbert-sst-2-int8",
			`{"text":"`+strings.Repeat("good ", 2000)+`"}`),
		shape("classification of an image", "run/@cf/microsoft/resnet-50", `{"image":[1,2,3]}`),
		shape("a batch", "run/"+Model+"?queueRequest=true", `{"requests":[{"prompt":"one two"},{"prompt":"three"}]}`),
	)
}

func shape(name, path, body string) Shape { return Shape{Name: name, Path: path, Body: body} }

const objectKind = ", an object"

// texts returns the calls for text, by model, protocol, form and end.
func texts() (all []Shape) {
	for _, model := range []string{Model, "@cf/qwen/qwen3-30b-a3b-fp8", "@cf/zai-org/glm-5.3-flash"} {
		for _, stream := range []string{``, `,"stream":true`} {
			for _, kind := range []struct{ name, more string }{
				{"", ""},
				{", cut short", `,"max_tokens":3`},
				{", a call", `,"tools":[{"type":"function","function":{"name":"f","parameters":` + arguments + `}}],` +
					`"tool_choice":"required"`},
				{", three answers", `,"n":3`},
				{", in Anthropic's terms", `,"tools":[{"name":"f","input_schema":` + arguments + `}],` +
					`"tool_choice":{"type":"any"},"thinking":{"type":"enabled"}`},
				{objectKind, `,"response_format":{"type":"json_schema","json_schema":{"schema":` + arguments + `}}`},
			} {
				if kind.name == objectKind && stream != "" && model == Model {
					continue // older models refuse it
				}
				name, more := model+stream+kind.name, stream+kind.more
				inBody := `{"model":"` + model + `",`
				responses := inBody + `"input":"Tell me of neurons"` +
					strings.Replace(more, "max_tokens", "max_output_tokens", 1) + `}`
				all = append(
					all,
					shape("run "+name, "run/"+model, `{`+Messages+more+`}`),
					shape("chat "+name, "v1/chat/completions", inBody+Messages+more+`}`),
					shape("messages "+name, "v1/messages", inBody+Messages+more+`}`),
					shape("responses "+name, "v1/responses", responses),
				)
			}
		}
	}
	return all
}
