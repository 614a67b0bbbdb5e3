package measure

import (
	"encoding/base64"
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/neuronward/neuronward/proxy/measure/mediatest"
	"github.com/neuronward/neuronward/proxy/workersai"
	"github.com/neuronward/neuronward/proxy/workersai/simtest"
	"github.com/neuronward/neuronward/quota/price"
	"github.com/neuronward/neuronward/quota/workload"
)

func TestMeasureRaw(t *testing.T) {
	for _, c := range []struct {
		name   string
		task   workload.Task
		kind   string
		prefix string
		want   workload.Request
	}{
		{"speech", workload.SpeechRecognition, "application/octet-stream", "OggS", workload.Request{AudioBytes: 5000}},
		{
			"text to be spoken", workload.TextToSpeech, "text/plain", "abc",
			workload.Request{Characters: 5000, SpokenSeconds: 1785.7142857142858},
		},
		{
			"a picture to be made", workload.TextToImage, "", "a cat",
			workload.Request{
				Images: maxGiven, PromptBytes: 5000, AudioBytes: 5000, MakeImages: maxMade, Width: maxSide,
				Height: maxSide, Steps: maxSteps, Assumed: true,
			},
		},
		{
			"speech that says it is a picture", workload.SpeechRecognition, "image/png", "OggS",
			workload.Request{AudioBytes: 5000},
		},
		{"a picture", workload.ImageClassification, "", "\x89PNG", workload.Request{Images: 1}},
		{"a picture for an unknown model", "", "image/png", "\x89PNG", workload.Request{Images: 1}},
		{"audio for an unknown model", "", "audio/mpeg", "OggS", workload.Request{AudioBytes: 5000}},
		{"a picture that nobody calls one", "", "", "\x89PNG\r\n\x1a\n", workload.Request{Images: 1}},
		{
			"a recording that nobody calls one", "", "application/octet-stream", "OggS\x00",
			workload.Request{AudioBytes: 5000},
		},
		{
			"bytes, for who knows whom", "", "application/octet-stream", "\x00\x01",
			workload.Request{AudioBytes: 5000, Images: 1},
		},
		{
			"text that is cut within a character", "", "text/plain", "caf\xc3",
			workload.Request{AudioBytes: 5000, Images: 1, PromptBytes: 5000},
		},
		{
			"who knows what, for who knows whom", "", "", "who knows",
			workload.Request{AudioBytes: 5000, Images: 1, PromptBytes: 5000},
		},
		{
			"a form without a boundary", "", "multipart/form-data", "x",
			workload.Request{
				Images: maxGiven, PromptBytes: 5000, AudioBytes: 5000, MakeImages: maxMade, Width: maxSide,
				Height: maxSide, Steps: maxSteps, Assumed: true,
			},
		},
	} {
		c.want.Task = c.task
		if got := Media(c.task, c.kind, pieces([]byte(c.prefix)), 5000); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: got %+v\nwant %+v", c.name, got, c.want)
		}
	}
	// Audio that happens to begin with a brace.
	got := requestAs("audio/l16", protocolOf(t, "run/m"), workload.SpeechRecognition, []byte("{\x00\x01"))
	if got.AudioBytes != 3 {
		t.Errorf("got %d bytes of audio, want 3", got.AudioBytes)
	}
}

