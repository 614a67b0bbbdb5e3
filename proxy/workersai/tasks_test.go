package workersai_test

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"image"
	_ "image/jpeg"
	_ "image/png"
	"math"
	"mime/multipart"
	"net/textproto"
	"strings"
	"testing"

	"github.com/neuronward/neuronward/proxy/workersai"
	"github.com/neuronward/neuronward/quota"
)

// wav is a WAV file of seconds of noise at 50 Hz, 16 bit, with a chunk before its
// data.
func wav(seconds float64) string {
	n := uint32(seconds * 100)
	var b bytes.Buffer
	b.WriteString("RIFF____WAVE")
	b.WriteString("LIST\x03\x00\x00\x00abc\x00")
	b.WriteString("fmt ")
	for _, v := range []any{uint32(16), uint16(1), uint16(1), uint32(50), uint32(100), uint16(2), uint16(16)} {
		_ = binary.Write(&b, binary.LittleEndian, v) // a buffer takes all
	}
	b.WriteString("data")
	_ = binary.Write(&b, binary.LittleEndian, n)
	b.Write(bytes.Repeat([]byte{7}, int(n)))
	return b.String()
}

func TestAudioSeconds(t *testing.T) {
	for _, c := range []struct {
		name  string
		audio string
		want  float64
	}{
		{"nothing", "", 0},
		{"a WAV file", wav(2.5), 2.5},
		{"a WAV file that is cut short", wav(2.5)[:len(wav(2.5))-50], 2},
		{"what is not WAV", strings.Repeat("x", 32_000), 2},
		{"a WAV file without data", wav(1)[:44], 44.0 / 16_000},
		{"a chunk longer than the file", "RIFF____WAVELIST\xff\xff\xff\xff", 20.0 / 16_000},
	} {
		if got := workersai.AudioSeconds([]byte(c.audio)); math.Abs(got-c.want) > 1e-9 {
			t.Errorf("%s: got %v seconds, want %v", c.name, got, c.want)
		}
	}
}

func TestEmbeddings(t *testing.T) {
	s := start(t, workersai.Options{})
	type result struct {
		Shape       []int
		Data        [][]float64
		Usage, Meta *usage
	}
	v := decode[v4[result]](t, s.post("/run/@cf/baai/bge-base-en-v1.5", `{"text":["one two","three"]}`)).Result
	if fmt.Sprint(v.Shape) != "[2 768]" || v.Meta != nil {
		t.Errorf("got shape %v, meta %+v, want [2 768], none", v.Shape, v.Meta)
	}
	if len(v.Data) != 2 {
		t.Errorf("vectors: got %d, want 2", len(v.Data))
	} else if len(v.Data[1]) != 768 {
		t.Errorf("numbers in the second vector: got %d, want 768", len(v.Data[1]))
	}
	if v.Usage == nil {
		t.Error("usage: got none, want one")
	} else if v.Usage.Prompt != 3 || v.Usage.Neurons != 3*0.006058 {
		t.Errorf("usage: got %d tokens, %v neurons, want 3, %v", v.Usage.Prompt, v.Usage.Neurons, 3*0.006058)
	}
	var norm float64
	for _, c := range v.Data[0] {
		norm += c * c
	}
	if math.Abs(norm-1) > 1e-3 {
		t.Errorf("the square of the length of a vector: got %v, want 1", norm)
	}
	one := decode[v4[result]](t, s.post("/run/@cf/qwen/qwen3-embedding-0.6b", `{"text":"one"}`)).Result
	if fmt.Sprint(one.Shape) != "[1 1024]" || one.Usage != nil {
		t.Errorf("got shape %v, usage %+v, want [1 1024], none", one.Shape, one.Usage)
	}
	if one.Meta == nil || one.Meta.Prompt != 1 {
		t.Errorf("got meta %+v, want 1 prompt token", one.Meta)
	}

	a := s.post("/v1/embeddings", `{"model":"@cf/baai/bge-base-en-v1.5","input":"one two"}`)
	type list struct {
		Object, Model string
		Data          []struct {
			Object    string
			Index     int
			Embedding json.RawMessage
		}
	}
	floats := decode[list](t, a)
	wantCharge(t, a, "0.01")
	if strings.Contains(a.body, "usage") {
		t.Errorf("got %.200s, want no usage", a.body)
	}
	if floats.Object != "list" || len(floats.Data) != 1 {
		t.Fatalf("got object %q, %d vectors, want %q, 1", floats.Object, len(floats.Data), "list")
	}
	var numbers []float64
	if err := json.Unmarshal(floats.Data[0].Embedding, &numbers); err != nil ||
		fmt.Sprint(numbers) != fmt.Sprint(v.Data[0]) {
		t.Errorf("v1/embeddings: got %v, error %v, want the vector of run %v, no error", numbers, err, v.Data[0])
	}
	packed := decode[list](t, s.post("/v1/embeddings",
		`{"model":"@cf/baai/bge-base-en-v1.5","input":["one two"],"encoding_format":"base64"}`))
	var text string
	if err := json.Unmarshal(packed.Data[0].Embedding, &text); err != nil {
		t.Fatal(err)
	}
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(raw) != 4*768 {
		t.Errorf("base64: got %d bytes, error %v, want %d, no error", len(raw), err, 4*768)
	} else if got := math.Float32frombits(binary.LittleEndian.Uint32(raw)); got != float32(numbers[0]) {
		t.Errorf("base64: the first number: got %v, want %v", got, float32(numbers[0]))
	}
}

