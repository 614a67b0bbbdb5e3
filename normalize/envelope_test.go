package normalize

import (
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestEnvelopeGolden(t *testing.T) {
	f := &Failure{
		Code: AccountLimited, Origin: OriginGuard, MatchedBy: MatchedBudget, RetryAfter: 8 * time.Hour,
		ResetsAt: time.Date(2026, 11, 23, 1, 0, 0, 0, time.FixedZone("CET", 3600)),
		Model:    "@cf/meta/llama-3.1-8b-instruct-fp8", RequestID: "req-1",
		Message: "The limit of 10,000 neurons a day is reached: <9,998> used.",
		Limit:   &Limit{Name: "account", Used: 9998, Reserved: 0.5, Limit: 10000, Unit: "neurons", Window: "day"},
		Err:     errors.New("secret cause"),
	}
	const want = `{"error":{"message":"The limit of 10,000 neurons a day is reached: <9,998> ` +
		`used.","type":"rate_limit_error","param":null,"code":"insufficient_quota",` +
		`"name":"account_limited","number":3036,"status":429,"origin":"guard","fault":"account","retryable":false,` +
		`"retry_after_ms":28800000,` +
		`"resets_at":"2026-11-23T00:00:00Z","action":"Wait for the reset, make the call as small as the message ` +
		`says, raise the plan, or use a cheaper ` +
		`model.","model":"@cf/meta/llama-3.1-8b-instruct-fp8",` +
		`"matched_by":"budget","upstream":null,"limit":{"name":"account","client":null,"used":9998,"reserved":0.5,` +
		`"limit":10000,"unit":"neurons","window":"day"},` +
		`"doc_url":"/errors/account_limited"},"type":"error","message":"The limit of 10,000 neurons a day is ` +
		`reached: <9,998> used.","success":false,` +
		`"errors":[{"code":3036,"message":"The limit of 10,000 neurons a day is reached: <9,998> ` +
		`used."}],"messages":[],"result":null,"request_id":"req-1"}`
	if got := string(f.Append(nil)); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	checkEnvelope(t, f)
	if got := string(f.Append([]byte("x"))); got != "x"+want {
		t.Errorf("got %s, want x and then the envelope", got)
	}
}

func TestEnvelopeOfEveryEntry(t *testing.T) {
	for _, e := range Catalog() {
		for _, origin := range e.Origins {
			f := &Failure{Code: e.Code, Origin: origin}
			checkEnvelope(t, f)
			if f.Resolved().Origin != origin || f.Status != 0 {
				t.Errorf("%s: got origin %s and status %d, want %s and an unchanged 0", e.Slug, f.Resolved().Origin,
					f.Status, origin)
			}
		}
		checkEnvelope(t, &Failure{
			Code: e.Code, NoRetry: true,
			Upstream: &Upstream{Status: 400, Code: "x", Message: "m", RequestID: "r", Ray: "y"},
		})
		checkEnvelope(t, &Failure{
			Code: e.Code, RetryAfter: 1, Param: "p",
			Limit: &Limit{Client: "c", Used: math.NaN(), Limit: math.Inf(1)},
		})
	}
}

func TestEnvelopeStrings(t *testing.T) {
	for _, s := range []string{
		"plain", `a "quoted" \ one`, "line\nfeed\r\t\x00\x1f\x7f", "broken \xff\xc3 utf-8",
		"<a href=\"x\">&</a>", "ü 漢 🙂 \u2028", "\ufffd",
	} {
		f := &Failure{
			Code: Internal, Message: s, Model: s, RequestID: s,
			Upstream: &Upstream{Status: 500, Code: s, Message: s},
		}
		var got struct {
			Error struct{ Message, Model string }
		}
		body := f.Append(nil)
		if err := json.Unmarshal(body, &got); err != nil {
			t.Fatalf("%v: %s", err, body)
		}
		want := strings.ToValidUTF8(s, "\ufffd")
		if s == "broken \xff\xc3 utf-8" {
			want = "broken \ufffd\ufffd utf-8"
		}
		if got.Error.Message != want || got.Error.Model != want {
			t.Errorf("%q came back: got %q, want %q", s, got.Error.Message, want)
		}
		checkSchema(t, body)
	}
}

func TestErrorIsSafeForALog(t *testing.T) {
	cause := errors.New("dial with token-0123")
	f := &Failure{Code: UpstreamUnreachable, Message: "line one\nline two\x1b[31m", Err: cause}
	if got, want := f.Error(), "upstream_unreachable (90011): line one line two [31m"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if !errors.Is(f, cause) {
		t.Errorf("got %v, want it to wrap its cause", f)
	}
	if got := (&Failure{
		Code: Unclassified, Number: 5999,
		Message: "x",
	}).Error(); got != "upstream_unclassified (5999): x" {
		t.Errorf("got %q, want upstream_unclassified (5999): x", got)
	}
}

func TestOursRefused(t *testing.T) {
	for _, e := range Catalog() {
		f := &Failure{Code: e.Code}
		before := string(f.Append(nil))
		f.OursRefused()
		switch e.Code {
		case AuthenticationFailed, PermissionDenied, GatewayUnauthorized:
			if status, fault := f.HTTPStatus(), f.Resolved().Fault; status != 502 || fault != FaultOperator {
				t.Errorf("%s: got status %d, fault %s; want 502, %s", e.Slug, status, fault, FaultOperator)
			}
			if f.Word() != e.Slug || f.Type() != TypeAPI {
				t.Errorf("%s: got code %s, type %s; want %[1]s, %[4]s", e.Slug, f.Word(), f.Type(), TypeAPI)
			}
			if f.Retryable() {
				t.Errorf("%s: got retryable, want not: %s", e.Slug, f.Append(nil))
			}
			checkEnvelope(t, f)
		default:
			if string(f.Append(nil)) != before {
				t.Errorf("%s: got %s, want it unchanged", e.Slug, f.Append(nil))
			}
		}
	}
}

func TestSetHeader(t *testing.T) {
	tests := []struct {
		name                string
		f                   Failure
		retry, after, milli string
	}{
		{"capacity", Failure{Code: OutOfCapacity}, "true", "2", "2000"},
		{"rounded up", Failure{Code: OutOfCapacity, RetryAfter: 1001 * time.Microsecond}, "true", "1", "2"},
		{"as long as is allowed", Failure{Code: OutOfCapacity, RetryAfter: time.Minute}, "true", "60", "60000"},
		{"longer than is allowed", Failure{Code: OutOfCapacity, RetryAfter: time.Minute + 1}, "false", "", ""},
		{"API limit", Failure{Code: APIRateLimited}, "false", "", ""},
		{"at the reset", Failure{Code: AccountLimited, RetryAfter: 5 * time.Second}, "false", "", ""},
		{"never", Failure{Code: BadInput, RetryAfter: 5 * time.Second}, "false", "", ""},
		{"once", Failure{Code: Timeout}, "true", "", ""},
		{"not now", Failure{Code: OutOfCapacity, NoRetry: true}, "false", "2", "2000"},
		{"unclassified 5xx", Failure{Code: Unclassified, Status: 599}, "true", "", ""},
		{"unclassified 4xx", Failure{Code: Unclassified, Status: 451}, "false", "", ""},
		{"unclassified 429", Failure{Code: Unclassified, Status: 429}, "true", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := http.Header{"Retry-After": {"9"}, "Retry-After-Ms": {"9"}, "Cf-Ray": {"kept"}}
			tt.f.RequestID = "req-1"
			tt.f.SetHeader(h, time.Minute)
			for name, want := range map[string]string{
				"x-should-retry": tt.retry, "retry-after": tt.after, "retry-after-ms": tt.milli,
				"Content-Type": "application/json", "x-request-id": "req-1", "request-id": "req-1", "cf-ray": "kept",
			} {
				if got := h.Get(name); got != want {
					t.Errorf("%s = %q, want %q", name, got, want)
				}
			}
			checkEnvelope(t, &tt.f)
		})
	}
	h := http.Header{}
	(&Failure{Code: Timeout, Upstream: &Upstream{Ray: "ray", RequestID: "id"}}).SetHeader(h, time.Minute)
	if ray, id := h.Get("cf-ray"), h.Get("cf-ai-req-id"); ray != "ray" || id != "id" {
		t.Errorf("cf-ray = %q, cf-ai-req-id = %q, want ray and id", ray, id)
	}
	if got := h["X-Request-Id"]; len(got) != 0 {
		t.Errorf("x-request-id = %q, want none", got)
	}
}

