package normalize

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestCatalogIsComplete(t *testing.T) {
	entries := Catalog()
	for c := range numConstants {
		if e := c.Entry(); e.Code != c {
			t.Errorf("got the entry of %s for constant %d, want one of its own", e.Slug, c)
		}
	}
	types := []Type{
		TypeInvalidRequest, TypeAuthentication, TypePermission, TypeNotFound, TypeTooLarge, TypeRateLimit,
		TypeTimeout, TypeAPI, TypeOverloaded,
	}
	codes, slugs, numbers := map[Code]bool{}, map[string]bool{}, map[int]bool{}
	for _, e := range entries {
		t.Run(e.Slug, func(t *testing.T) {
			if codes[e.Code] || slugs[e.Slug] {
				t.Errorf("got code %d or slug %q a second time, want each once", e.Code, e.Slug)
			}
			if slices.Contains(retired, e.Slug) {
				t.Errorf("got slug %q, want none of the retired %q", e.Slug, retired)
			}
			codes[e.Code], slugs[e.Slug] = true, true
			for _, n := range append([]int{e.Number}, e.Aliases...) {
				if numbers[n] || n < 900 {
					t.Errorf("got number %d a second time or below 900, want each once and from 900", n)
				}
				numbers[n] = true
				if c, ok := Lookup(strconv.Itoa(n)); !ok || c != e.Code {
					t.Errorf("Lookup(%d): got %s, want %s", n, c, e.Code)
				}
			}
			if c, ok := Lookup(e.Slug); !ok || c != e.Code {
				t.Errorf("Lookup(%q) = %s, %t, want %s", e.Slug, c, ok, e.Code)
			}
			if text, entry := e.Code.String(), e.Code.Entry().Slug; text != e.Slug || entry != e.Slug {
				t.Errorf("text of code %d = %q, its entry's slug = %q, want %q", e.Code, text, entry, e.Slug)
			}
			if http.StatusText(e.Status) == "" || e.Status < 400 {
				t.Errorf("got status %d, want a registered one from 400", e.Status)
			}
			wantOneOf(t, "type", e.Type, types...)
			wantOneOf(t, "fault", e.Fault, FaultCaller, FaultAccount, FaultOperator, FaultUpstream, FaultProxy)
			wantOneOf(t, "charge", e.Charge, ChargeNone, ChargeReported, ChargeEstimate)
			wantOneOf(t, "source", e.Source, SourceDocumented, SourceObserved, SourceOwn)
			if len(e.Origins) == 0 || (e.Source == SourceOwn) == slices.Contains(e.Origins, OriginUpstream) {
				t.Errorf("got origins %v of a %s entry, want some, and upstream only where it is not our own",
					e.Origins, e.Source)
			}
			if !slices.Contains([]Retry{RetryNever, RetryAtReset, RetryAfterDelay, RetryOnce}, e.Retry) ||
				(e.Retry == RetryAfterDelay) != (e.Delay > 0) {
				t.Errorf("got retry %q after %v, want a delay with after_delay alone", e.Retry, e.Delay)
			}
			for _, text := range e.Texts {
				if text != strings.ToLower(text) {
					t.Errorf("got the text %q, want it in lower case: it is compared with messages in lower case", text)
				}
			}
			if e.Fault == FaultCaller && e.Retry != RetryNever && e.Code != RateLimited && e.Code != Aborted {
				t.Errorf("got retry %q of a caller's mistake, want %q", e.Retry, RetryNever)
			}
			for _, s := range []string{e.Summary, e.Action, e.Automatic, e.Wire} {
				if !strings.HasSuffix(s, ".") && !strings.HasSuffix(s, "`") && !strings.HasSuffix(s, "too.") ||
					len(s) < 20 {
					t.Errorf("got %q, want a whole sentence", s)
				}
			}
			// Cloudflare gives these two no number.
			numberless := e.Code == GatewayPolicyDenied || e.Code == UpstreamRateLimited
			if own := e.Number > 90000; own != (e.Source == SourceOwn || numberless) {
				t.Errorf("got number %d of a %s entry, want above 90,000 for our own alone", e.Number, e.Source)
			}
		})
	}
}

