package normalize

import (
	"net/http"
	"strings"
	"testing"
)

func BenchmarkClassify(b *testing.B) {
	for name, body := range map[string]string{
		"v4": `{"errors":[{"message":"AiError: AiError: Capacity temporarily exceeded, please try again. (` + fakeID +
			`)","code":3040}],"success":false,"result":{},"messages":[]}`,
		"text": "InferenceUpstreamError: an internal server error occured",
		"page": "<html><head><title>example.com | 502: Bad gateway</title></head>" +
			strings.Repeat("<p>words</p>", 400) + "</html>",
		"long": "AiError: Bad input: " + strings.Repeat("word ", 10000),
	} {
		b.Run(name, func(b *testing.B) {
			h, data := http.Header{"Content-Type": {"application/json"}}, []byte(body)
			b.ReportAllocs()
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				if f := Classify(429, h, data); f == nil {
					b.Fatalf("Classify() = %v, want a failure", f)
				}
			}
		})
	}
}

func BenchmarkClassifyEvent(b *testing.B) {
	for _, name := range []string{"native", "OpenAI", "OpenAI with the words", "done"} {
		b.Run(name, func(b *testing.B) {
			event := []byte(chunks[name])
			b.ReportAllocs()
			b.SetBytes(int64(len(event)))
			for b.Loop() {
				if f := ClassifyEvent(event); f != nil {
					b.Fatalf("ClassifyEvent() of an ordinary event = %v, want none", f)
				}
			}
		})
	}
}

func BenchmarkIsFailure(b *testing.B) {
	for name, n := range map[string]int{"1 KiB": 1 << 10, "64 KiB": MaxErrorBody} {
		b.Run(name, func(b *testing.B) {
			body := []byte(`{"result":{"response":"` + strings.Repeat(`some \"words\" `, n/15) +
				`"},"success":true,"errors":[],"messages":[]}`)
			b.ReportAllocs()
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				if IsFailure(body) {
					b.Fatal("IsFailure() of an ordinary answer = true, want false")
				}
			}
		})
	}
}

func BenchmarkAppend(b *testing.B) {
	body := `{"errors":[{"message":"AiError: Capacity temporarily exceeded (` + fakeID + `)","code":3040}]}`
	f := Classify(429, nil, []byte(body))
	buf := make([]byte, 0, 4096)
	b.ReportAllocs()
	for b.Loop() {
		buf = f.Append(buf[:0])
	}
}

// BenchmarkClassifyHostile shows that no body is dear to read out of proportion.
func BenchmarkClassifyHostile(b *testing.B) {
	for name, body := range hostile() {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				_ = Classify(500, nil, []byte(body))
			}
		})
	}
}
