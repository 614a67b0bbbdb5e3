package meter

import (
	"bytes"
	"iter"
	"math"
	"strings"
	"testing"

	"github.com/neuronward/neuronward/proxy/workersai"
	"github.com/neuronward/neuronward/proxy/workersai/simtest"
)

// pieces yields b in pieces of at most n bytes.
func pieces(b []byte, n int) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for len(b) > 0 {
			if !yield(b[:min(n, len(b))]) {
				return
			}
			b = b[min(n, len(b)):]
		}
	}
}

// Any split of the bytes gives the same report.
func FuzzMeter(f *testing.F) {
	for _, seed := range []string{
		`{"result":{"response":"h\"i\u00e9","usage":{"prompt_tokens":12,"completion_tokens":3,` +
			`"prompt_tokens_details":{"cached_tokens":4},"neurons":0.25}},"success":true}`,
		`{"us\u0061ge":{"neurons":1e-3},"result":{"image":"abc","responses":[1],"request_id":"8","status":"queued"}}`,
		`{"a":[[{"b":[]}]],"usage":{"neurons":-1,"total_tokens":4`,
		events(`{"response":"tok","p":"a"}`, `{"response":"","usage":{"prompt_tokens":5,"neurons":0.5}}`, `[DONE]`),
		"event: x\r\n" + `data: {"choices":[{"delta":{"content":"a"}}],"usage":{"prompt_tokens":5}}` +
			"\r\n\r\n: c\n\n" + events(`{"choices":[],"usage":{"prompt_tokens":5}}`),
		events(
			`{"type":"message_start","message":{"usage":{"input_tokens":1}}}`,
			`{"type":"message_delta","usage":{"output_tokens":1}}`,
		),
		`]]]]`, `,`, `{"usage":}`, `1 2`, `"usage"`, events(`1,`, `]`),
	} {
		f.Add([]byte(seed), uint8(3))
	}
	sim := workersai.New(workersai.Options{})
	for _, c := range simtest.Shapes() {
		if body := simtest.Call(f, sim, c.Path, c.Body).Body.Bytes(); len(body) < 64<<10 {
			f.Add(body, uint8(7))
		}
	}
	f.Fuzz(func(t *testing.T, b []byte, n uint8) {
		size := max(int(n), 1)
		whole, parts := New(), New()
		whole.Write(b)
		for p := range pieces(b, size) {
			parts.Write(p)
		}
		wantSound(t, "an answer", whole, parts)
		all, split := newPieceMeter(), newPieceMeter()
		all.write(b)
		for p := range pieces(b, size) {
			split.write(bytes.Clone(p))
		}
		all.EndEvent()
		split.EndEvent()
		wantSound(t, "a stream", all.Meter, split.Meter)
	})
}

// wantSound checks that two Meters report the same, and that no figure is negative, infinite or no number.
func wantSound(t *testing.T, how string, whole, parts *Meter) {
	t.Helper()
	wantReport(t, how+" in pieces", parts, whole.Report())
	u := whole.Report().Usage
	for name, v := range map[string]float64{
		"neurons": u.Neurons, "seconds": u.AudioSeconds,
		"input": float64(u.Input), "output": float64(u.Output), "cached": float64(u.Cached),
	} {
		if v < 0 || v > math.MaxFloat64 {
			t.Errorf("%s: got %s %v, want a finite number from 0", how, name, v)
		}
		if math.IsNaN(v) {
			t.Errorf("%s: got %s %v, want a number", how, name, v)
		}
	}
}

func BenchmarkMeter(b *testing.B) {
	for name, data := range map[string]string{
		"native": `{"response":" token","p":"abdefghij"}`,
		"incremental": `{"id":"chatcmpl-0123456789abcdef01234567","object":"chat.completion.chunk",` +
			`"created":1763800000,"model":"@cf/qwen/qwen3-30b-a3b-fp8",` +
			`"choices":[{"index":0,"delta":{"content":" token"},"finish_reason":null}],` +
			`"usage":{"prompt_tokens":0,"completion_tokens":1,"total_tokens":1,` +
			`"prompt_tokens_details":{"cached_tokens":0},"neurons":0.030475},"p":"abdefghijklmn"}`,
	} {
		b.Run("1000 events "+name, func(b *testing.B) {
			data := []byte(data)
			b.ReportAllocs()
			for b.Loop() {
				m := New()
				for range 1000 {
					m.Data(data)
					m.EndEvent()
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/event")
		})
	}
	for name, body := range map[string]string{
		"completion": `{"result":{"response":"` + strings.Repeat("some words of an answer ", 40) +
			`","usage":{"prompt_tokens":12,"completion_tokens":3,"neurons":0.25}},"success":true}`,
		"embedding": `{"result":{"shape":[1,768],"data":[[` + strings.Repeat("-0.0123456789,", 767) +
			`0]],"usage":{"prompt_tokens":12,"neurons":0.25}},"success":true}`,
		"image": `{"result":{"image":"` + strings.Repeat("abcd", 250_000) + `"}}`,
	} {
		b.Run(name, func(b *testing.B) {
			p := []byte(body)
			b.SetBytes(int64(len(p)))
			b.ReportAllocs()
			for b.Loop() {
				New().Write(p)
			}
		})
	}
}
