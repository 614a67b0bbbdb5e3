package proxy

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/neuronward/neuronward/proxy/modelname"
	"github.com/neuronward/neuronward/proxy/workersai"
	"github.com/neuronward/neuronward/quota"
)

// Each public report that says what a call cost is counted so.
func TestPublicCasesAreCounted(t *testing.T) {
	file, err := os.Open("../normalize/testdata/cases.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	n := 0
	for lines := bufio.NewScanner(file); lines.Scan(); {
		var c struct {
			ID      string
			Request struct {
				Method, Path string
				Headers      map[string]string
				Body         json.RawMessage
			}
			Status  int
			Headers map[string]string
			Body    string
			SSE     []string
			Expect  struct{ Neurons any }
		}
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			t.Fatal(err)
		}
		least, most, ok := between(c.Expect.Neurons)
		if !ok || c.Request.Body[0] != '{' {
			continue
		}
		n++
		t.Run(c.ID, func(t *testing.T) {
			virtually(t, func(t *testing.T) {
				g := newGuarded(t, quota.Options{Limit: 10_000 * neuron}, workersai.Options{}, func(conf *Config) {
					conf.AllowedModels = modelname.List{"*"}
					conf.Transport = inMemory{http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
						for k, v := range c.Headers {
							w.Header().Set(k, v)
						}
						w.WriteHeader(c.Status)
						_, _ = io.WriteString(w, c.Body+strings.Join(c.SSE, ""))
					})}
				})
				headers := []string{}
				for k, v := range c.Request.Headers {
					headers = append(headers, k, v)
				}
				g.post(c.Request.Path, string(c.Request.Body), headers...)
				if used := g.close().Account.Used.Float(); used < least || used > most {
					t.Errorf("got %v neurons used, want %v to %v\n%s", used, least, most, g.log)
				}
			})
		})
	}
	if n < 30 {
		t.Errorf("got %d cases, want at least 30", n)
	}
}

// between reads what a case expects: a number, which cf-ai-neurons may round by half a hundredth, or two.
func between(neurons any) (least, most float64, ok bool) {
	const rounded = 0.0051
	switch v := neurons.(type) {
	case float64:
		if v == 0 {
			return 0, 0, true
		}
		return v - rounded, v + rounded, true
	case []any:
		return v[0].(float64), v[1].(float64), true
	}
	return 0, 0, false
}