// Each task whose answer is JSON: what it says and what it costs.
func TestTasks(t *testing.T) {
	audio := base64.StdEncoding.EncodeToString([]byte(wav(30)))
	picture := base64.StdEncoding.EncodeToString([]byte("a picture"))
	for _, c := range []struct {
		name, model, body string
		kind              string // Content-Type of the request
		want              string // in the result
		neurons           float64
	}{
		{
			"text classification", "@cf/huggingface/distilbert-sst-2-int8", `{"text":"I like it"}`, "",
			`[{"label":"NEGATIVE","score":0.`, 3 * 0.002394,
		},
		{
			"reranker", "@cf/baai/bge-reranker-base",
			`{"query":"green apple","contexts":[{"text":"a red car"},{"text":"a green apple"}],"top_k":1}`, "",
			`{"response":[{"id":1,"score":0.4}],"usage":{"prompt_tokens":8,`, 8 * 0.000283,
		},
		{
			"an embedding model that ranks", "@cf/baai/bge-m3", `{"query":"apple","contexts":[{"text":"apple"}]}`, "",
			`{"response":[{"id":0,"score":0.3333}]`, 2 * 0.001075,
		},
		{
			"translation", "@cf/meta/m2m100-1.2b", `{"text":"good day","target_lang":"fr"}`, "",
			`{"translated_text":"[fr] good day","usage":{"prompt_tokens":2,"completion_tokens":2,`, 4 * 0.03105,
		},
		{
			"translation to Indian languages", "@cf/ai4bharat/indictrans2-en-indic-1B",
			`{"text":["good day"],"target_language":"tam_Taml"}`, "", `{"translations":["[tam_Taml] good day"],`,
			4 * 0.03105,
		},
		{
			"speech as base64", "@cf/openai/whisper-large-v3-turbo", `{"audio":"` + audio + `","language":"de"}`, "",
			`{"transcription_info":{"language":"de","language_probability":1,"duration":30,` +
				`"duration_after_vad":30},"text":"This is a simulated transcript of 30.00 seconds of ` +
				`audio.","word_count":10,`, 46.63 / 2,
		},
		{"speech as it is", "@cf/openai/whisper", wav(30), "audio/wav", `"duration":30,`, 41.14 / 2},
		{
			"speech as it is, in a form's clothes", "@cf/openai/whisper", wav(30), "application/x-www-form-urlencoded",
			`"duration":30,`, 41.14 / 2,
		},
		{
			"speech as a list of bytes", "@cf/openai/whisper", `{"audio":[` + strings.Repeat("7,", 15_999) + `7]}`, "",
			`"duration":1,`, 0.685667,
		},
		{
			"speech in Deepgram's form", "@cf/deepgram/nova-3", wav(60), "audio/wav",
			`{"metadata":{"duration":60,"channels":1},"results":{"channels":[{"alternatives":[{"confidence":0.`,
			472.73,
		},
		{
			"speech in Deepgram's JSON", "@cf/deepgram/nova-3",
			`{"audio":{"body":"` + audio + `","contentType":"audio/wav"}}`, "", `"duration":30,`, 472.73 / 2,
		},
		{
			"voice activity", "@cf/pipecat-ai/smart-turn-v2", `{"audio":"` + audio + `"}`, "", `"probability":0.`,
			30.9 / 2,
		},
		{
			"image classification", "@cf/microsoft/resnet-50", "a picture", "image/jpeg",
			`[{"label":"SIMULATED CAT","score":0.`, 0.228055,
		},
		{
			"object detection, not billed", "@cf/facebook/detr-resnet-50", `{"image":[1,2,3]}`, "",
			`"box":{"xmin":0,"ymin":0,"xmax":100,"ymax":80}}`, 0,
		},
		{
			"image to text", "@cf/moondream/moondream3.1-9B-A2B",
			`{"image":"data:image/png;base64,` + picture + `","prompt":"What is it?"}`, "",
			`{"description":"A simulated description of an image of 9 bytes. You asked: What is ` +
				`it?","usage":{"prompt_tokens":259,`, 259*0.027273 + 14*0.090909,
		},
		{
			"text to speech, MeloTTS", "@cf/myshell-ai/melotts", `{"prompt":"` + strings.Repeat("x", 900) + `"}`, "",
			`{"audio":"UklGR`, 18.63,
		},
		{
			"summarization, not billed", "@cf/facebook/bart-large-cnn", `{"input_text":"A long story."}`, "",
			`{"summary":"In short: A long story."}`, 0,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := start(t, workersai.Options{})
			a := s.post("/run/"+c.model, c.body, "Content-Type", c.kind)
			v := decode[v4[json.RawMessage]](t, a)
			want := quota.FromFloat(c.neurons)
			if !v.Success || !strings.Contains(string(v.Result), c.want) {
				t.Errorf("got %.300s\nwant success and %s in it", a.body, c.want)
			}
			if off := s.Billed() - want; off < -1 || off > 1 {
				t.Errorf("got %v billed, want %v", s.Billed(), want)
			}
			wantCharge(t, a, s.Billed().String())
		})
	}
}