// What upstream bills is never above the estimate of what was measured.
func TestMeasureBounds(t *testing.T) {
	var call workersai.Call
	sim := workersai.New(workersai.Options{OnCall: func(c workersai.Call) { call = c }})
	estimator := price.NewEstimator(nil, price.Bound)
	long := strings.Repeat("neurons and what they cost ", 200)
	for _, c := range []struct{ path, body string }{
		{"run/@cf/meta/llama-3.1-8b-instruct-fp8", `{"prompt":"` + long + `","max_tokens":300}`},
		{
			"run/@cf/meta/llama-3.1-8b-instruct-fp8",
			`{"messages":[{"role":"user","content":"a b c d e f"}],"max_output_tokens":1}`,
		},
		{"v1/chat/completions", `{"model":"@cf/qwen/qwen3-30b-a3b-fp8","messages":[{"role":"user",` +
			`"content":[{"type":"text","text":"hi"},{"type":"image_url","image_url":{"url":"data:image/png;base64,` +
			`AAAA"}}]}],"max_tokens":1}`},
		{"v1/responses", `{"model":"@cf/qwen/qwen3-30b-a3b-fp8","input":"` + long + `","max_output_tokens":1}`},
		{"v1/embeddings", `{"model":"@cf/baai/bge-m3","input":["` + long + `","b"]}`},
		{"run/@cf/baai/bge-reranker-base", `{"query":"a","contexts":[{"text":"` + long + `"}]}`},
		{"run/@cf/meta/m2m100-1.2b", `{"text":"` + long + `","target_lang":"fr"}`},
		{"run/@cf/black-forest-labs/flux-1-schnell", `{"prompt":"cat","steps":8}`},
		{"run/@cf/leonardo/phoenix-1.0", `{"prompt":"cat","width":1100,"height":1500,"num_steps":40}`},
		{"run/@cf/black-forest-labs/flux-2-klein-9b", `{"prompt":"cat","width":1500}`},
		{"run/@cf/leonardo/phoenix-1.0", `{"prompt":"cat","width":2048,"height":2048,"num_steps":50}`},
		{"run/@cf/leonardo/lucid-origin", `{"prompt":"cat"}`},
		{"run/@cf/black-forest-labs/flux-2-dev", `{"prompt":"cat"}`},
		{"run/@cf/deepgram/aura-1", `{"text":"` + long + `"}`},
		{"run/@cf/myshell-ai/melotts", `{"prompt":"` + long + `"}`},
		{"run/@cf/openai/whisper", `{"audio":"` + base64.StdEncoding.EncodeToString(mediatest.WAV(30)) + `"}`},
		{"run/@cf/deepgram/nova-3", `{"audio":{"body":"` + mediatest.Base64Of(100_000) + `"}}`},
		{"run/@cf/microsoft/resnet-50", `{"image":[1,2,3]}`},
		{"run/@cf/moondream/moondream3.1-9B-A2B", `{"image":"AAAA","prompt":"` + long + `"}`},
		{"run/@cf/meta/llama-3.1-8b-instruct-fp8?queueRequest=true", `{"requests":[{"prompt":"` + long +
			`","max_tokens":9},{"prompt":"b"}]}`},
	} {
		t.Run(c.path, func(t *testing.T) {
			call = workersai.Call{}
			simtest.Call(t, sim, c.path, c.body)
			path, _, _ := strings.Cut(c.path, "?")
			q := requestOf(protocolOf(t, path), call.Task, []byte(c.body))
			e := estimator.Estimate(estimator.Resolve(call.Model), q)
			if call.Neurons == 0 || e.Neurons < call.Neurons {
				t.Errorf("got an estimate of %v for %+v, want at least what is billed, %v", e.Neurons, q, call.Neurons)
			}
		})
	}
}

// Whatever the body, measure returns, and nothing that it found is negative.
func FuzzMeasure(f *testing.F) {
	for _, seed := range []string{
		`{"model":"m","input":{"prompt":"x","max_tokens":"5"},"requests":[{"n":2}]}`,
		`{"messages":[{"content":[{"image_url":{"url":"data:image/png;base64,AA"}},{"source":{"data":"AA"}}]}]}`,
		`{"audio":{"body":[1,2]},"image":[[1],"x",{"url":"y"}],"size":"1x2","width":1e999}`,
		"RIFF____WAVEfmt \x10\x00\x00\x00\x01\x00", "fLaC\x00", "ID3\x04\x00\x00\x00\x00\x00\x01",
		"\x00\x00\x00\x08ftyp\x00\x00\x00\x08moov",
		"--x\r\nContent-Disposition: form-data; name=\"width\"\r\n\r\n5\r\n--x--",
	} {
		f.Add([]byte(seed))
	}
	native, chatRoute := protocolOf(f, "run/m"), protocolOf(f, "v1/chat/completions")
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, q := range []workload.Request{
			requestOf(native, workload.SpeechRecognition, b),
			requestOf(chatRoute, "", b),
			Media("", "multipart/form-data; boundary=x", pieces(b), 1<<20),
			Media(workload.SpeechRecognition, "", pieces(b), 1<<20),
		} {
			for _, p := range append(q.Parts, q) {
				for _, n := range []int64{
					p.PromptBytes, p.MaxTokens, p.Answers, p.Images, p.Width, p.Height, p.Steps, p.AudioBytes,
					p.Characters,
				} {
					if n < 0 {
						t.Errorf("%q: got %d in %+v, want no negative figure", b, n, p)
					}
				}
				if !(p.AudioSeconds >= 0) {
					t.Errorf("%q: got %v seconds, want 0 or more", b, p.AudioSeconds)
				}
			}
		}
		batchIDOf(b)
	})
}

func BenchmarkMeasure(b *testing.B) {
	messages := make([]map[string]string, 10)
	for i := range messages {
		messages[i] = map[string]string{"role": "user", "content": strings.Repeat("some words ", 50)}
	}
	text, err := json.Marshal(map[string]any{"model": "m", "messages": messages, "max_tokens": 100})
	if err != nil {
		b.Fatal(err)
	}
	for name, body := range map[string][]byte{
		"chat":        text,
		"audio, 1 MB": []byte(`{"audio":"` + mediatest.Base64Of(1<<20) + `"}`),
		"bytes, 1 MB": []byte(`{"image":[` + strings.Repeat("255,", 1<<20) + `0]}`),
	} {
		b.Run(name, func(b *testing.B) {
			r := protocolOf(b, "v1/chat/completions")
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				requestOf(r, "", body)
			}
		})
	}
}
