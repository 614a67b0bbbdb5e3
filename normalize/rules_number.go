package normalize

import (
	"net/http"
	"slices"
)

// A numberRule tells apart the meanings of a number that stands for several failures. The text is compared in lower
// case; a status of 0 stands for any.
type numberRule struct {
	number int
	status int      // the HTTP status; 4 stands for any 4xx, 5 for any 5xx
	has    []string // any of them is in the text; none: the text does not matter
	code   Code
	named  bool // AI Gateway gives its name
	keeps  bool // the envelope has this number rather than the entry's
}

// numberRules are the numbers of AI Gateway and of Cloudflare's API that have several meanings. The first that fits
// decides; where none does, the number has the meaning of its entry.
var numberRules = []numberRule{
	{number: 7003, has: []string{"user input error", "invalid value at"}, code: BadInput},
	{number: 7003, has: []string{"not found"}, code: NoSuchModel},
	{number: 7003, has: []string{"model execution failed"}, code: UpstreamInternalError},
	{number: 7000, status: 5, code: UpstreamInternalError},
	{number: 7003, has: []string{"could not route", "no route for"}, code: NoSuchRoute},
	{number: 7000, has: []string{"could not route", "no route for"}, code: NoSuchRoute},
	{number: 7003, status: http.StatusNotFound, named: true, code: NoSuchModel}, // else Cloudflare's API speaks
	{number: 7003, status: 4, named: true, code: BadInput},
	{number: 7000, status: 4, named: true, code: BadInput},
	{number: 7003, status: 5, named: true, code: UpstreamInternalError},
	{number: 7013, code: UpstreamUnavailable, keeps: true}, // the guardrails' scanner: none of the entry's other causes

	// Rejected credentials are a provider's, which the account's owner keeps in the gateway.
	{number: 2005, has: []string{"credential"}, code: GatewayMisconfigured},
	{number: 2005, status: http.StatusServiceUnavailable, code: UpstreamUnavailable},
	{
		number: 2005, has: []string{"api key", "unauthorized", "authentication", "access token"},
		code: GatewayMisconfigured,
	},
	{number: 2009, status: http.StatusServiceUnavailable, code: UpstreamUnavailable},
	{number: 2002, has: []string{"provider not found"}, code: GatewayMisconfigured},
	{number: 2003, status: http.StatusPaymentRequired, code: GatewayNoCredits},
	{number: 2003, has: []string{"insufficient balance"}, code: GatewayNoCredits},
	{number: 2018, has: []string{"invalid user credentials"}, code: UpstreamUnavailable},
	{
		number: 2021, has: []string{"authentication is required", "invalid user credentials", "use byok"},
		code: GatewayMisconfigured,
	},
}

// byNumberRule finds what a number means together with the status and the first text.
func (e *evidence) byNumberRule(status int) (*numberRule, bool) {
	text := ""
	if len(e.texts) > 0 {
		text = e.texts[0].folded
	}
	for _, n := range e.numbers() {
		for i := range numberRules {
			if r := &numberRules[i]; r.number == n && (e.gateway || !r.named) && r.matches(status, text) {
				return r, true
			}
		}
	}
	return nil, false
}

// toldByText are the numbers whose meaning the text alone decides, by rules.go.
var toldByText = map[int][]Code{
	3030: {ContentFlagged, ContextWindowExceeded, BadInput},
	8007: {BadInput, ContextWindowExceeded, ContentFlagged},
}

// Meanings returns the codes that a number of upstream's may stand for, the usual one first.
func Meanings(number int) []Code {
	codes := slices.Clone(toldByText[number])
	if c, ok := byNumber[number]; ok && len(codes) == 0 {
		codes = append(codes, c)
	}
	for i := range numberRules {
		if r := &numberRules[i]; r.number == number && !slices.Contains(codes, r.code) {
			codes = append(codes, r.code)
		}
	}
	if c := byEdge(number); len(codes) == 0 && c != Unclassified {
		codes = append(codes, c)
	}
	return codes
}

// known reports whether a number means something.
func known(n int) bool {
	_, ok := byNumber[n]
	return ok || slices.ContainsFunc(numberRules, func(r numberRule) bool { return r.number == n && r.keeps })
}

func (r *numberRule) matches(status int, text string) bool {
	fits := r.status == 0 || r.status == status || r.status == status/100
	return fits && hasOne(text, r.has)
}
