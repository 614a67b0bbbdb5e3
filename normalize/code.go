package normalize

import (
	"strconv"
	"strings"
)

// Code names one entry of the catalog. The set is closed; the zero value is Unclassified. Those that something in Go
// decides by have a constant; the others follow behind, in catalog order, and are found by Lookup.
type Code uint8

// Unclassified is a failure that fits nothing else in the catalog.
const Unclassified Code = 0

// Codes that Cloudflare documents.
const (
	NoSuchModel Code = iota + 1
	InvalidData
	FinetuneMissingFiles
	IncompleteRequest
	AccountNotAllowed5018
	ModelAgreementRequired
	AccountBlocked
	AccountNotAllowed3041
	DeprecatedSDKVersion
	LoraUnsupported
	InvalidModelID
	RequestTooLarge
	Timeout
	Aborted
	AccountLimited
	OutOfCapacity
	PaidPlanRequired

	// Codes seen on the wire that no documentation lists.
	RequestsPerMinuteExceeded
	BadInput
	ContentFlagged
	ContextWindowExceeded
	ModelDeprecated
	StructuredOutputUnsupported
	StructuredOutputFailed
	BatchRequestNotFound
	UpstreamInternalError
	UpstreamRetriesExhausted
	AuthenticationFailed
	PermissionDenied
	NoSuchRoute
	UpstreamUnavailable
	APIRateLimited
	EdgeRejected
	GatewayRateLimited
	GatewaySpendLimited
	GatewayNoCredits
	GatewayUnauthorized
	GatewayMisconfigured
	GatewayPolicyDenied
	UpstreamRateLimited

	// Codes of this proxy.
	RateLimited
	ClientBudgetExhausted
	QuotaContended
	ClientUnauthorized
	ClientForbidden
	AccountMismatch
	RouteNotProxied
	MethodNotAllowed
	Overloaded
	ShuttingDown
	UpstreamUnreachable
	StreamInterrupted
	StoreUnavailable
	Internal
	PriorityFloor
	ModelNotAllowed

	numConstants
)

// Entry returns the catalog entry of c, never nil; a value outside the set has the entry of Unclassified. The
// entry is shared and must not be changed.
func (c Code) Entry() *Entry {
	if int(c) >= len(catalog) {
		c = Unclassified
	}
	return &catalog[c]
}

// String returns the slug of c, such as "out_of_capacity".
func (c Code) String() string { return c.Entry().Slug }

// Lookup finds a code by its slug, its number or an alias of it, all as text. A number that upstream uses for
// several failures gives the entry that it names when the text says nothing more.
func Lookup(s string) (Code, bool) {
	if c, ok := bySlug[s]; ok {
		return c, true
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		return Unclassified, false
	}
	c, ok := byNumber[n]
	return c, ok
}

// LookupWord finds the code of a word that the error objects of OpenAI, Anthropic, Google and the engines have as their
// code or type, such as "billing_error".
func LookupWord(s string) (Code, bool) {
	c, ok := words[strings.ToLower(s)]
	return c, ok
}
