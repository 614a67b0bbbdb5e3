package proxy

import (
	"bytes"
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/neuronward/neuronward/proxy/workersai"
	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/pace"
)

// What a picture or a batch would have cost is not made cheaper by asking for a
// stream that never comes.
func TestAskingForAStreamChangesNoCost(t *testing.T) {
	for _, c := range []struct{ path, with, without string }{
		{"/run/@cf/black-forest-labs/flux-1-schnell", `{"prompt":"a cat","stream":true}`, `{"prompt":"a cat"}`},
		{
			"/run/" + testModel + "?queueRequest=true", `{"stream":true,"requests":[{"prompt":"Hello"}]}`,
			`{"requests":[{"prompt":"Hello"}]}`,
		},
	} {
		var used []quota.Neurons
		for _, body := range []string{c.with, c.without} {
			virtually(t, func(t *testing.T) {
				g := newGuarded(t, quota.Options{Limit: 10_000 * neuron}, workersai.Options{})
				ctx, leave := context.WithTimeout(t.Context(), 3*time.Second)
				defer leave()
				g.postWith(ctx, c.path, body, "X-Simulate", "hang")
				synctest.Wait()
				used = append(used, g.close().Account.Used)
			})
		}
		if used[0] != used[1] || used[0] == 0 {
			t.Errorf("%s: got %v used with a stream, %v without, want the same and above 0", c.path, used[0], used[1])
		}
	}
}

// A client's requests per minute are all that it sends to Cloudflare.
func TestClientLimitIsForAllThatGoesUpstream(t *testing.T) {
	var reached atomic.Int64
	b := newBench(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		reached.Add(1)
		answerJSON(200, `{"success":true,"result":[],"errors":[],"messages":[]}`)(w, r)
	}), withClients(t, "one, requests_per_minute: 2", "two"), func(c *Config) { c.Pace = pace.New(pace.Table{}) })
	for _, c := range []struct{ method, path, body string }{
		{"GET", "/ai/models/search", ""},
		{"GET", "/v1/models", ""},
		{"POST", "/run/" + testModel + "?queueRequest=true", `{"request_id":"x"}`},
		{"POST", "/ai/tomarkdown", `{"files":[]}`},
		{"POST", "/run/" + testModel, `{"prompt":"x"}`},
	} {
		for range 20 {
			b.do(c.method, c.path, c.body, "X-Api-Key", keyOf("one"))
		}
	}
	if n := reached.Load(); n == 0 || n > 5 {
		t.Errorf("got %d of 100 calls upstream, want 1 to 5", n)
	}
	if res, body := b.do("GET", "/ai/models/search", "", "X-Api-Key", keyOf("two")); res.StatusCode != 200 {
		t.Errorf("another client: got %d %s, want 200", res.StatusCode, body)
	}
}

// What tomarkdown costs is told nowhere: a client with a budget may not call it.
func TestNoConversionWithABudget(t *testing.T) {
	b := newBench(t, answerJSON(200, `{"success":true,"result":[]}`), withClients(t, "one, daily_neurons: 5", "two"))
	if res, _ := b.do("POST", "/ai/tomarkdown", `{"files":[]}`, "X-Api-Key", keyOf("one")); res.StatusCode != 403 {
		t.Errorf("with a budget: got %d, want 403", res.StatusCode)
	}
	if res, _ := b.do("POST", "/ai/tomarkdown", `{"files":[]}`, "X-Api-Key", keyOf("two")); res.StatusCode != 200 {
		t.Errorf("without a budget: got %d, want 200", res.StatusCode)
	}
}

// However it is written, a key of ours in Authorization does not go to
// Cloudflare.
func TestOddlyWrittenKeysStay(t *testing.T) {
	up := &asked{}
	b := newBench(t, up, withClients(t, "one"), withoutToken)
	key := keyOf("one")
	for _, value := range []string{
		"Token " + key, "Bearer Bearer " + key, "Bearer:" + key, "bearer," + key,
		"Bearer\u00a0" + key,
	} {
		if res, _ := b.do("POST", chatPath, chat, "X-Api-Key", key, "Authorization", value); res.StatusCode != 401 ||
			strings.Contains(up.text(), key) {
			t.Errorf("%q: got %d, the key upstream %v, want 401, false", value, res.StatusCode,
				strings.Contains(up.text(), key))
		}
	}
}

// A limit below the size of a buffer is one all the same, and gives back what it
// took.
func TestSmallMaxBody(t *testing.T) {
	b := newBench(t, &asked{}, func(c *Config) { c.MaxBody = 1 << 10 })
	large := []byte(`{"model":"` + testModel + `","prompt":"` + strings.Repeat("x", 64<<10) + `"}`)
	for range 5 {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, b.url+chatPath,
			struct{ *bytes.Reader }{bytes.NewReader(large)})
		if err != nil {
			t.Fatal(err)
		}
		res, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		if res.Body.Close(); res.StatusCode != http.StatusRequestEntityTooLarge {
			t.Errorf("got %d, want 413", res.StatusCode)
		}
	}
	b.ended()
	if taken := b.proxy.bodies.room.Status().Taken; taken != 0 {
		t.Errorf("got %d bytes still taken, want 0", taken)
	}
}
