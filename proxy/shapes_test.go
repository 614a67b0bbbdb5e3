package proxy

import (
	"fmt"
	"io"
	"net/http"
	"testing"

	"github.com/neuronward/neuronward/proxy/meter"
	"github.com/neuronward/neuronward/proxy/workersai"
	"github.com/neuronward/neuronward/proxy/workersai/simtest"
	"github.com/neuronward/neuronward/quota"
)

// Whatever the form of an answer and however its bytes come, a call is counted as
// it was billed: to the millionth where the body says it, else not below, and with
// cf-ai-neurons no more than a hundredth above.
func TestEveryShapeIsCounted(t *testing.T) {
	for _, size := range []int{1, 7, 4096} {
		for _, header := range []bool{true, false} {
			t.Run(fmt.Sprintf("%d bytes at once, header %v", size, header), func(t *testing.T) {
				virtually(t, func(t *testing.T) {
					g := newGuarded(t, quota.Options{Limit: 1_000_000 * neuron}, workersai.Options{}, func(c *Config) {
						c.Transport = splitting{next: c.Transport, size: size, header: header}
					})
					defer g.close()
					for _, c := range simtest.Shapes() {
						usedBefore, billedBefore := g.ledger.Snapshot().Account.Used, g.sim.Billed()
						w := g.post("/ai/"+c.Path, c.Body)
						if c.Name == "a batch" { // its cost is known when it is done
							id, _ := batchOf(w.Body.String())
							for range 2 {
								w = g.post("/ai/"+c.Path, `{"request_id":"`+id+`"}`)
							}
						}
						used, billed := g.ledger.Snapshot().Account.Used-usedBefore, g.sim.Billed()-billedBefore
						exact := c.ReportsUsage || c.ReportsQuantity && !header || c.Name == "a batch"
						told := header && w.Header().Get("X-Neuronward-Neurons") > "0.00"
						wantEqual(t, c.Name+": status", w.Code, http.StatusOK)
						if billed == 0 || used < billed {
							t.Errorf("%s: got billed %d, used %d; want billed other than 0, used at least that", c.Name,
								int64(billed), int64(used))
						}
						if exact {
							wantEqual(t, c.Name+": used", used, billed)
						}
						if told && used > billed+neuron/100 {
							t.Errorf("%s: got used %d, want at most %d", c.Name, int64(used), int64(billed+neuron/100))
						}
					}
				})
			})
		}
	}
}

// splitting is a transport whose answers come in pieces, with cf-ai-neurons or
// without.
type splitting struct {
	next   http.RoundTripper
	size   int
	header bool
}

func (s splitting) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := s.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if !s.header {
		res.Header.Del("Cf-Ai-Neurons")
	}
	res.Body = smallReads{res.Body, s.size}
	return res, nil
}

// smallReads is a body that gives at most size bytes at once.
type smallReads struct {
	io.ReadCloser
	size int
}

func (p smallReads) Read(b []byte) (int, error) { return p.ReadCloser.Read(b[:min(len(b), p.size)]) }

// batchOf returns what an answer says of a batch.
func batchOf(answer string) (requestID, status string) {
	m := meter.New()
	m.Write([]byte(answer))
	r := m.Report()
	return r.BatchID, r.BatchStatus
}
