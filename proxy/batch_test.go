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
			t.Fatalf("submitted: got %+v, want one record, of one call, with an estimate above %v", r,
				cost)
		}
		for range 2 {
			if w := g.post(path+"?queueRequest=true", `{"request_id":"8f0c"}`); w.Code != http.StatusOK {
				t.Fatalf("got %d %s, want 200", w.Code, w.Body)
			}
			s := g.ledger.Snapshot()
			if r := s.Records[0]; len(s.Records) != 1 || r.Estimated != 0 || r.Priced != 0 || r.Reported != cost ||
				s.Account.Used != cost {
				t.Errorf("polled: got used %v, records %+v, want used %v, one record: estimated 0, priced 0, "+
					"reported %v", s.Account.Used, s.Records, cost, cost)
			}
		}
		g.close()
	})
}
