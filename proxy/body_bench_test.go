package proxy

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/memstore"
	"github.com/neuronward/neuronward/quota/price"
)

// BenchmarkBody measures what the proxy itself does with a call by the size and the kind of its body, without a
// network.
func BenchmarkBody(b *testing.B) {
	const head, tail = `{"model":"` + testModel + `","max_tokens":9,"messages":[{"role":"user","content":`, `}]}`
	ledger, err := quota.New(b.Context(), quota.Options{Store: memstore.New(nil), Limit: 1e9 * neuron})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = ledger.Close(context.Background()) }) // all is settled
	c := testConfig(io.Discard)
	c.Log = slog.New(slog.NewJSONHandler(io.Discard, nil))
	c.MaxBody, c.MaxHeld = 32<<20, 256<<20
	c.Ledger, c.Estimator = ledger, price.NewEstimator(nil, price.Bound)
	c.Transport = answers{http.Header{"Content-Type": {"application/json"}}, chatAnswer}
	p, err := New(c)
	if err != nil {
		b.Fatal(err)
	}
	for _, shape := range []struct{ name, body string }{
		{"chat", chat},
		{"text=100KB", head + `"` + strings.Repeat("All work and no play. ", 100_000/22) + `"` + tail},
		{"text=10MB", head + `"` + strings.Repeat("All work and no play. ", 10_000_000/22) + `"` + tail},
		{"chinese=10MB", head + `"` + strings.Repeat("千里之行始於足下", 10_000_000/24) + `"` + tail},
		{"code=10MB", head + `"` + strings.Repeat(`if s == \"\" {\n\treturn nil\n}\n`, 10_000_000/32) + `"` + tail},
		{"picture=10MB", head + `[{"type":"image_url","image_url":{"url":"data:image/png;base64,` +
			strings.Repeat("iVBORw0KGgo", 10_000_000/11) + `"}}]` + tail},
		{"numbers=10MB", `{"model":"` + testModel + `","image":[` + strings.Repeat("255,", 10_000_000/4) +
			`0],"messages":[]}`},
	} {
		b.Run(shape.name, func(b *testing.B) {
			b.SetBytes(int64(len(shape.body)))
			b.ReportAllocs()
			for b.Loop() {
				r := httptest.NewRequest("POST", "http://localhost/v1/chat/completions", strings.NewReader(shape.body))
				w := &answerOnly{ResponseWriter: &discard{header: http.Header{}}}
				if p.ServeHTTP(w, r); w.status != http.StatusOK {
					b.Fatalf("got %d %s, want 200", w.status, w.body)
				}
			}
		})
	}
}
