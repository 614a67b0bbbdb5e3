package proxy

import (
	"context"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/memstore"
	"github.com/neuronward/neuronward/quota/price"
)

// guardModes are the modes of the guard, each as a change of a Config.
var guardModes = map[string]func(t *testing.T) func(*Config){
	"enforce": func(t *testing.T) func(*Config) { return withLedgerIn(t, quota.Enforce) },
	"observe": func(t *testing.T) func(*Config) { return withLedgerIn(t, quota.Observe) },
	"off":     func(*testing.T) func(*Config) { return func(*Config) {} },
}

func withLedgerIn(t *testing.T, mode quota.Mode) func(*Config) {
	ledger, err := quota.New(t.Context(), quota.Options{Store: memstore.New(nil), Limit: 100_000 * neuron, Mode: mode})
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

// A batchForm is a call that names the batch "r-1" in some way.
type batchForm struct {
	name, path, body string
	gateway          bool // upstream is an AI Gateway
	malformed        bool // it is refused whoever sends it
}

const batchPath = "/run/" + testModel + "?queueRequest=true"

var batchForms = []batchForm{
	{name: "a poll", path: batchPath, body: `{"request_id":"r-1"}`},
	{name: "without the query", path: "/run/" + testModel, body: `{"request_id":"r-1"}`},
	{name: "beside a prompt", path: batchPath, body: `{"request_id":"r-1","prompt":"hi"}`},
	{name: "behind a batch", path: batchPath, body: `{"requests":[{"prompt":"hi"}],"request_id":"r-1"}`},
	{name: "behind a byte order mark", path: batchPath, body: "\ufeff" + `{"request_id":"r-1"}`},
	{name: "behind space", path: batchPath, body: " \r\n\t" + `{"request_id":"r-1"}`},
	{name: "the name escaped", path: batchPath, body: `{"request\u005fid":"r-1"}`},
	{name: "the id escaped", path: batchPath, body: `{"request_id":"\u0072-\u0031"}`},
	{name: "in the input of a model in the path", path: batchPath, body: `{"input":{"request_id":"r-1"}}`},
	{
		name: "in the input", path: "/run?queueRequest=true",
		body: `{"model":"` + testModel + `","input":{"request_id":"r-1"}}`,
	},
	{
		name: "beside the input", path: "/run?queueRequest=true",
		body: `{"model":"` + testModel + `","request_id":"r-1","input":{"prompt":"hi"}}`,
	},
	{name: "the query in capitals", path: "/run/" + testModel + "?QUEUEREQUEST=1", body: `{"request_id":"r-1"}`},
	{
		name: "the API's path", path: "/client/v4/accounts/" + testAccount + "/ai" + batchPath,
		body: `{"request_id":"r-1"}`,
	},
	{name: "a slash at the end", path: "/run/" + testModel + "/?queueRequest=true", body: `{"request_id":"r-1"}`},
	{name: "a slash that is escaped", path: "/run/@cf%2F" + testModel[4:], body: `{"request_id":"r-1"}`},
	{name: "through a gateway", path: batchPath, body: `{"request_id":"r-1"}`, gateway: true},
	{
		name: "through a gateway, in the input", path: "/run?queueRequest=true", gateway: true,
		body: `{"model":"` + testModel + `","input":{"request_id":"r-1"}}`,
	},
	{
		name: "through a gateway, beside the input", path: "/run?queueRequest=true", gateway: true,
		body: `{"model":"` + testModel + `","request_id":"r-1","input":{"prompt":"hi"}}`,
	},

	{name: "twice", path: batchPath, body: `{"request_id":"other","request_id":"r-1"}`, malformed: true},
	{
		name: "twice, once escaped", path: batchPath, body: `{"request_id":"r-1","request\u005fid":"r-1"}`,
		malformed: true,
	},
	{
		name: "in and beside the input", path: "/run?queueRequest=true", malformed: true,
		body: `{"model":"` + testModel + `","request_id":"other","input":{"request_id":"r-1"}}`,
	},
	{
		name: "through a gateway, in and beside the input", path: "/run?queueRequest=true", gateway: true,
		body: `{"model":"` + testModel + `","request_id":"other","input":{"request_id":"r-1"}}`, malformed: true,
	},
	{name: "two inputs", path: batchPath, body: `{"input":{},"input":{"request_id":"r-1"}}`, malformed: true},
	{name: "a number", path: batchPath, body: `{"request_id":1}`, malformed: true},
	{name: "a list", path: batchPath, body: `{"request_id":["r-1"]}`, malformed: true},
	{name: "the query twice", path: batchPath + "&queueRequest=false", body: `{"request_id":"r-2"}`, malformed: true},
	{name: "the query twice, once in capitals", path: batchPath + "&QueueRequest=false", body: `{}`, malformed: true},
	{name: "requests that are an object", path: batchPath, body: `{"requests":{"prompt":"hi"}}`, malformed: true},
	{name: "requests that are texts", path: batchPath, body: `{"requests":["hi"]}`, malformed: true},
}

// One client's batch is not another's, however the body or the path says it, and in every mode of the guard. What
// could be read in two ways is refused, whoever sends it.
func TestABatchIsItsClients(t *testing.T) {
	const accepted = `{"result":{"request_id":"r-1","status":"queued"},"success":true,"errors":[],"messages":[]}`
	for mode, guarded := range guardModes {
		for _, gateway := range []bool{false, true} {
			for _, withFile := range []bool{true, false} {
				var calls atomic.Int64
				upstream := func(w http.ResponseWriter, r *http.Request) {
					calls.Add(1)
					answerJSON(200, accepted)(w, r)
				}
				changes := []func(*Config){guarded(t)}
				if withFile {
					changes = append(changes, withClients(t, "a", "b"))
				}
				b := behindUpstream(t, gateway, upstream, changes...)
				if res, body := b.do("POST", batchPath, `{"requests":[{"prompt":"hi"}]}`, "x-api-key",
					keyOf("a")); res.StatusCode != 200 {
					t.Fatalf("%s: submitting: got %d %s, want 200", mode, res.StatusCode, body)
				}
				for _, form := range batchForms {
					if form.gateway != gateway {
						continue
					}
					for _, client := range []string{"b", "a"} {
						status, refused := 200, ""
						switch {
						case form.malformed:
							status, refused = 400, "bad_input"
						case withFile && client == "b":
							status, refused = 403, "client_forbidden"
						}
						before := calls.Load()
						res, body := b.do("POST", form.path, form.body, "x-api-key", keyOf(client))
						what := mode + ", " + form.name + ", by " + client
						if res.StatusCode != status {
							t.Errorf("%s: got %d %s, want %d", what, res.StatusCode, body, status)
							continue
						}
						made := calls.Load() - before
						if status == 200 && made != 1 || status != 200 && made != 0 {
							t.Errorf("%s: got %d calls upstream beside the status %d, want 1 only beside 200", what,
								made, status)
						}
						if status != 200 && b.envelope(body).Error.Name != refused {
							t.Errorf("%s: got %s, want %s", what, body, refused)
						}
					}
				}
			}
		}
	}
}

func behindUpstream(t *testing.T, gateway bool, upstream http.HandlerFunc, changes ...func(*Config)) *bench {
	if gateway {
		return behindGateway(t, upstream, upstream, changes...)
	}
	return newBench(t, upstream, changes...)
}

// A batch is the client's who submitted it, whatever says that it is one.
func TestABatchIsItsSubmitters(t *testing.T) {
	const accepted = `{"result":{"request_id":"r-1","status":"queued"},"success":true,"errors":[],"messages":[]}`
	const requests = `{"requests":[{"prompt":"hi"}]}`
	for mode, guarded := range guardModes {
		for _, c := range []struct{ name, path, body string }{
			{"the query", batchPath, requests},
			{"the query otherwise", "/run/" + testModel + "?QueueRequest=1", requests},
			{"the requests alone", "/run/" + testModel, requests},
			{"a field of the body", "/run/" + testModel, `{"queueRequest":true,` + requests[1:]},
			{"the input", "/run", `{"model":"` + testModel + `","input":` + requests + `}`},
		} {
			b := newBench(t, answerJSON(200, accepted), guarded(t), withClients(t, "a", "b"))
			if res, body := b.do("POST", c.path, c.body, "x-api-key", keyOf("a")); res.StatusCode != 200 {
				t.Errorf("%s, %s: submitting: got %d %s, want 200", mode, c.name, res.StatusCode, body)
			}
			res, body := b.do("POST", batchPath, `{"request_id":"r-1"}`, "x-api-key", keyOf("b"))
			if res.StatusCode != 403 {
				t.Errorf("%s, %s: another client's poll: got %d %s, want 403", mode, c.name, res.StatusCode, body)
			}
		}
	}
}

// Who asks after a batch does not become its client: only who submits it does.
func TestAPollTakesNoBatch(t *testing.T) {
	const running = `{"result":{"request_id":"r-1","status":"queued"},"success":true,"errors":[],"messages":[]}`
	for mode, guarded := range guardModes {
		for _, body := range []string{
			`{"request_id":"r-1"}`, `{"request_id":"r-1","prompt":"hi"}`, `{"input":{"request_id":"r-1"}}`,
		} {
			b := newBench(t, answerJSON(200, running), guarded(t), withClients(t, "a", "b"))
			for _, client := range []string{"b", "a"} {
				res, answer := b.do("POST", batchPath, body, "x-api-key", keyOf(client))
				if res.StatusCode != 200 {
					t.Errorf("%s, %s by %s: got %d %s, want 200: nobody is known to have submitted it", mode, body,
						client, res.StatusCode, answer)
				}
			}
		}
	}
}
