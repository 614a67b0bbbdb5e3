package live

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/neuronward/neuronward/normalize"
	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/account"
	"github.com/neuronward/neuronward/quota/price"
)

// maxNeurons is more than all calls together may cost.
const maxNeurons = 5 * quota.OneNeuron

// Config is what a Look needs.
type Config struct {
	API     *url.URL // Cloudflare's API, not an AI Gateway
	Account string
	Token   func() string
	Figure  *account.Client // reads the account's own figure
	Prices  *price.Table
	Wait    time.Duration // for the calls to be in the account's own figure; 0: it is read once

	Secrets   []string // taken out of all that is reported, beside the account and the token
	Transport http.RoundTripper
	Progress  func(line string) // called with each line for those who wait
}

// A Report is what was seen. It holds no secret, and not the account.
type Report struct {
	OK       bool      `json:"ok"` // no point differs
	At       time.Time `json:"at"`
	API      string    `json:"api"`       // host
	PricesOf string    `json:"prices_of"` // date of the table
	Neurons  float64   `json:"neurons"`   // that the calls cost, as far as the answers say it
	Calls    []Call    `json:"calls"`
	Points   []Point   `json:"points"`
}

// A Call is one call of a Report.
type Call struct {
	Name    string   `json:"name"`
	Path    string   `json:"path"` // below /ai/
	Model   string   `json:"model"`
	Bound   float64  `json:"bound"`   // neurons, by the price table
	Neurons *float64 `json:"neurons"` // as the answer says; null: it does not
	Status  int      `json:"status"`  // 0: no answer came
	Millis  int64    `json:"ms"`
	Failure string   `json:"failure"` // what this proxy makes of it, or why no whole answer came; "": none
	Headers []string `json:"headers"` // names, in lower case
}

// Names of Point.Result.
const (
	Agrees  = "agrees"
	Differs = "differs"
	Unseen  = "unseen" // the answers do not show it
)

// A Point is something that this proxy assumes of Workers AI.
type Point struct {
	Name    string `json:"name"`
	Result  string `json:"result"`
	Assumed string `json:"assumed"`
	Seen    string `json:"seen"`
}

// errRefused ends a Look after its first call.
var errRefused = errors.New("the token or the account is refused")

// Look makes the calls. First it reports what each may cost. The error says why they were not made: they would cost too
// much by the price table, or the first one was refused.
func Look(ctx context.Context, c Config) (Report, error) {
	l := &looker{Config: c}
	if l.Transport == nil {
		own := http.DefaultTransport.(*http.Transport).Clone()
		own.DisableCompression = true
		defer own.CloseIdleConnections()
		l.Transport = own
	}
	l.Secrets = append([]string{c.Account, c.Token()}, c.Secrets...)
	r := Report{At: time.Now().UTC().Truncate(time.Second), API: c.API.Host, PricesOf: c.Prices.AsOf()}
	if err := l.prepare(); err != nil {
		return r, err
	}
	e := &evidence{answers: l.answers}
	for i, a := range l.answers {
		l.call(ctx, a)
		l.progress("%-13s  %s", a.call.name, a.outcome())
		if f := a.failure; i == 0 && f != nil && refuses(f.Code) {
			return r, fmt.Errorf("%w: %s", errRefused, l.quote(a.outcome()))
		}
	}
	l.await(ctx, e)
	for _, a := range l.answers {
		r.Calls = append(r.Calls, l.report(a))
		r.Neurons += a.neurons().Float()
	}
	r.OK = true
	for _, p := range points {
		result, seen := p.look(e)
		r.Points = append(r.Points, Point{p.name, result, p.assumed, l.quote(seen)})
		r.OK = r.OK && result != Differs
	}
	return r, nil
}

// A looker makes one Look.
type looker struct {
	Config
	answers []*answer // of each call, in their order
}

func (l *looker) progress(format string, args ...any) {
	l.Progress(l.quote(fmt.Sprintf(format, args...)))
}

// quote returns a text that may hold what upstream says: without secrets, in one line, and not too long. Secrets go
// first, since half of one would not be known.
func (l *looker) quote(text string) string {
	const maxBytes = 400
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, normalize.Redact(text, l.Secrets...))
	if len(text) <= maxBytes {
		return text
	}
	return strings.ToValidUTF8(text[:maxBytes], "") + "…"
}

// report is what a Report says of an answer.
func (l *looker) report(a *answer) Call {
	c := Call{
		Name: a.call.name, Path: a.call.path, Model: a.call.model, Bound: a.bound.Float(), Status: a.status,
		Millis: a.took.Milliseconds(), Failure: l.quote(a.err), Headers: []string{},
	}
	if n := a.neurons().Float(); n > 0 {
		c.Neurons = &n
	}
	if a.err == "" && a.failure != nil {
		c.Failure = l.quote(a.explained())
	}
	for name := range a.header {
		c.Headers = append(c.Headers, l.quote(strings.ToLower(name)))
	}
	slices.Sort(c.Headers)
	return c
}

// prepare works out what the calls may cost, and reports it.
func (l *looker) prepare() error {
	bound, tight := price.NewEstimator(l.Prices, price.Bound), price.NewEstimator(l.Prices, price.Tight)
	var sum quota.Neurons
	for i := range calls {
		a, err := newAnswer(&calls[i], bound, tight)
		if err != nil {
			return err
		}
		l.answers = append(l.answers, a)
		sum = sum.Add(a.bound)
	}
	if sum >= maxNeurons {
		return fmt.Errorf("by the price table these calls may cost %v neurons, and %v are the limit of this check", sum,
			maxNeurons)
	}
	l.progress("%d calls of Workers AI follow, which are billed to the account. A proxy that runs does", len(calls))
	l.progress("not see them: it counts them once it has read the account's own figure.")
	l.progress("They cost at most:")
	for _, a := range l.answers {
		l.progress("%-13s  %v neurons  %s", a.call.name, a.bound, a.call.model)
	}
	l.progress("%-13s  %v neurons", "together", sum)
	return nil
}
