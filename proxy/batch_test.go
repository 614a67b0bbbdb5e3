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
		if r := g.ledger.Snapshot().Records; len(r) != 1 || r[0].Estimated <= cost || r[0].Calls != 1 {
			t.Fatalf("submitted: %+v", r)
		}
		for range 2 {
			if w := g.post(path+"?queueRequest=true", `{"request_id":"8f0c"}`); w.Code != http.StatusOK {
				t.Fatalf("%d %s", w.Code, w.Body)
			}
			s := g.ledger.Snapshot()
			if r := s.Records[0]; len(s.Records) != 1 || r.Estimated != 0 || r.Priced != 0 || r.Reported != cost ||
				s.Account.Used != cost {
				t.Errorf("polled: used %v, %+v", s.Account.Used, s.Records)
			}
		}
		g.close()
	})
}
