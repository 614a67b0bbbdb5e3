package workersai_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/neuronward/neuronward/proxy/workersai"
)

// Clients that count tokens themselves send them in place of texts.
func TestEmbeddingsOfTokens(t *testing.T) {
	var calls record
	s := start(t, workersai.Options{OnCall: calls.add})
	many := "[" + strings.TrimSuffix(strings.Repeat("4294967295,", 50), ",") + "]"
	for _, c := range []struct {
		input           string
		vectors, tokens int64
	}{
		{`[1, 2, 3]`, 1, 3}, {`[[1, 2], [3]]`, 2, 3}, {many, 1, 50},
	} {
		type list struct {
			Data []struct{ Embedding []float64 }
		}
		v := decode[list](t, s.post("/v1/embeddings", `{"model":"@cf/baai/bge-base-en-v1.5","input":`+c.input+`}`))
		if got := int64(len(v.Data)); got != c.vectors || len(v.Data[0].Embedding) != 768 {
			t.Errorf("%s: got %d vectors, want %d of 768 numbers", c.input, got, c.vectors)
		}
		if got := calls.last().Input; got != c.tokens {
			t.Errorf("%s: got %d input tokens, want %d", c.input, got, c.tokens)
		}
		if len(v.Data) == 2 && fmt.Sprint(v.Data[0]) == fmt.Sprint(v.Data[1]) {
			t.Errorf("%s: got the same vector twice, want two", c.input)
		}
	}
	for _, input := range []string{`[[]]`, `[[1],[]]`, `[-1]`, `[1.5]`, `[[1],"x"]`, `[]`, `{}`} {
		a := s.post("/v1/embeddings", `{"model":"@cf/baai/bge-base-en-v1.5","input":`+input+`}`)
		refused(t, a, 400, 5006, "input")
	}
}
