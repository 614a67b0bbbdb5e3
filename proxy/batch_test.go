package proxy

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/neuronward/neuronward/proxy/workersai"
	"github.com/neuronward/neuronward/quota"
)

// A batch is charged by its estimate until a poll tells what it cost: then that
// takes its place, once, in the day and in the records.
func TestABatchIsToldByWhatItCost(t *testing.T) {
	const cost = neuron / 4
	virtually(t, func(t *testing.T) {
		g := newGuarded(t, quota.Options{Limit: 10_000 * neuron}, workersai.Options{}, func(c *Config) {
			c.Transport = inMemory{http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				if strings.Contains(string(body), "request_id") {
					answerJSON(200, `{"result":{"responses":[{}],"usage":{"neurons":0.25}},"success":true}`)(w, r)
					return
				}
				answerJSON(200, `{"result":{"status":"queued","request_id":"8f0c","model":"m"},"success":true}`)(w, r)
			})}
		})
		path := "/run/" + testModel
		g.post(path+"?queueRequest=true", `{"requests":[{"prompt":"a"},{"prompt":"b"}]}`)
		r := g.ledger.Snapshot().Records
		if len(r) != 1 {
			t.Fatalf("submitted: got the records %+v, want one", r)
		}
		if r[0].Estimated <= cost {
			t.Fatalf("submitted: got the estimate %v, want it above %v", r[0].Estimated, cost)
		}
		wantEqual(t, "submitted: calls", r[0].Calls, 1)
		for range 2 {
			if w := g.post(path+"?queueRequest=true", `{"request_id":"8f0c"}`); w.Code != http.StatusOK {
				t.Fatalf("got %d %s, want 200", w.Code, w.Body)
			}
			s := g.ledger.Snapshot()
			r := s.Records[0]
			wantEqual(t, "polled: records", len(s.Records), 1)
			wantEqual(t, "polled: estimated", r.Estimated, 0)
			wantEqual(t, "polled: priced", r.Priced, 0)
			wantEqual(t, "polled: reported", r.Reported, cost)
			wantEqual(t, "polled: used", s.Account.Used, cost)
		}
		g.close()
	})
}
