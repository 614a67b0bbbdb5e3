package proxy

import (
	"sync"
	"time"
)

// maxRecent is how many failures are kept for the status page.
const maxRecent = 50

// A FailureRecord is one failed call as the status page shows it: who, what and whose fault, and nothing of what was
// said.
type FailureRecord struct {
	Time      time.Time `json:"time"`
	RequestID string    `json:"request_id"`
	Client    string    `json:"client"`
	Route     string    `json:"route"`
	Method    string    `json:"method,omitempty"` // with Path, of a call that no route takes
	Path      string    `json:"path,omitempty"`   // at most 200 bytes, without secrets
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
	ring [maxRecent]FailureRecord
	n    int // ever
}

// add keeps the failure of a call that has ended.
func (r *recentFailures) add(c *call) {
	f := c.failure
	record := FailureRecord{
		Time: c.began.UTC(), RequestID: c.requestID, Client: c.client, Route: c.routeName(), Model: c.modelText,
		Status: c.writer.status, Name: f.Code.String(), Number: f.Number,
		Origin: string(f.Origin), Fault: string(f.Fault),
	}
	if c.Route == nil {
		record.Method, record.Path = clip(c.inbound.Method, 32), c.pathText()
	}
	r.addRecord(record)
}

func (r *recentFailures) addRecord(record FailureRecord) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ring[r.n%maxRecent] = record
	r.n++
}

// list returns the last failures, the newest first.
func (r *recentFailures) list() []FailureRecord {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make([]FailureRecord, 0, min(r.n, maxRecent))
	for i := r.n - 1; i >= 0 && i >= r.n-maxRecent; i-- {
		out = append(out, r.ring[i%maxRecent])
	}
	return out
}
