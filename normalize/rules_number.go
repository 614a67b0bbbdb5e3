package normalize

import (
	"net/http"
	"strings"
)

// A numberRule tells apart the meanings of a number that stands for several failures. The text is compared in lower
// case; a status of 0 stands for any.
type numberRule struct {
	number int
	status int      // the HTTP status; 5 stands for any 5xx
	has    []string // any of them is in the text; none: the text does not matter
	code   Code
}

// numberRules are the numbers of AI Gateway and of Cloudflare's API that have several meanings. The first that fits
// decides; where none does, the number has the meaning of its entry.
var numberRules = []numberRule{
	{7003, 0, []string{"user input error", "invalid value at"}, BadInput},
	{7003, 0, []string{"not found"}, NoSuchModel},
	{7003, 0, []string{"model execution failed"}, UpstreamInternalError},
	{7000, 5, nil, UpstreamInternalError},

	// Rejected credentials are a provider's, which the account's owner keeps in the gateway.
	{2005, 0, []string{"credential"}, GatewayMisconfigured},
	{2005, http.StatusServiceUnavailable, nil, UpstreamUnavailable},
	{2005, 0, []string{"api key", "unauthorized", "authentication", "access token"}, GatewayMisconfigured},
	{2009, http.StatusServiceUnavailable, nil, UpstreamUnavailable},
	{2002, 0, []string{"provider not found"}, GatewayMisconfigured},
	{2002, 5, nil, UpstreamInternalError},
	{2002, 0, []string{"failed to parse model output"}, UpstreamInternalError},
	{2003, http.StatusPaymentRequired, nil, GatewayNoCredits},
	{2003, 0, []string{"insufficient balance"}, GatewayNoCredits},
	{2018, 0, []string{"invalid user credentials"}, UpstreamUnavailable},
	{2021, 0, []string{"authentication is required", "invalid user credentials", "use byok"}, GatewayMisconfigured},
	{2019, 0, nil, NoSuchRoute},
}

// byNumberRule finds what a number means together with the status and the first text.
func (e *evidence) byNumberRule(status int) (Code, int, bool) {
	text := ""
	if len(e.texts) > 0 {
		text = e.texts[0].folded
	}
	for _, n := range e.numbers() {
		for i := range numberRules {
			if r := &numberRules[i]; r.number == n && r.matches(status, text) {
				return r.code, n, true
			}
		}
	}
	return Unclassified, 0, false
}

func (r *numberRule) matches(status int, text string) bool {
	if r.status != 0 && r.status != status && r.status != status/100 {
		return false
	}
	if len(r.has) == 0 {
		return true
	}
	for _, h := range r.has {
		if strings.Contains(text, h) {
			return true
		}
	}
	return false
}
