package proxy

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/memstore"
	"github.com/neuronward/neuronward/quota/price"
)

// What stands in front of a JSON body switches the inspection off in no way: not a byte order mark, nor any
// amount of space. A model of text takes nothing but JSON.
func TestWhatStandsInFrontOfABody(t *testing.T) {
	const recording = "@cf/openai/whisper"
	for _, c := range []struct {
		name, path, prefix string
		status             int
	}{
		{"a byte order mark", "/run/" + testModel, "\xef\xbb\xbf", 200},
		{"space and a byte order mark", "/run/" + testModel, " \r\n\xef\xbb\xbf\t", 200},
		{"much space", "/run/" + testModel, strings.Repeat(" ", 100_000), 200},
		{"a mark and a model in the body", "/v1/chat/completions", "\xef\xbb\xbf", 200},
		{"UTF-16", "/run/" + testModel, "\xff\xfe", 400},
		{"another byte", "/run/" + testModel, "\x00", 400},
		{"a comment", "/run/" + testModel, "//\n", 400},
		{"what is a recording for another model", "/run/" + recording, "\x00", 200},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got string
			b := newBench(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				sent, err := io.ReadAll(r.Body)
				if err != nil {
					t.Error(err)
				}
				got = string(sent)
				answerJSON(200, chatAnswer)(w, r)
			}))
			sent := c.prefix + `{"model":"` + testModel + `","prompt":"hi","max_tokens":7,"stream":false}`
			res, body := b.do("POST", c.path, sent, "Content-Type", "application/octet-stream")
			if res.StatusCode != c.status {
				t.Fatalf("got %d %s, want %d", res.StatusCode, body, c.status)
			}
			if c.status != 200 {
				if e := b.envelope(body); e.Error.Name != "incomplete_request" || got != "" {
					t.Errorf("got %s and %q upstream, want incomplete_request and nothing", e.Error.Name, got)
				}
				return
			}
			if got != sent {
				t.Errorf("got %d bytes %.60q upstream, want the %d bytes %.60q as they came", len(got), got, len(sent),
					sent)
			}
		})
	}
}

// One client's batch is not another's, whatever else the body says and whether neurons are counted or not.
func TestABatchIsItsClients(t *testing.T) {
	const accepted = `{"result":{"request_id":"r-1","status":"queued"},"success":true,"errors":[],"messages":[]}`
	for name, mode := range map[string]func(*Config){
		"counted": withLedger(t), "not counted": func(*Config) {},
	} {
		t.Run(name, func(t *testing.T) {
			calls := 0
			b := newBench(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				calls++
				answerJSON(200, accepted)(w, r)
			}), withClients(t, "a", "b"), mode)
			const batch = "/run/" + testModel + "?queueRequest=true"
			if res, body := b.do("POST", batch, `{"requests":[{"prompt":"hi"}]}`, "x-api-key",
				keyOf("a")); res.StatusCode != 200 {
				t.Fatalf("submitting: got %d %s, want 200", res.StatusCode, body)
			}
			for _, c := range []struct {
				path, body string
				status     int
				name       string
			}{
				{batch, `{"request_id":"r-1"}`, 403, "client_forbidden"},
				{"/run/" + testModel, `{"request_id":"r-1"}`, 403, "client_forbidden"},
				{batch, `{"request_id":"r-1","prompt":"hi"}`, 403, "client_forbidden"},
				{batch, `{"requests":[{"prompt":"hi"}],"request_id":"r-1"}`, 403, "client_forbidden"},
				{batch, "\xef\xbb\xbf" + ` {"request\u005fid":"r-1"}`, 403, "client_forbidden"},
				{batch, `{"request_id":"other","request_id":"r-1"}`, 400, "bad_input"},
				{batch + "&queueRequest=false", `{"request_id":"r-2"}`, 400, "bad_input"},
				{batch, `{"requests":{"prompt":"hi"}}`, 400, "bad_input"},
				{batch, `{"requests":["hi"]}`, 400, "bad_input"},
			} {
				before := calls
				res, body := b.do("POST", c.path, c.body, "x-api-key", keyOf("b"))
				wantEqual(t, c.body+": status", res.StatusCode, c.status)
				wantEqual(t, c.body+": name", b.envelope(body).Error.Name, c.name)
				wantEqual(t, c.body+": calls upstream", calls-before, 0)
			}
			if res, body := b.do("POST", batch, `{"request_id":"r-1"}`, "x-api-key",
				keyOf("a")); res.StatusCode != 200 {
				t.Errorf("its own client: got %d %s, want 200", res.StatusCode, body)
			}
		})
	}
}

func withLedger(t *testing.T) func(*Config) {
	ledger, err := quota.New(t.Context(), quota.Options{Store: memstore.New(nil), Limit: 100_000 * neuron})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := ledger.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return func(c *Config) { c.Ledger, c.Estimator = ledger, price.NewEstimator(nil, price.Bound) }
}
