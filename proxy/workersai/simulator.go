package workersai

import (
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/price"
	"github.com/neuronward/neuronward/quota/workload"
)

// maxBody is the largest request body where Options name none.
const maxBody = 100 << 20

// Plan is what the simulated account pays for.
type Plan string

// The plans of an account. The zero value is PlanPaid.
const (
	PlanPaid Plan = "paid" // every model is answered
	PlanFree Plan = "free" // models that need Workers Paid are refused with 5035
)

// Options say what is simulated. The zero value is an account that accepts every
// caller, has every model and no limits.
type Options struct {
	// Account is the only account there is; "" accepts any.
	Account string
	// Token is the API token that calls must carry as a bearer; "" accepts any
	// and none.
	Token string
	// GatewayToken is what cf-aig-authorization must carry as a bearer on AI
	// Gateway paths; "" accepts any and none.
	GatewayToken string

	// AnalyticsToken is the only token that may read the account's own figure, and
	// may do nothing else; "" lets every accepted one.
	AnalyticsToken string
	// NoAnalytics refuses the account's own figure to every token.
	NoAnalytics bool
	// AnalyticsLag is how long it takes until a call is in the account's own figure.
	AnalyticsLag time.Duration
	// GraphQLFails returns the error that GraphQL answers with, inside a 200, ""
	// where there is none; nil is never any.
	GraphQLFails func(now time.Time) string
	// AccountOwned says that Token is the account's and not a user's: another path
	// verifies it.
	AccountOwned bool

	// Prices is the table of models and what they cost; nil is price.Embedded.
	Prices *price.Table
	// Plan is the account's plan; "" is PlanPaid.
	Plan Plan
	// DailyNeurons is the daily allocation in whole neurons. Once that much has
	// been billed in a UTC day, calls are refused with 4006. 0 is none.
	DailyNeurons float64
	// PerMinute is how many calls a minute a model or task takes, by model name or
	// by task ("text-generation"); the model's own entry goes before its task's.
	// Beyond it calls are refused with 3021. nil is no limit.
	PerMinute map[string]int

	// MaxBody is the largest request body, in bytes; a longer one is answered with
	// 3006. 0 is 100 MiB.
	MaxBody int64

	// Now is the clock; nil is time.Now.
	Now func() time.Time
	// Seed changes the made-up part of answers and all ids.
	Seed uint64
	// Latency is how long a text model takes for each output token.
	Latency time.Duration
	// Billing is what is billed where Cloudflare does not say it.
	Billing Billing
	// Telling is what answers say of their cost.
	Telling Telling
	// Closing, when closed, ends what x-simulate left hanging. nil never does.
	Closing <-chan struct{}
	// Answer, when not nil, says what a call of a model is answered with, before
	// anything else is decided. Of Call it gets the model, its task, path, stream,
	// session and body. It is called by many goroutines.
	Answer func(Call) Answer
	// OnCall, when not nil, is told of each call that reached a model, before the
	// last bytes of its answer are sent. It is called by many goroutines.
	OnCall func(Call)
}

// Call is what one call that reached a model came to.
type Call struct {
	Model   string        // as it was answered: the target of an alias
	Task    workload.Task // its task
	Path    string        // as requested, escaped
	Stream  bool          // answered as server-sent events
	Aborted bool          // its caller left before it was over
	Failed  bool          // it was made to fail, and billed
	Input   int64         // input tokens; 0 for tasks that are not billed by tokens
	Cached  int64         // those of Input that came from the prefix cache
	Output  int64         // output tokens
	Neurons quota.Neurons

	Session string // that x-simulate names
	Code    int    // in the log of a session: of the failure that it was answered with; 0: none
	Body    string // for Options.Answer and in the log of a session: the request's body

	Traceparent string // the header, unchanged
}

// Simulator answers like Workers AI. It is an http.Handler, safe for many
// goroutines, and starts none of its own. Make one with New.
type Simulator struct {
	o      Options
	models map[string]model
	names  []string // of models, sorted

	ids      atomic.Uint64
	requests atomic.Int64
	calls    atomic.Int64
	billed   atomic.Int64 // quota.Neurons

	common   session // of calls that name none
	sessions sessions
	spent    spendings
	batches  batches
}

// New returns a Simulator of o. It panics if o.PerMinute names neither a model
// nor a task, since such a limit would never hold.
func New(o Options) *Simulator {
	if o.Prices == nil {
		o.Prices = price.Embedded()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Plan == "" {
		o.Plan = PlanPaid
	}
	if o.MaxBody == 0 {
		o.MaxBody = maxBody
	}
	s := &Simulator{o: o}
	s.models, s.names = catalog(o.Prices)
	s.common.day.limit = quota.FromFloat(o.DailyNeurons)
	s.common.pace.limits = o.PerMinute
	for name := range o.PerMinute {
		if _, ok := s.models[name]; !ok && !isTask(workload.Task(name)) {
			panic("workersai: PerMinute: " + name + " is neither a model nor a task")
		}
	}
	return s
}

// Requests returns how many HTTP requests have come in, whatever became of them.
func (s *Simulator) Requests() int64 { return s.requests.Load() }

// Calls returns how many calls have reached a model: those that were answered,
// in full or in part. Refusals and simulated failures are none.
func (s *Simulator) Calls() int64 { return s.calls.Load() }

// Billed returns what all calls have cost.
func (s *Simulator) Billed() quota.Neurons { return quota.Neurons(s.billed.Load()) }

// ServeHTTP answers one request. Where x-simulate asks for a broken connection
// it panics with http.ErrAbortHandler, which net/http takes as just that.
func (s *Simulator) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == CallsPath {
		s.serveCalls(w, r)
		return
	}
	s.requests.Add(1)
	x := s.begin(w, r)
	defer x.log(0)
	defer x.settle()
	if f := x.serve(); f != nil {
		x.fail(f)
	}
}

// allocation is the account's day.
type allocation struct {
	limit quota.Neurons

	mu   sync.Mutex
	day  string
	used quota.Neurons
}

// spent reports whether nothing is left of the day of now.
func (a *allocation) spent(now time.Time) bool {
	if a.limit == 0 {
		return false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.today(now) >= a.limit
}

func (a *allocation) add(now time.Time, n quota.Neurons) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.used = a.today(now).Add(n)
}

// reset begins the day anew.
func (a *allocation) reset() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.used = 0
}

// today returns what the day of now has used; a.mu is held.
func (a *allocation) today(now time.Time) quota.Neurons {
	if day := now.UTC().Format(time.DateOnly); day != a.day {
		a.day, a.used = day, 0
	}
	return a.used
}

// pace counts calls in each minute of the clock.
type pace struct {
	limits map[string]int

	mu     sync.Mutex
	minute time.Time
	counts map[string]int
}

// admit counts a call and reports whether it is within its limit.
func (p *pace) admit(now time.Time, name string, task workload.Task) bool {
	limit, ok := p.limits[name]
	if !ok {
		name = string(task)
		if limit, ok = p.limits[name]; !ok {
			return true
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if minute := now.Truncate(time.Minute); !minute.Equal(p.minute) || p.counts == nil {
		p.minute, p.counts = minute, make(map[string]int, len(p.limits))
	}
	if p.counts[name] >= limit {
		return false
	}
	p.counts[name]++
	return true
}
