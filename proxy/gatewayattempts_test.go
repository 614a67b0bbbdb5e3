package proxy

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/neuronward/neuronward/proxy/workersai"
	"github.com/neuronward/neuronward/quota"
)

// AI Gateway makes a call as often as its caller asks for, and each attempt is billed: the reservation has all of them.
// An answer that says what it cost is settled by that.
func TestAttemptsByAIGateway(t *testing.T) {
	const (
		reports = `{"result":{"response":"x","usage":{"neurons":0.25}},"success":true}`
		silent  = `{"result":{"response":"x"},"success":true}`
	)
	for _, c := range []struct {
		name   string
		values []string
		entry  string // "": there is no clients file
		times  quota.Neurons
	}{
		{"none", nil, "", 1},
		{"one", []string{"1"}, "", 1},
		{"three", []string{"3"}, "", 3},
		{"five", []string{"5"}, "", 5},
		{"more than AI Gateway takes", []string{"1000000000"}, "", 5},
		{"more than a number has", []string{"99999999999999999999"}, "", 5},
		{"zero", []string{"0"}, "", 5},
		{"negative", []string{"-1"}, "", 5},
		{"text", []string{"many"}, "", 5},
		{"empty", []string{""}, "", 5},
		{"twice", []string{"1", "1"}, "", 5},
		{"twice, both large", []string{"1000", "2000"}, "", 5},
		{"of a client, whose header stays here", []string{"3"}, "a,", 1},
		{"of a client that may send it", []string{"3"}, "a, gateway_headers: [cf-aig-max-attempts]", 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var sent []string
			answer, reserved := reports, quota.Neurons(0)
			var g *guarded
			g = newGuarded(t, quota.Options{Limit: 100_000 * neuron}, workersai.Options{}, func(config *Config) {
				config.Transport = inMemory{http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					sent, reserved = r.Header["Cf-Aig-Max-Attempts"], g.ledger.Snapshot().Account.Reserved
					answerJSON(200, answer)(w, r)
				})}
				if c.entry != "" {
					withClients(t, c.entry)(config)
				}
			})
			call := func() quota.Neurons {
				before := g.ledger.Snapshot().Account.Used
				r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "http://localhost/run/"+testModel,
					strings.NewReader(`{"prompt":"x","max_tokens":1000}`))
				if c.values != nil {
					r.Header["Cf-Aig-Max-Attempts"] = c.values
				}
				if c.entry != "" {
					r.Header.Set("Authorization", "Bearer "+keyOf("a"))
				}
				w := httptest.NewRecorder()
				g.proxy.ServeHTTP(w, r)
				wantEqual(t, "status", w.Code, http.StatusOK)
				return g.ledger.Snapshot().Account.Used - before
			}
			wantEqual(t, "settled as reported", call(), neuron/4)
			one := reserved / c.times
			if reserved%c.times != 0 || one < neuron {
				t.Errorf("got %v reserved, want %d times what a call may cost", reserved, c.times)
			}
			if forwarded := len(sent) > 0; forwarded && c.times == 1 && c.values[0] != "1" {
				t.Errorf("got %q sent, want no header that is not reserved for", sent)
			}
			answer = silent
			cost := call()
			wantEqual(t, "what a silent answer costs beyond one call", cost > one, c.times > 1)
			if c.times > 1 {
				wantEqual(t, "what a silent answer costs", cost, reserved)
			}
			g.close()
			wantEqual(t, "reserved for one attempt", one, reservedOnce(t))
		})
	}
}

// reservedOnce is what the call of TestAttemptsByAIGateway may cost, made once.
func reservedOnce(t *testing.T) (reserved quota.Neurons) {
	t.Helper()
	var g *guarded
	g = newGuarded(t, quota.Options{Limit: 100_000 * neuron}, workersai.Options{}, func(config *Config) {
		config.Transport = inMemory{http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			reserved = g.ledger.Snapshot().Account.Reserved
			answerJSON(200, `{"result":{"response":"x"},"success":true}`)(w, r)
		})}
	})
	g.post("/run/"+testModel, `{"prompt":"x","max_tokens":1000}`)
	g.close()
	return reserved
}
