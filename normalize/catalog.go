package normalize

import (
	"slices"
	"time"
)

// Entry says everything there is to say about one code.
type Entry struct {
	Code      Code          // its constant; left out where no code of ours needs one
	Slug      string        // immutable: metric label, anchor and error.name
	Number    int           // what the envelope carries
	Aliases   []int         // other numbers that upstream uses for it
	Status    int           // HTTP status of the answer, whatever upstream sent
	Type      Type          // error.type
	OpenAI    string        // error.code where OpenAI has a word for it; "" means the slug
	Retry     Retry         // whether the same call may be sent again
	Delay     time.Duration // with RetryAfterDelay: how long to wait when nothing better is known
	Fault     Fault         // who can fix it
	Origins   []Origin      // who can say it, the usual one first
	Charge    Charge        // what the failed call costs
	Summary   string        // what it means
	Action    string        // what the person who can fix it does
	Automatic string        // what the proxy does by itself
	Wire      string        // how it looks when upstream sends it
	Texts     []string      // how its message begins, in lower case, where no number comes and rules.go says nothing
	Source    Source        // where the entry comes from
}

// Word returns what error.code carries: OpenAI's word where there is one, else the slug.
func (e *Entry) Word() string {
	if e.OpenAI != "" {
		return e.OpenAI
	}
	return e.Slug
}

// Type is the error.type of an envelope, in the words that OpenAI and Anthropic clients know.
type Type string

// Types of an envelope.
const (
	TypeInvalidRequest Type = "invalid_request_error"
	TypeAuthentication Type = "authentication_error"
	TypePermission     Type = "permission_error"
	TypeNotFound       Type = "not_found_error"
	TypeTooLarge       Type = "request_too_large"
	TypeRateLimit      Type = "rate_limit_error"
	TypeTimeout        Type = "timeout_error"
	TypeAPI            Type = "api_error"
	TypeOverloaded     Type = "overloaded_error"
)

// Origin says who failed the call.
type Origin string

// Origins of a failure: Workers AI said so, this proxy refused, this proxy could not.
const (
	OriginUpstream Origin = "upstream"
	OriginGuard    Origin = "guard"
	OriginProxy    Origin = "proxy"
)

// Fault says who can fix a failure.
type Fault string

// Faults of a failure.
const (
	FaultCaller   Fault = "caller"
	FaultAccount  Fault = "account"
	FaultOperator Fault = "operator"
	FaultUpstream Fault = "upstream"
	FaultProxy    Fault = "proxy"
)

// Retry says whether the same call may be sent again.
type Retry string

// Retry rules: not at all, not before the quota resets, after a wait, once and at once.
const (
	RetryNever      Retry = "never"
	RetryAtReset    Retry = "at_reset"
	RetryAfterDelay Retry = "after_delay"
	RetryOnce       Retry = "once"
)

// Charge says what a failed call costs. A call that was never written to upstream costs nothing, whatever its
// entry says.
type Charge string

// Charges of a failure: nothing, what upstream reported if it did, what was reserved.
const (
	ChargeNone     Charge = "none"
	ChargeReported Charge = "reported_or_none"
	ChargeEstimate Charge = "estimate"
)

// Source says where an entry comes from.
type Source string

// Sources of an entry: Cloudflare's documentation, captures of the wire, this proxy.
const (
	SourceDocumented Source = "documented"
	SourceObserved   Source = "observed"
	SourceOwn        Source = "neuronward"
)

// MatchedBy says how a failure was recognized.
type MatchedBy string

// Ways to recognize a failure.
const (
	MatchedCode      MatchedBy = "code"
	MatchedAlias     MatchedBy = "alias"
	MatchedText      MatchedBy = "text"
	MatchedStatus    MatchedBy = "status"
	MatchedTransport MatchedBy = "transport"
	MatchedBudget    MatchedBy = "budget"
	MatchedRate      MatchedBy = "rate"
	MatchedRequest   MatchedBy = "request"
	MatchedLatched   MatchedBy = "latched" // upstream said so of an earlier call
)

// FirstOwnNumber is the smallest of this proxy's own numbers. Cloudflare's are all smaller.
const FirstOwnNumber = 90000

// tables are the parts of the catalog in catalog order.
var tables = assembleTables(documented, observed, gateway, own)

var (
	catalog  = assemble(tables)
	bySlug   = indexSlugs(tables)
	byNumber = indexNumbers(tables)
)

// retired are slugs that once named an entry. They stay listed so that they cannot come back with another meaning.
var retired = []string{}

// Catalog returns every entry in catalog order: documented, observed, of an AI Gateway, of this proxy.
func Catalog() []Entry { return slices.Concat(tables...) }

// assembleTables gives a code to each entry that has no constant.
func assembleTables(tables ...[]Entry) [][]Entry {
	next := numConstants
	for i, t := range tables {
		tables[i] = slices.Clone(t)
		for j := range tables[i] {
			if e := &tables[i][j]; e.Code == Unclassified && e.Number != FirstOwnNumber {
				e.Code = next
				next++
			}
		}
	}
	return tables
}

// assemble returns the entries by their codes.
func assemble(tables [][]Entry) []Entry {
	all := slices.Concat(tables...)
	byCode := make([]Entry, len(all))
	for _, e := range all {
		byCode[e.Code] = e
	}
	return byCode
}

func indexSlugs(tables [][]Entry) map[string]Code {
	m := map[string]Code{}
	for _, t := range tables {
		for _, e := range t {
			m[e.Slug] = e.Code
		}
	}
	return m
}

func indexNumbers(tables [][]Entry) map[int]Code {
	m := map[int]Code{}
	for _, t := range tables {
		for _, e := range t {
			m[e.Number] = e.Code
			for _, n := range e.Aliases {
				m[n] = e.Code
			}
		}
	}
	return m
}