func TestImages(t *testing.T) {
	for _, c := range []struct {
		name, model, body string
		raw               string // Content-Type of an answer that is no JSON
		format            string
		width, height     int
		neurons           float64
	}{
		{
			"flux-1, default", "@cf/black-forest-labs/flux-1-schnell", `{"prompt":"a cat"}`, "", "jpeg", 1024, 1024,
			172.8,
		},
		{
			"flux-1, small, more steps", "@cf/black-forest-labs/flux-1-schnell",
			`{"prompt":"a cat","steps":8,"width":500,"height":600}`, "", "jpeg", 500, 600,
			500 * 600 / (512. * 512) * (4.8 + 8*9.6),
		},
		{
			"lucid", "@cf/leonardo/lucid-origin", `{"prompt":"a cat","width":128,"height":64}`, "", "jpeg", 128, 64,
			636 + 15*12,
		},
		{"lucid, default", "@cf/leonardo/lucid-origin", `{"prompt":"a cat"}`, "", "jpeg", 1120, 1120, 3904.6875},
		{
			"phoenix", "@cf/leonardo/phoenix-1.0", `{"prompt":"a cat","num_steps":10,"width":513,"height":64}`,
			"image/jpeg", "jpeg", 513, 64, 530 + 10*10,
		},
		{
			"stable diffusion, not billed", "@cf/stabilityai/stable-diffusion-xl-base-1.0",
			`{"prompt":"a cat","width":256,"height":256}`, "image/png", "png", 256, 256, 0,
		},
		{
			"flux-2-dev", "@cf/black-forest-labs/flux-2-dev", `{"prompt":"a cat","steps":10,"height":512}`, "", "jpeg",
			1024, 512, 2 * 37.5 * 10,
		},
		{
			"flux-2-klein-4b", "@cf/black-forest-labs/flux-2-klein-4b", `{"prompt":"a cat","width":64,"height":64}`, "",
			"jpeg", 64, 64, 26.05,
		},
		{
			"flux-2-klein-9b of two megapixels", "@cf/black-forest-labs/flux-2-klein-9b",
			`{"prompt":"a cat","width":2048}`, "", "jpeg", 2048, 768, 1363.64 + 181.82/2,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := start(t, workersai.Options{})
			a := s.post("/run/"+c.model, c.body)
			data := []byte(a.body)
			if c.raw == "" {
				var err error
				if data, err = base64.StdEncoding.DecodeString(decode[v4[struct{ Image string }]](t,
					a).Result.Image); err != nil {
					t.Fatal(err)
				}
			}
			img, format, err := image.Decode(bytes.NewReader(data))
			if err != nil || format != c.format {
				t.Fatalf("%d bytes: got format %q, error %v, want %q, no error", len(data), format, err, c.format)
			}
			if got := img.Bounds(); got.Dx() != c.width || got.Dy() != c.height {
				t.Fatalf("got %d by %d, want %d by %d", got.Dx(), got.Dy(), c.width, c.height)
			}
			want := quota.FromFloat(c.neurons)
			header := ""
			if c.raw == "" {
				header = want.String()
			} else if a.header.Get("Content-Type") != c.raw {
				t.Errorf("Content-Type: got %q, want %q", a.header.Get("Content-Type"), c.raw)
			}
			if s.Billed() != want {
				t.Errorf("got %v billed, want %v", s.Billed(), want)
			}
			wantCharge(t, a, header)
		})
	}
}

