package proxy

import (
	"bytes"
	"compress/gzip"
	endian "encoding/binary"
	"net/http"
	"strings"
	"unicode/utf16"
)

const (
	dearModel    = "@cf/deepseek-ai/deepseek-r1-distill-qwen-32b"
	pictureModel = "@cf/black-forest-labs/flux-2-klein-4b"
	speakerModel = "@cf/deepgram/aura-1"
)

// disguises are calls of some 1,800 neurons each, or of some hundred for pictures and sound.
func disguises() []disguise {
	words := strings.Repeat("some words ", 50)
	const run = "/run/" + dearModel
	prompt := `{"prompt":"` + words + `","max_tokens":4000}`
	chatBody := `{"model":"` + dearModel + `","messages":[{"role":"user","content":"` + words + `"}],"max_tokens":4000}`
	small := `"prompt":"x","max_tokens":1`
	spoken := `{"text":"` + strings.Repeat("spoken ", 200) + `"}`
	kind := func(values ...string) http.Header { return http.Header{"Content-Type": values} }
	encoding := http.Header{"Content-Encoding": {"gzip"}}
	const notRead, bad = "incomplete_request", "bad_input"
	mark := "\ufeff"
	list := []disguise{
		{name: "a byte order mark", path: run, body: mark + prompt},
		{name: "a byte order mark before chat", path: chatPath, body: mark + chatBody},
		{name: "white space", path: run, body: strings.Repeat(" \r\n\t", 20_000) + prompt},
		{name: "white space and a byte order mark", path: chatPath, body: " \n" + mark + "\t" + chatBody},
		{name: "gzip", path: run, body: gzipped(prompt), header: encoding, status: 400, refused: bad},
		{name: "gzip, said twice", path: run, body: gzipped(prompt), header: http.Header{
			"Content-Encoding": {"identity", "gzip"},
		}, status: 400, refused: bad},
		{name: "gzip that is not said", path: run, body: gzipped(prompt), status: 400, refused: notRead},
		{
			name: "gzip of speech", path: "/run/" + speakerModel, body: gzipped(spoken), header: encoding, status: 400,
			refused: bad,
		},

		{name: "a batch", path: run + "?queueRequest=true", body: `{"requests":[{` + small + `},` + prompt + `]}`},
		{name: "a batch that is not said", path: run, body: `{"requests":[{` + small + `},` + prompt + `]}`},
		{name: "a batch said otherwise", path: run + "?queueRequest=1", body: `{"requests":[` + prompt + `]}`},
		{name: "a batch with nested input", path: run + "?queueRequest=true", body: `{"requests":[{"input":` + prompt +
			`}]}`},
		{name: "two lists of a batch", path: run + "?queueRequest=true", body: `{"requests":[{` + small +
			`}],"requests":[` + prompt + `]}`, status: 400, refused: bad},
		{name: "a batch with a doubled limit", path: run + "?queueRequest=true", body: `{"requests":[{"prompt":"x",` +
			`"max_tokens":1,"max_tokens":4000}]}`, status: 400, refused: bad},
		{name: "a batch with a limit taken back", path: run, body: `{"requests":[` + strings.Repeat(`{"prompt":"x",`+
			`"max_tokens":1,"max_tokens":null},`, 20) + prompt + `]}`, status: 400, refused: bad},

		{name: "max_tokens twice", path: chatPath, body: `{"max_tokens":1,` + chatBody[1:], status: 400, refused: bad},
		{
			name: "max_tokens twice, once escaped", path: run, body: `{"max\u005ftokens":1,` + prompt[1:], status: 400,
			refused: bad,
		},
		{name: "an escaped name", path: run, body: strings.Replace(prompt, "max_tokens", `max\u005ftokens`, 1)},
		{name: "messages twice", path: chatPath, body: `{"messages":[{"role":"user","content":"x"}],` + chatBody[1:]},
		{name: "the prompt twice", path: run, body: prompt[:len(prompt)-1] + `,"prompt":"x"}`},
		{
			name: "model twice", path: chatPath, body: `{"model":"` + testModel + `",` + chatBody[1:], status: 400,
			refused: bad,
		},
		{name: "another model beside the path's", path: run, body: `{"model":"` + testModel + `",` + prompt[1:]},
		{name: "a limit as text", path: run, body: strings.Replace(prompt, "4000", `" 4e3 "`, 1)},

		{name: "a slash at the end", path: chatPath + "/", body: chatBody},
		{name: "a slash that is escaped", path: strings.ReplaceAll(run, "ai/", "ai%2F"), body: prompt},
		{
			name: "a slash that is escaped twice", path: strings.ReplaceAll(run, "ai/", "ai%252F"), body: prompt,
			status: 404, refused: "route_not_proxied",
		},
		{
			name: "capitals in the path", path: "/V1/chat/completions", body: chatBody, status: 404,
			refused: "route_not_proxied",
		},
		{name: "capitals in the model", path: "/run/@cf/DeepSeek-AI/" + strings.ToUpper(dearModel[17:]), body: prompt},
		{
			name: "capitals in the model's first part", path: "/run/@CF/deepseek-ai/" + dearModel[17:], body: prompt,
			status: 403, refused: "model_not_allowed",
		},
		{name: "another model in the query", path: chatPath + "?model=" + testModel, body: chatBody},
		{name: "the API's path", path: "/client/v4/accounts/" + testAccount + "/ai" + run, body: prompt},
		{
			name: "a gateway's path", path: "/v1/" + testAccount + "/my-gateway/workers-ai/" + dearModel, body: prompt,
			status: 404, refused: "route_not_proxied",
		},
		{
			name: "a gateway's universal endpoint", path: "/v1/" + testAccount + "/my-gateway", body: `[{"provider":` +
				`"workers-ai","endpoint":"` + dearModel + `","query":` + prompt + `}]`, status: 404,
			refused: "route_not_proxied",
		},

		{name: "nested input", path: "/run", body: `{"model":"` + dearModel + `","input":` + prompt + `}`},
		{name: "nested input beside other fields", path: "/run", body: `{"model":"` + dearModel + `",` + small +
			`,"input":` + prompt + `}`},
		{name: "a limit beside the input", path: "/run", body: `{"model":"` + dearModel + `","max_tokens":1,` +
			`"input":{"prompt":"` + words + `"}}`},
		{name: "a limit in the input of another prompt", path: "/run", body: `{"model":"` + dearModel + `",` +
			`"prompt":"` + words + `","input":{` + small + `}}`},
		{name: "nested input of a model in the path", path: run, body: `{` + small + `,"input":` + prompt + `}`},
		{
			name: "two inputs of a model in the path", path: run, status: 400, refused: bad,
			body: `{"input":{` + small + `},"input":` + prompt + `}`,
		},
		{name: "a limit doubled in the input of a model in the path", path: run, body: `{"input":{"max_tokens":1,` +
			prompt[1:] + `}`, status: 400, refused: bad},
		{name: "through a gateway", path: run, body: mark + prompt, gateway: true},
		{name: "through a gateway, nested", path: "/run", body: mark + `{"model":"` + dearModel + `","input":` +
			prompt + `}`, gateway: true},
		{name: "through a gateway, chat", path: chatPath, body: "\n" + chatBody, gateway: true},

		{name: "JSON as text/plain", path: chatPath, body: chatBody, header: kind("text/plain")},
		{name: "JSON as nothing", path: run, body: prompt, header: kind("")},
		{name: "JSON as a form", path: run, body: prompt, header: kind("multipart/form-data; boundary=x")},
		{name: "JSON as a recording", path: run, body: prompt, header: kind("audio/mpeg")},
		{name: "JSON as bytes", path: run, body: mark + prompt, header: kind("application/octet-stream")},
		{
			name: "a form that claims to be JSON", path: run, body: form("max_tokens", "4000"),
			header: kind("application/json"), status: 400, refused: notRead,
		},
		{
			name: "JSON with a tail", path: run, body: prompt + "\x00", header: kind("application/octet-stream"),
			status: 400, refused: notRead,
		},

		{name: "a picture, as JSON with a tail", path: "/run/" + pictureModel, body: `{"prompt":"x","width":2048,` +
			`"height":2048}` + "\x00", header: kind("application/octet-stream"), status: 400, refused: notRead},
		{name: "a picture, its width twice", path: "/run/" + pictureModel, body: `{"prompt":"x","width":64,` +
			`"width":2048,"height":2048}`, status: 400, refused: bad},
		{name: "a picture, by a form", path: "/run/" + pictureModel, body: picture, header: kind(formType)},
		{
			name: "a picture, by a form with two boundaries", path: "/run/" + pictureModel, body: picture,
			header: kind("multipart/form-data; boundary=x; boundary=y"),
		},
		{
			name: "a picture, by a form of two types", path: "/run/" + pictureModel, body: picture,
			header: kind("image/png", formType),
		},
		{
			name: "a picture, by a form behind another type", path: "/run/" + pictureModel, body: picture,
			header: kind("image/png, " + formType),
		},
		{name: "speech", path: "/run/" + speakerModel, body: mark + spoken},
		{
			name: "a recording in JSON", path: "/run/" + testSpeechModel, body: `{"x":"` + frames + `"}`,
			header: kind("audio/mpeg"),
		},
		{
			name: "a recording in JSON of two types", path: "/run/" + testSpeechModel, body: `{"x":"` + frames + `"}`,
			header: kind("application/json", "audio/mpeg"),
		},
	}
	for name, encode := range map[string]func(string) string{
		"UTF-16 LE": utf16le, "UTF-16 LE with a mark": func(s string) string { return utf16le(mark + s) },
		"UTF-16 BE": utf16be, "UTF-16 BE with a mark": func(s string) string { return utf16be(mark + s) },
	} {
		list = append(
			list, disguise{name: name, path: run, body: encode(prompt), status: 400, refused: notRead},
			disguise{
				name: name + " of speech", path: "/run/" + speakerModel, body: encode(spoken), status: 400,
				refused: notRead,
			},
			disguise{
				name: name + " for a model without a price", path: "/run/@cf/new/model", body: encode(prompt),
				status: 400, refused: notRead,
			},
		)
	}
	return list
}

