// Package recent keeps the last failed calls, for the status page. It imports no other package of this module. Its
// mutex is a leaf: nothing is called under it. Begin with Failures.
package recent

import (
	"sync"
	"time"
)

// Max is how many failures are kept.
const Max = 50

// A Failure is one failed call as the status page shows it: who failed it, how and whose fault it is, and nothing of
// what was asked or answered.
type Failure struct {
	Time      time.Time `json:"time"`
	RequestID string    `json:"request_id"`
	Ray       string    `json:"cf_ray,omitempty"` // Cloudflare's name for the call, where it has answered
	Client    string    `json:"client"`
	Route     string    `json:"route"`
	Method    string    `json:"method,omitempty"` // with Path; of a request that was not valid HTTP neither is known
	Path      string    `json:"path,omitempty"`   // at most 200 bytes, without secrets
	Model     string    `json:"model"`
	Status    int       `json:"status"`
	Name      string    `json:"name"`
	Number    int       `json:"number"`
	Origin    string    `json:"origin"`
	Fault     string    `json:"fault"`
	Message   string    `json:"message"` // what the caller was told, without secrets
}

// Failures are the last failed calls. The zero value holds none.
type Failures struct {
	mu   sync.Mutex
	ring [Max]Failure
	n    int // ever
}

// Add keeps f, in place of the oldest failure where there are Max already.
func (fs *Failures) Add(f Failure) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	fs.ring[fs.n%Max] = f
	fs.n++
}

// List returns the last failures, the newest first.
func (fs *Failures) List() []Failure {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	out := make([]Failure, 0, min(fs.n, Max))
	for i := fs.n - 1; i >= 0 && i >= fs.n-Max; i-- {
		out = append(out, fs.ring[i%Max])
	}
	return out
}
