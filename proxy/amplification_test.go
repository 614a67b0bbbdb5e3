package proxy

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// sdkRetries is how often OpenAI's and Anthropic's SDKs repeat a call by default.
const sdkRetries = 2

// repeatsAsSDKsDo makes a call as OpenAI's SDKs do: it obeys x-should-retry, else repeats 408, 409, 429 and 5xx, and
// waits for retry-after where that is at most a minute, else half a second and twice that. It returns the last answer,
// how often it called, and how long it took.
func repeatsAsSDKsDo(t *testing.T, p *Proxy, body string) (
	w *httptest.ResponseRecorder, calls int, took time.Duration,
) {
	began := time.Now()
	for pause := 500 * time.Millisecond; ; pause *= 2 {
		w = through(p, t.Context(), body)
		calls++
		again := w.Code == 408 || w.Code == 409 || w.Code == 429 || w.Code >= 500
		if word := w.Header().Get("X-Should-Retry"); word != "" {
			again = word == "true"
		}
		if !again || calls > sdkRetries {
			return w, calls, time.Since(began)
		}
		wait := pause
		if s, err := strconv.Atoi(w.Header().Get("Retry-After")); err == nil && s > 0 && s <= 60 {
			wait = time.Duration(s) * time.Second
		}
		time.Sleep(wait)
	}
}

// What one call of an SDK costs in calls to Workers AI when it fails in the same way again and again: the SDK's
// retries times this proxy's never multiply. The table is in README.md of this folder.
func TestCallsUpstreamForOneCallOfAnSDK(t *testing.T) {
	v4 := func(code int, text string) string {
		return `{"success":false,"errors":[{"code":` + strconv.Itoa(code) + `,"message":"AiError: ` + text +
			`"}],"messages":[],"result":{}}`
	}
	page := "<html><title>Bad gateway</title></html>"
	var table strings.Builder
	table.WriteString("| Failure | Calls of the SDK | Calls to Workers AI | With `NEURONWARD_RETRIES=0` |\n" +
		"| --- | --- | --- | --- |\n")
	for _, c := range []struct {
		name   string
		status int // 0: no answer
		header string
		body   string
		want   [2]int // calls to Workers AI: by default, and where this proxy repeats nothing
	}{
		{"bad input, no such model, 4xx in general", 400, "", v4(5006, "Bad input"), [2]int{1, 1}},
		{"the day is used up (3036)", 429, "", v4(4006, "you have used up your daily free allocation"), [2]int{1, 1}},
		{"no capacity (3040)", 429, "", v4(3040, "Capacity temporarily exceeded"), [2]int{3, 3}},
		{"no capacity, and `retry-after: 30`", 429, "30", v4(3040, "Capacity temporarily exceeded"), [2]int{3, 3}},
		{"requests a minute (3021)", 429, "", v4(3021, "rate limiting: inference request per min"), [2]int{3, 3}},
		{"another provider's 429", 429, "", `{"error":{"message":"slow down"}}`, [2]int{3, 3}},
		{"API rate limit (971)", 429, "", v4(971, "Please wait"), [2]int{1, 1}},
		{"internal error (3043)", 500, "", v4(3043, "Internal server error"), [2]int{2, 3}},
		{"Workers AI's own retries exhausted (3050)", 503, "", v4(3050, "Max retries exhausted"), [2]int{3, 3}},
		{"502, 503, 521 to 523 of the edge", 502, "", page, [2]int{3, 3}},
		{"timeout (3007), 504, 524, hung", 408, "", v4(3046, "Request timeout"), [2]int{1, 1}},
		{"520", 520, "", page, [2]int{1, 1}},
		{"an answer that misses its JSON schema (5024)", 400, "", v4(5024, "JSON Mode couldn't be met"), [2]int{1, 1}},
		{"our token refused (10000)", 403, "", v4(10000, "Authentication error"), [2]int{1, 1}},
		{"a connection lost after the call was written", 0, "", "", [2]int{1, 1}},
	} {
		var cells [2]string
		var sdk int
		for i, retries := range []int{2, 0} {
			t.Run(fmt.Sprintf("%s, %d retries", c.name, retries), func(t *testing.T) {
				virtually(t, func(t *testing.T) {
					var sent atomic.Int64
					config := testConfig(io.Discard)
					config.Retries, config.RetryBudget = retries, 0.2
					config.Transport = roundTripper(func(r *http.Request) (*http.Response, error) {
						sent.Add(1)
						_, _ = io.Copy(io.Discard, r.Body)
						if c.status == 0 {
							return nil, errors.New("connection reset")
						}
						w := httptest.NewRecorder()
						w.Header().Set("Content-Type", "application/json")
						if c.header != "" {
							w.Header().Set("Retry-After", c.header)
						}
						w.WriteHeader(c.status)
						_, _ = io.WriteString(w, c.body)
						return w.Result(), nil
					})
					p, err := New(config)
					if err != nil {
						t.Fatal(err)
					}
					w, calls, took := repeatsAsSDKsDo(t, p, chat)
					if got := int(sent.Load()); got != c.want[i] {
						t.Errorf("got %d calls to Workers AI for %d of the SDK, want %d: %s", got, calls, c.want[i],
							w.Body)
					}
					if most := 2 * time.Minute; took > most {
						t.Errorf("got %v for one call, want %v at most", took, most)
					}
					cells[i] = strconv.Itoa(int(sent.Load()))
					if i == 0 {
						sdk = calls
					}
				})
			})
		}
		fmt.Fprintf(&table, "| %s | %d | %s | %s |\n", c.name, sdk, cells[0], cells[1])
	}
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(readme), table.String()) {
		t.Errorf("got README.md without the table, want it in:\n%s", table.String())
	}
}
