package main

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/neuronward/neuronward/proxy/workersai"
)

// taped is a simulated Workers AI that keeps what it was sent and what it
// answered last, byte for byte.
type taped struct {
	mu              sync.Mutex
	request, answer []byte
	simulator       *workersai.Simulator
}

func (s *taped) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	request, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(request))
	recorder := httptest.NewRecorder()
	s.simulator.ServeHTTP(recorder, r)
	s.mu.Lock()
	s.request, s.answer = request, recorder.Body.Bytes()
	s.mu.Unlock()
	maps.Copy(w.Header(), recorder.Header())
	w.WriteHeader(recorder.Code)
	_, _ = w.Write(recorder.Body.Bytes())
}

// Each task through the binary: request and answer byte for byte, and the right
// route and model in the series.
func TestWireTasks(t *testing.T) {
	t.Parallel()
	upstream := &taped{simulator: workersai.New(workersai.Options{Account: hexAccount, Token: fakeToken})}
	server := httptest.NewServer(upstream)
	t.Cleanup(server.Close)
	p := start(t, []string{
		"CLOUDFLARE_ACCOUNT_ID=" + hexAccount, "CLOUDFLARE_API_TOKEN=" + fakeToken,
		"NEURONWARD_UPSTREAM=" + server.URL + "/client/v4",
		"NEURONWARD_STORE=memory:", "NEURONWARD_PLAN=paid",
	})
	const (
		older = "@cf/meta/llama-3.2-1b-instruct"
		newer = "@cf/openai/gpt-oss-20b"
		form  = "--b\r\nContent-Disposition: form-data; name=\"prompt\"\r\n\r\na cat\r\n--b--\r\n"
		files = "--b\r\nContent-Disposition: form-data; name=\"files\"; filename=\"a.html\"\r\n" +
			"Content-Type: text/html\r\n\r\n<h1>Hello</h1>\r\n--b--\r\n"
	)
	wav := "RIFF\x24\x7d\x00\x00WAVEfmt " +
		"\x10\x00\x00\x00\x01\x00\x01\x00\x80\x3e\x00\x00\x00\x7d\x00\x00\x02\x00\x10\x00data\x00\x7d\x00\x00" +
		strings.Repeat("\x00", 32000)
	for _, c := range []struct{ name, path, body, contentType, route, model string }{
		{
			"chat", "/v1/chat/completions", `{"model":"` + older + `","messages":[{"role":"user","content":"Hello"}]}`,
			"", "v1/chat/completions", older,
		},
		{
			"chat stream", "/v1/chat/completions",
			`{"model":"` + older + `","stream":true,"messages":[{"role":"user","content":"Hello"}]}`, "",
			"v1/chat/completions", older,
		},
		{"native text, older", "/run/" + older, `{"prompt":"Hello"}`, "", "run/{model}", older},
		{"native stream, older", "/run/" + older, `{"prompt":"Hello","stream":true}`, "", "run/{model}", older},
		{"native text, newer", "/run/" + newer, `{"input":"Hello"}`, "", "run/{model}", newer},
		{"model in the body", "/run", `{"model":"` + older + `","input":{"prompt":"Hello"}}`, "", "run", older},
		{
			"batch, submitted", "/run/" + older + "?queueRequest=true",
			`{"requests":[{"prompt":"Hello"},{"prompt":"Bye"}]}`, "", "run/{model}", older,
		},
		{"responses", "/v1/responses", `{"model":"` + newer + `","input":"Hello"}`, "", "v1/responses", newer},
		{
			"responses stream", "/v1/responses", `{"model":"` + newer + `","input":"Hello","stream":true}`, "",
			"v1/responses", newer,
		},
		{
			"messages", "/v1/messages",
			`{"model":"` + older + `","max_tokens":20,"messages":[{"role":"user","content":"Hello"}]}`, "",
			"v1/messages", older,
		},
		{
			"messages stream", "/v1/messages",
			`{"model":"` + older + `","max_tokens":20,"stream":true,"messages":[{"role":"user","content":"Hello"}]}`,
			"", "v1/messages", older,
		},
		{
			"embeddings", "/v1/embeddings", `{"model":"@cf/baai/bge-base-en-v1.5","input":"Hello"}`, "",
			"v1/embeddings", "@cf/baai/bge-base-en-v1.5",
		},
		{"embeddings, native", "/run/@cf/baai/bge-m3", `{"text":["Hello"]}`, "", "run/{model}", "@cf/baai/bge-m3"},
		{
			"classification", "/run/@cf/huggingface/distilbert-sst-2-int8", `{"text":"Hello"}`, "", "run/{model}",
			"@cf/huggingface/distilbert-sst-2-int8",
		},
		{
			"ranking", "/run/@cf/baai/bge-reranker-base", `{"query":"a","contexts":[{"text":"b"}]}`, "", "run/{model}",
			"@cf/baai/bge-reranker-base",
		},
		{
			"translation", "/run/@cf/meta/m2m100-1.2b", `{"text":"Hello","target_lang":"de"}`, "", "run/{model}",
			"@cf/meta/m2m100-1.2b",
		},
		{"speech, raw", "/run/@cf/openai/whisper", wav, "audio/wav", "run/{model}", "@cf/openai/whisper"},
		{
			"speech, base64", "/run/@cf/openai/whisper-large-v3-turbo", `{"audio":"UklGRiQAAABXQVZF"}`, "",
			"run/{model}", "@cf/openai/whisper-large-v3-turbo",
		},
		{
			"image, base64", "/run/@cf/black-forest-labs/flux-1-schnell", `{"prompt":"a cat"}`, "", "run/{model}",
			"@cf/black-forest-labs/flux-1-schnell",
		},
		{
			"image, binary", "/run/@cf/leonardo/phoenix-1.0", `{"prompt":"a cat"}`, "", "run/{model}",
			"@cf/leonardo/phoenix-1.0",
		},
		{
			"image, multipart", "/run/@cf/black-forest-labs/flux-2-klein-4b", form, "multipart/form-data; boundary=b",
			"run/{model}", "@cf/black-forest-labs/flux-2-klein-4b",
		},
		{"text to speech", "/run/@cf/deepgram/aura-1", `{"text":"Hello"}`, "", "run/{model}", "@cf/deepgram/aura-1"},
		{
			"image classification", "/run/@cf/microsoft/resnet-50", "\xff\xd8\xff\xe0" + strings.Repeat("x", 500),
			"image/jpeg", "run/{model}", "@cf/microsoft/resnet-50",
		},
		{"to Markdown", "/ai/tomarkdown", files, "multipart/form-data; boundary=b", "tomarkdown", "other"},
	} {
		t.Run(c.name, func(t *testing.T) {
			series := fmt.Sprintf("neuronward_requests_total{client=\"anonymous\",model=%q,result=\"ok\",route=%q}",
				c.model, c.route)
			before := p.series(series)
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.app+c.path, strings.NewReader(c.body))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Content-Type", "application/json")
			if c.contentType != "" {
				r.Header.Set("Content-Type", c.contentType)
			}
			resp, err := http.DefaultTransport.RoundTrip(r)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			body, err := io.ReadAll(resp.Body)
			if err != nil || resp.StatusCode != http.StatusOK {
				t.Fatalf("got %d %v %.500s, want 200", resp.StatusCode, err, body)
			}
			upstream.mu.Lock()
			defer upstream.mu.Unlock()
			if string(upstream.request) != c.body {
				t.Errorf("got a request of %d bytes, want the %d that were sent", len(upstream.request), len(c.body))
			}
			if !bytes.Equal(upstream.answer, body) || len(body) == 0 {
				t.Errorf("got an answer of %d bytes, want the %d of upstream", len(body), len(upstream.answer))
			}
			// The answer may be here before its record is written.
			for scrapes := 0; p.series(series) == before; scrapes++ {
				if scrapes == 500 {
					t.Fatalf("got %s still at %s, want the call in it", series, before)
				}
			}
		})
	}
}

// series returns the value of a series as it is printed, "" where there is none.
func (p *process) series(name string) string {
	p.t.Helper()
	_, body := p.get(p.admin + "/metrics")
	for line := range strings.Lines(body) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