// form is a multipart body of a prompt and a picture.
func form(t *testing.T, name, file, kind, content string) (body, contentType string) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	if err := w.WriteField("prompt", "a cat"); err != nil {
		t.Fatal(err)
	}
	part, err := w.CreatePart(textproto.MIMEHeader{"Content-Disposition": {`form-data; name="` + name +
		`"; filename="` + file + `"`}, "Content-Type": {kind}})
	if err != nil {
		t.Fatal(err)
	}
	_, _ = part.Write([]byte(content)) // a buffer takes all
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String(), w.FormDataContentType()
}

func TestForms(t *testing.T) {
	s := start(t, workersai.Options{})
	body, kind := form(t, "input_image_0", "cat.png", "image/png", "pixels")
	if a := s.post("/run/@cf/black-forest-labs/flux-2-klein-4b", body, "Content-Type", kind); a.status != 200 ||
		a.header.Get("cf-ai-neurons") != "125.68" {
		t.Errorf("an image for an image: got %d, cf-ai-neurons %q, want 200, %q: %.200s", a.status,
			a.header.Get("cf-ai-neurons"), "125.68", a.body)
	}
	body, kind = form(t, "file", "speech.wav", "audio/wav", wav(30))
	if a := s.post("/run/@cf/openai/whisper", body, "Content-Type", kind); !strings.Contains(a.body, `"duration":30,`) {
		t.Errorf("speech in a form: got %d %s, want %s in it", a.status, a.body, `"duration":30,`)
	}
	body, kind = form(t, "files", "Report.PDF", "application/pdf", "%PDF-1.7")
	type document struct {
		Name, MimeType, Format, Data, Error string
		Tokens                              int64
	}
	v := decode[v4[[]document]](t, s.post("/tomarkdown", body, "Content-Type", kind)).Result
	if len(v) != 1 {
		t.Fatalf("got %+v, want one document", v)
	}
	if d := v[0]; d.Tokens == 0 || !strings.HasPrefix(d.Data, "# Report.PDF") {
		t.Errorf("got %d tokens of %q, want some, of a text that begins with %q", d.Tokens, d.Data, "# Report.PDF")
	}
	v[0].Data, v[0].Tokens = "", 0
	if want := (document{Name: "Report.PDF", Format: "markdown", MimeType: "application/pdf"}); v[0] != want {
		t.Errorf("got %+v, want %+v", v[0], want)
	}
	body, kind = form(t, "files", "tool.exe", "application/x-msdownload", "MZ")
	v = decode[v4[[]document]](t, s.post("/tomarkdown", body, "Content-Type", kind)).Result
	if len(v) != 1 || v[0].Error == "" {
		t.Fatalf("got %+v, want one document with an error", v)
	}
	if d := v[0]; d.Format != "error" || d.MimeType != "application/x-msdownload" {
		t.Errorf("got format %q, type %q, want %q, %q", d.Format, d.MimeType, "error", "application/x-msdownload")
	}
	refused(t, s.post("/tomarkdown", "x"), 400, 3003, "missing headers or body")
	refused(t, s.post("/tomarkdown", body[:len(body)-20], "Content-Type", kind), 400, 5006, "EOF")
}