const formType = "multipart/form-data; boundary=x"

// picture is a form for a picture of 16 tiles.
var picture = form("prompt", "x", "width", "2048", "height", "2048")

func form(fields ...string) string {
	var b strings.Builder
	for i := 0; i < len(fields); i += 2 {
		b.WriteString("--x\r\nContent-Disposition: form-data; name=\"" + fields[i] + "\"\r\n\r\n")
		b.WriteString(fields[i+1] + "\r\n")
	}
	return b.String() + "--x--\r\n"
}

// frames is sound of 200 s, in frames of MPEG-2.5 layer III at 16 kbit/s and 8,000 samples a second, which can stand
// in a JSON string.
var frames = strings.Repeat("\xff\xe3\x28\xc4"+strings.Repeat("U", 140), 200_000*2/144)

func gzipped(text string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write([]byte(text)) // a bytes.Buffer takes all
	_ = w.Close()
	return b.String()
}

func utf16le(text string) string { return utf16As(endian.LittleEndian, text) }

func utf16be(text string) string { return utf16As(endian.BigEndian, text) }

func utf16As(order endian.AppendByteOrder, text string) string {
	var b []byte
	for _, unit := range utf16.Encode([]rune(text)) {
		b = order.AppendUint16(b, unit)
	}
	return string(b)
}