func quoted(t *testing.T, s string) string {
	t.Helper()
	b, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestAppendEvent(t *testing.T) {
	f := &Failure{Code: StreamInterrupted, RequestID: "req-1"}
	envelope := string(f.Append(nil))
	for p, want := range map[Protocol]string{
		ProtocolNative:    "data: " + envelope + "\n\n",
		ProtocolOpenAI:    "data: " + envelope + "\n\n",
		ProtocolAnthropic: "event: error\ndata: " + envelope + "\n\n",
		ProtocolResponses: "event: response.failed\n" +
			`data: {"type":"response.failed","sequence_number":0,"response":{"status":"failed","error":{` +
			`"code":"stream_interrupted","message":` + quoted(t, f.Resolved().Message) + `}},` +
			strings.Replace(strings.TrimPrefix(envelope, "{"), `,"type":"error"`, "", 1) + "\n\n",
	} {
		got := string(f.AppendEvent([]byte("\n"), p))
		if got != "\n"+want {
			t.Errorf("protocol %d: got %q, want %q", p, got, "\n"+want)
		}
		_, data, _ := strings.Cut(got, "data: ")
		checkSchema(t, []byte(strings.TrimSpace(data)))
		if f := ClassifyEvent([]byte(got)); f == nil {
			t.Errorf("protocol %d: got no failure from our own event %q, want one", p, got)
		}
	}
}

func TestParseRefusesWhatIsNotOurs(t *testing.T) {
	ours := string((&Failure{Code: OutOfCapacity, RequestID: "r"}).Append(nil))
	for name, body := range map[string]string{
		"nothing": "", "null": "null", "no JSON": "AiError: 3040: x",
		"OpenAI": `{"error":{"message":"x","type":"y","param":null,"code":"z"}}`,
		"v4":     `{"errors":[{"code":3040,"message":"x"}],"success":false}`, "cut short": ours[:len(ours)-1],
		"array":           `{"error":[{"code":2009}]}`,
		"another doc_url": strings.Replace(ours, "/errors/out_of_capacity", "/errors/timeout", 1),
		"no status":       strings.Replace(ours, `"status":429`, `"status":0`, 1),
		"no message":      strings.Replace(ours, (&Failure{Code: OutOfCapacity}).Resolved().Message, "", 1),
	} {
		if f, ok := Parse([]byte(body)); ok || f != nil {
			t.Errorf("%s: got %v, want no failure", name, f)
		}
	}
}

func TestParseUnknownName(t *testing.T) {
	body := strings.ReplaceAll(string((&Failure{Code: OutOfCapacity, RequestID: "r"}).Append(nil)), "out_of_capacity",
		"brand_new")
	body = strings.ReplaceAll(body, "3040", "91234")
	f, ok := Parse([]byte(body))
	if !ok {
		t.Fatalf("Parse(%s) found no failure, want one", body)
	}
	if f.Code != Unclassified || !f.Unclassified {
		t.Errorf("got code %s, unclassified %t; want %s, true", f.Code, f.Unclassified, Unclassified)
	}
	if f.Number != 91234 || f.HTTPStatus() != 429 {
		t.Errorf("got number %d, status %d; want 91234, 429", f.Number, f.HTTPStatus())
	}
	if !f.Retryable() {
		t.Errorf("got not retryable, want retryable: %+v", f)
	}
}

func TestRedact(t *testing.T) {
	const secret, odd = "canary-secret", "sp ace/+"
	f := &Failure{
		Message: "a canary-secret b sp+ace%2F%2B", Param: secret, Model: secret, RequestID: "kept",
		Upstream: &Upstream{Code: "x" + secret, Message: "sp%20ace%2F+ " + odd, RequestID: secret, Ray: secret},
	}
	f.Redact("", secret, odd)
	out := string(f.Append(nil))
	if strings.Contains(out, secret) || strings.Contains(out, "ace") {
		t.Errorf("got %s, want it without the secrets", out)
	}
	if !strings.Contains(out, "kept") {
		t.Errorf("got %s, want the request id in it", out)
	}
	if f.Message != "a [removed] b [removed]" {
		t.Errorf("got message %q, want a [removed] b [removed]", f.Message)
	}
	(&Failure{}).Redact(secret)
}