// Cloudflare's own table, by hand.
func TestDocumentedNumbersAndStatuses(t *testing.T) {
	for code, want := range map[Code][2]int{
		NoSuchModel: {5007, 400}, InvalidData: {5004, 400}, FinetuneMissingFiles: {3039, 400},
		IncompleteRequest: {3003, 400}, AccountNotAllowed5018: {5018, 403},
		ModelAgreementRequired: {5016, 403}, AccountBlocked: {3023, 403}, AccountNotAllowed3041: {3041, 403},
		DeprecatedSDKVersion: {5019, 405},
		LoraUnsupported:      {5005, 405}, InvalidModelID: {3042, 404}, RequestTooLarge: {3006, 413},
		Timeout:        {3007, 408},
		Aborted:        {3008, 408},
		AccountLimited: {3036, 429}, OutOfCapacity: {3040, 429}, PaidPlanRequired: {5035, 403},
	} {
		e := code.Entry()
		if got := [2]int{e.Number, e.Status}; got != want {
			t.Errorf("%s: number and status = %v, want %v", e.Slug, got, want)
		}
		if e.Source != SourceDocumented {
			t.Errorf("%s: source = %s, want %s", e.Slug, e.Source, SourceDocumented)
		}
	}
}

// What was seen on the wire and what the proxy says itself, by hand: numbers and statuses are a promise.
func TestOtherNumbersAndStatuses(t *testing.T) {
	for slug, want := range map[string][2]int{
		"requests_per_minute_exceeded": {3021, 429}, "bad_input": {5006, 400}, "content_flagged": {3030, 400},
		"context_window_exceeded": {5021, 413},
		"model_deprecated":        {5028, 410}, "structured_output_unsupported": {5023, 400},
		"structured_output_failed": {5024, 400},
		"batch_request_not_found":  {5504, 404}, "upstream_internal_error": {3043, 500},
		"upstream_retries_exhausted": {3050, 503},
		"authentication_failed":      {10000, 401}, "permission_denied": {9109, 403}, "no_such_route": {7003, 404},
		"upstream_unavailable": {7009, 502},
		"api_rate_limited":     {971, 429}, "edge_rejected": {1031, 400}, "gateway_rate_limited": {2003, 429},
		"gateway_spend_limited": {2041, 429},
		"gateway_no_credits":    {2021, 402}, "gateway_unauthorized": {2009, 401}, "gateway_misconfigured": {2001, 400},
		"upstream_unclassified": {90000, 502},
		"rate_limited":          {90001, 429}, "client_budget_exhausted": {90002, 429}, "quota_contended": {90003, 429},
		"client_unauthorized": {90004, 401},
		"client_forbidden":    {90005, 403}, "account_mismatch": {90006, 403}, "route_not_proxied": {90007, 404},
		"method_not_allowed": {90008, 405},
		"overloaded":         {90009, 503}, "shutting_down": {90010, 503}, "upstream_unreachable": {90011, 502},
		"stream_interrupted": {90012, 502},
		"store_unavailable":  {90013, 503}, "internal": {90014, 500}, "priority_floor": {90015, 429},
		"model_not_allowed": {90016, 403}, "gateway_policy_denied": {90017, 403},
		"upstream_rate_limited": {90018, 429},
	} {
		code, ok := Lookup(slug)
		e := code.Entry()
		if got := [2]int{e.Number, e.Status}; !ok || got != want {
			t.Errorf("%s (known: %t): number and status = %v, want %v", slug, ok, got, want)
		}
	}
}

