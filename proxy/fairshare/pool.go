package fairshare

import (
	"sync"
	"time"
)

// shareOfFree is how many times the free amount a client may hold. One client that floods leaves a fifth free, two
// leave a ninth: others need not wait, and nothing is kept idle for clients that do not come. This is the rule of
// Choudhury and Hahne for shared memory switches, Dynamic Queue Length Thresholds, 1998.
const shareOfFree = 4

// A Pool is a fixed amount that is shared. Who gets nothing at once may wait: requests of one client in order of
// arrival, and of the clients the one that would hold the least is next. No request overtakes one of a client that
// would hold less: a large request does not starve, nor does it delay the small one of another client.
//
// A limited client may hold only its share; its only request may take whatever is free.
type Pool struct {
	size       int64
	maxWaiting int // 0: no limit
	maxWait    time.Duration
	drain      <-chan struct{}

	mu      sync.Mutex
	free    int64
	waiting int
	tenants map[string]*Tenant // clients that hold something or wait
	queue   []*Tenant          // those of them that wait
	unused  *Tenant            // for the next client, so that a client alone costs no memory each time
}

// A Tenant is one client of a Pool.
type Tenant struct {
	client  string
	limited bool
	held    int64
	queue   []*waiter // in order of arrival
}

// A Request is what a client asks a Pool for.
type Request struct {
	Client  string
	Limited bool  // the client may hold only its share
	Amount  int64 // not negative
	Held    int64 // what the client's same call holds already
}

// New returns a Pool of the given size. At most maxWaiting requests wait, 0 for no limit, each for at most maxWait, and
// none any longer once drain is closed; a nil drain never is.
func New(size int64, maxWaiting int, maxWait time.Duration, drain <-chan struct{}) *Pool {
	return &Pool{
		size: size, free: size, maxWaiting: maxWaiting, maxWait: maxWait, drain: drain,
		tenants: make(map[string]*Tenant),
	}
}

// Size returns the amount that the Pool shares.
func (p *Pool) Size() int64 { return p.size }

// MaxWait returns how long a request may wait.
func (p *Pool) MaxWait() time.Duration { return p.maxWait }

// TryAcquire takes r.Amount if it can be had at once, and returns nil if not.
func (p *Pool) TryAcquire(r Request) *Tenant {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.tenant(r)
	if len(t.queue) > 0 || !p.fits(t, r) || p.overtakes(t, r) {
		p.forget(t)
		return nil
	}
	p.free -= r.Amount
	t.held += r.Amount
	return t
}

// Release gives back an amount that t holds.
func (p *Pool) Release(t *Tenant, amount int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.free += amount
	t.held -= amount
	p.forget(t)
	if p.waiting > 0 {
		p.grant()
	}
}

// fits reports whether r.Amount is free for t, and within its share.
func (p *Pool) fits(t *Tenant, r Request) bool {
	free := p.free - r.Amount
	return free >= 0 && (!t.limited || t.held == r.Held || t.held+r.Amount <= shareOfFree*free)
}

// overtakes reports whether a client waits that would hold no more than t would with r.
func (p *Pool) overtakes(t *Tenant, r Request) bool {
	for _, other := range p.queue {
		if other.would() <= t.held+r.Amount {
			return true
		}
	}
	return false
}

// tenant returns the record of the client of r.
func (p *Pool) tenant(r Request) *Tenant {
	t := p.tenants[r.Client]
	if t == nil {
		if t = p.unused; t == nil {
			t = &Tenant{}
		}
		p.unused = nil
		t.client, t.limited = r.Client, r.Limited
		p.tenants[r.Client] = t
	}
	return t
}

// forget drops the record of a client that holds nothing and does not wait.
func (p *Pool) forget(t *Tenant) {
	if t.held == 0 && len(t.queue) == 0 {
		delete(p.tenants, t.client)
		p.unused = t
	}
}

// Status is how a Pool stands.
type Status struct {
	Taken   int64 // of its size
	Waiting int   // requests
	Tenants int   // clients that hold something or wait
}

// Status returns the present Status.
func (p *Pool) Status() Status {
	p.mu.Lock()
	defer p.mu.Unlock()
	return Status{Taken: p.size - p.free, Waiting: p.waiting, Tenants: len(p.tenants)}
}