func TestSpeechIsAudio(t *testing.T) {
	s := start(t, workersai.Options{})
	a := s.post("/run/@cf/deepgram/aura-1", `{"text":"`+strings.Repeat("ä", 500)+`"}`)
	wantHead(t, a, 200, "audio/mpeg")
	wantCharge(t, a, "681.82")
	if !strings.HasPrefix(a.body, "\xff\xfb\x90") || len(a.body)%417 != 0 {
		t.Errorf("body: got %d bytes that begin with %.3q, want a multiple of 417, %q", len(a.body), a.body,
			"\xff\xfb\x90")
	}
	a = s.post("/run/@cf/deepgram/aura-2-en", `{"text":"`+strings.Repeat("x", 150)+`","encoding":"linear16"}`)
	if a.header.Get("Content-Type") != "audio/wav" || workersai.AudioSeconds([]byte(a.body)) != 10 {
		t.Errorf("got Content-Type %q, %v seconds, want %q, 10", a.header.Get("Content-Type"),
			workersai.AudioSeconds([]byte(a.body)), "audio/wav")
	}
}

func TestTasksRefuse(t *testing.T) {
	s := start(t, workersai.Options{})
	for _, c := range []struct {
		model, body string
		code        int
		says        string
	}{
		{"@cf/huggingface/distilbert-sst-2-int8", `{}`, 5006, "required properties at '/' are 'text'"},
		{"@cf/baai/bge-reranker-base", `{"query":"x"}`, 5006, "required properties at '/' are 'query,contexts'"},
		{
			"@cf/baai/bge-reranker-base", `{"query":"x","contexts":[{}]}`, 5006,
			"required properties at '/contexts/0' are 'text'",
		},
		{"@cf/meta/m2m100-1.2b", `{"text":"x"}`, 5006, "required properties at '/' are 'text,target_lang'"},
		{"@cf/openai/whisper", `{}`, 5006, "required properties at '/' are 'audio'"},
		{"@cf/openai/whisper", `{"audio":true}`, 5004, "Invalid data type for base64 input: boolean"},
		{"@cf/openai/whisper", `{"audio":"%%"}`, 8006, "Invalid data for audio - reason invalid base64 encoding"},
		{"@cf/openai/whisper", `{"audio":[256]}`, 5006, "numbers from 0 to 255"},
		{"@cf/deepgram/flux", wav(1), 5006, "WebSocket"},
		{"@cf/moondream/moondream3.1-9B-A2B", `{"image":"data:image/png,x"}`, 8006, "reason expected `;base64,`"},
		{"@cf/microsoft/resnet-50", `{"picture":"x"}`, 5006, "required properties at '/' are 'image'"},
		{"@cf/black-forest-labs/flux-1-schnell", `{"text":"x"}`, 5006, "required properties at '/' are 'prompt'"},
		{"@cf/black-forest-labs/flux-1-schnell", `{"prompt":"x","steps":9}`, 5006, "'/steps' must be <= 8"},
		{"@cf/black-forest-labs/flux-1-schnell", `{"prompt":"x","width":9999}`, 5006, "'/width' must be <= 2048"},
		{"@cf/myshell-ai/melotts", `{"text":"x"}`, 5006, "required properties at '/' are 'prompt'"},
		{"@cf/deepgram/aura-1", `{"text":7}`, 5006, "Type mismatch of '/text'"},
	} {
		refused(t, s.post("/run/"+c.model, c.body), 400, c.code, c.says)
	}
	if s.Calls() != 0 {
		t.Errorf("calls: got %d, want 0", s.Calls())
	}
}