// Words and waits of the entries that Go has constants for are a promise, too, made by hand.
func TestWordsAndWaits(t *testing.T) {
	words := map[Code]string{
		AccountLimited: "insufficient_quota", ClientBudgetExhausted: "insufficient_quota",
		PriorityFloor: "insufficient_quota", GatewayNoCredits: "insufficient_quota",
		GatewaySpendLimited: "insufficient_quota", RequestsPerMinuteExceeded: "rate_limit_exceeded",
		APIRateLimited:     "rate_limit_exceeded",
		GatewayRateLimited: "rate_limit_exceeded", RateLimited: "rate_limit_exceeded",
		QuotaContended: "rate_limit_exceeded", NoSuchModel: "model_not_found",
		InvalidModelID: "model_not_found", ContextWindowExceeded: "context_length_exceeded",
		AuthenticationFailed: "invalid_api_key",
		ClientUnauthorized:   "invalid_api_key", ContentFlagged: "content_filter",
		ModelNotAllowed: "model_not_found", UpstreamRateLimited: "rate_limit_exceeded",
	}
	delays := map[Code]time.Duration{
		OutOfCapacity: 2 * time.Second, RequestsPerMinuteExceeded: 15 * time.Second, APIRateLimited: 5 * time.Minute,
		GatewayRateLimited:       10 * time.Second,
		UpstreamRetriesExhausted: 5 * time.Second, UpstreamUnavailable: time.Second, UpstreamUnreachable: time.Second,
		RateLimited:    5 * time.Second,
		QuotaContended: 5 * time.Second, Overloaded: time.Second, ShuttingDown: time.Second,
		StoreUnavailable: 2 * time.Second, UpstreamRateLimited: 5 * time.Second,
	}
	once := []Code{
		Timeout, Aborted, UpstreamInternalError, StructuredOutputFailed, StreamInterrupted, Internal,
		Unclassified,
	}
	atReset := []Code{AccountLimited, ClientBudgetExhausted, PriorityFloor}
	for c := range numConstants {
		e := c.Entry()
		want := words[e.Code]
		if want == "" {
			want = e.Slug
		}
		if e.Word() != want {
			t.Errorf("%s says %s, want %s", e.Slug, e.Word(), want)
		}
		retry := RetryNever
		switch {
		case delays[e.Code] > 0:
			retry = RetryAfterDelay
		case slices.Contains(once, e.Code):
			retry = RetryOnce
		case slices.Contains(atReset, e.Code):
			retry = RetryAtReset
		}
		if e.Retry != retry || e.Delay != delays[e.Code] {
			t.Errorf("%s: %s after %v, want %s after %v", e.Slug, e.Retry, e.Delay, retry, delays[e.Code])
		}
		f := Failure{Code: e.Code}
		if f.Retryable() != (retry == RetryAfterDelay || retry == RetryOnce) {
			t.Errorf("%s: got retryable %v, want %v", e.Slug, f.Retryable(), !f.Retryable())
		}
		if got, want := f.ShouldRetry(time.Hour), f.Retryable(); got != want {
			t.Errorf("%s: ShouldRetry = %v, want %v", e.Slug, got, want)
		}
		if f.NoRetry = true; f.ShouldRetry(time.Hour) {
			t.Errorf("%s: ShouldRetry = true with NoRetry set, want false", e.Slug)
		}
	}
}

func TestLookup(t *testing.T) {
	for s, want := range map[string]Code{
		"4006": AccountLimited, "3046": Timeout, "8007": BadInput,
		"out_of_capacity": OutOfCapacity, "90000": Unclassified, "1010": EdgeRejected,
	} {
		if c, ok := Lookup(s); !ok || c != want {
			t.Errorf("Lookup(%q): got %s, %v; want %s, true", s, c, ok, want)
		}
	}
	for _, s := range []string{"", "0", "404", "nonsense", "Out_Of_Capacity", "30400", "3040 "} {
		if c, ok := Lookup(s); ok || c != Unclassified {
			t.Errorf("Lookup(%q): got %s, want none", s, c)
		}
	}
	if c := Code(250); c.Entry().Code != Unclassified || c.String() != "upstream_unclassified" {
		t.Errorf("a code outside the set: got %s, want upstream_unclassified", c)
	}
}

// wantOneOf asserts that a value is of a closed set.
func wantOneOf[T ~string](t *testing.T, what string, got T, set ...T) {
	t.Helper()
	if !slices.Contains(set, got) {
		t.Errorf("%s = %q, want one of %q", what, got, set)
	}
}

// An entry without a constant has a code of its own behind the constants, and its texts are recognized.
func TestEntriesWithoutConstants(t *testing.T) {
	numbered := assembleTables(
		[]Entry{{Code: Timeout, Number: 3007}, {Slug: "new_one", Number: 3051, Texts: []string{"too many jobs"}}},
		[]Entry{{Slug: "upstream_unclassified", Number: FirstOwnNumber}, {Slug: "new_two", Number: 3052}},
	)
	want := []Code{Timeout, numConstants, Unclassified, numConstants + 1}
	var got []Code
	for _, e := range slices.Concat(numbered...) {
		got = append(got, e.Code)
	}
	if !slices.Equal(got, want) {
		t.Errorf("got the codes %d, want %d", got, want)
	}
	if c := indexNumbers(numbered)[3052]; c != numConstants+1 {
		t.Errorf("3052: got code %d, want %d", c, numConstants+1)
	}
	for text, want := range map[string]Code{
		"too many jobs wait": numConstants, "many jobs wait": Unclassified,
		"rate limiting: x": RequestsPerMinuteExceeded,
	} {
		if c, _ := matchText(text, slices.Concat(numbered...)); c != want {
			t.Errorf("%s: got code %d, want %d", text, c, want)
		}
	}
}
