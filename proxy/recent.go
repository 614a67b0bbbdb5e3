package proxy

import (
	"sync"
	"time"
)

// keptFailures is how many failures are kept for the status page.
const keptFailures = 50

// A FailureRecord is one failed call as the status page tells it: who, what and
// whose fault, and nothing of what was said.
type FailureRecord struct {
	Time      time.Time `json:"time"`
	RequestID string    `json:"request_id"`
	Client    string    `json:"client"`
	Route     string    `json:"route"`
	Model     string    `json:"model"`
	Status    int       `json:"status"`
	Name      string    `json:"name"`
	Number    int       `json:"number"`
	Origin    string    `json:"origin"`
	Fault     string    `json:"fault"`
}

// recentFailures is a ring of the last failures.
type recentFailures struct {
	mu   sync.Mutex
	ring [keptFailures]FailureRecord
	n    int // ever
}

func (f *recentFailures) add(r FailureRecord) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ring[f.n%keptFailures] = r
	f.n++
}

// RecentFailures returns the last failures, at most 50, the newest first.
func (p *Proxy) RecentFailures() []FailureRecord {
	f := &p.recent
	f.mu.Lock()
	defer f.mu.Unlock()
	out := make([]FailureRecord, 0, min(f.n, keptFailures))
	for i := f.n - 1; i >= 0 && i >= f.n-keptFailures; i-- {
		out = append(out, f.ring[i%keptFailures])
	}
	return out
}

// noteFailure keeps the failure of a call that has ended.
func (p *Proxy) noteFailure(c *call) {
	f := c.failure
	p.recent.add(FailureRecord{
		Time: c.began.UTC(), RequestID: c.requestID, Client: c.client, Route: c.routeName(), Model: c.modelText,
		Status: c.writer.status, Name: f.Code.String(), Number: f.Number, Origin: string(f.Origin), Fault: string(f.Fault),
	})
}
