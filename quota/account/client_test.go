package account_test

import (
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/account"
)

const (
	testAccount = "0123456789abcdef0123456789abcdef"
	testToken   = "canary-token-0123456789-abcdefghijklmnop"
	reader      = "canary-reader-0123456789-abcdefghijklmno"
)

// ask returns a client of whatever h answers.
func ask(t *testing.T, h http.Handler, token string) *account.Client {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	u, err := url.Parse(server.URL + "/client/v4")
	if err != nil {
		t.Fatal(err)
	}
	c, err := account.New(account.Config{API: u, Account: testAccount, Token: func() string { return token }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// answering answers all requests alike.
func answering(status int, body string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func TestNewRefusesWhatWouldGiveTheTokenAway(t *testing.T) {
	token := func() string { return testToken }
	for api, fine := range map[string]bool{
		"https://api.example.com/client/v4": true,
		"http://127.0.0.1:1/client/v4":      true,
		"http://[::1]/x":                    true,
		"http://localhost/x":                true,
		"http://api.example.com/client/v4":  false,
		"/client/v4":                        false,
	} {
		u, err := url.Parse(api)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := account.New(account.Config{API: u, Account: "a", Token: token}); (err == nil) != fine {
			t.Errorf("%s: got %v, want a client: %v", api, err, fine)
		}
	}
	api := &url.URL{Scheme: "https", Host: "x"}
	for name, c := range map[string]account.Config{
		"no API":     {Account: "a", Token: token},
		"no account": {API: api, Token: token},
		"no token":   {API: api, Account: "a"},
	} {
		if _, err := account.New(c); err == nil {
			t.Errorf("%s: got a client, want an error", name)
		}
	}
}

func TestFailures(t *testing.T) {
	var drained atomic.Bool
	redirected := false
	target := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { redirected = true }))
	t.Cleanup(target.Close)
	refused := func(status int, code, message string, header ...string) http.Handler {
		return answering(status, `{"success":false,"errors":[{"code":`+code+`,"message":"`+message+`"}]}`, header...)
	}
	endless := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for range 64 << 20 >> 16 {
			if _, err := w.Write(make([]byte, 1<<16)); err != nil {
				return
			}
		}
		drained.Store(true)
	})
	broken := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	cases := []struct {
		name  string
		h     http.Handler
		kind  account.Kind
		retry time.Duration
	}{
		{"rate limit", refused(429, "10429", "slow down", "Retry-After", "7"), account.RateLimited, 7 * time.Second},
		{"rate limit of all the API", refused(403, `"971"`, "x"), account.RateLimited, 0},
		{"an absurd Retry-After", answering(429, ``, "Retry-After", "999999999"), account.RateLimited, 24 * time.Hour},
		{"HTML", answering(502, `<html>`), account.Unavailable, 0},
		{"a failure inside 200", refused(200, "10000", "Authentication error"), account.Forbidden, 0},
		{"no token", refused(401, "10000", "Authentication error"), account.BadToken, 0},
		{"no header", refused(400, "9106", "Missing"), account.BadToken, 0},
		{"no such account", refused(404, "7003", "Could not route"), account.NoAccount, 0},
		{"no JSON", answering(200, `hello`), account.Garbled, 0},
		{"another form", answering(200, `{"success":true,"result":"x"}`), account.Garbled, 0},
		{"an answer without an end", endless, account.Garbled, 0},
		{"a redirect", http.RedirectHandler(target.URL, http.StatusFound), account.Garbled, 0},
		{"a broken connection", broken, account.Unreachable, 0},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			client := ask(t, c.h, testToken)
			for name, f := range map[string]func() error{
				"models": func() error { _, err := client.Models(t.Context()); return err },
				"day":    func() error { _, err := client.Day(t.Context(), 20000); return err },
			} {
				err := f()
				e, ok := errors.AsType[*account.Error](err)
				if !ok {
					t.Fatalf("%s: got %v, want an *Error", name, err)
				}
				kind := c.kind
				if name == "day" && c.name == "a failure inside 200" {
					kind = account.BadToken // GraphQL has another text for a missing permission
				}
				if e.Kind != kind {
					t.Errorf("%s: got kind %q (%v), want %q", name, e.Kind, err, kind)
				}
				if e.RetryAfter != c.retry {
					t.Errorf("%s: got retry after %v, want %v", name, e.RetryAfter, c.retry)
				}
				if strings.Contains(err.Error(), "canary") {
					t.Errorf("%s: got error %v, want it without the token", name, err)
				}
				if n := len(err.Error()); n > 600 {
					t.Errorf("%s: got an error of %d bytes, want at most 600", name, n)
				}
			}
		})
	}
	if redirected {
		t.Error("got a redirect followed, want it to be an error")
	}
	if drained.Load() {
		t.Error("got an answer without an end read to its end, want it cut")
	}
}

// The date of each answer is passed on, also of one that is a failure, but for those that a cache made old.
func TestDatesOfAnswers(t *testing.T) {
	date := time.Date(2026, 11, 23, 17, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		name   string
		header http.Header
		status int
		want   int
	}{
		{"an answer", http.Header{}, http.StatusOK, 1},
		{"a failure", http.Header{}, http.StatusServiceUnavailable, 1},
		{"from a cache", http.Header{"Age": {"3600"}}, http.StatusOK, 0},
		{"no date", http.Header{"Date": {"yesterday"}}, http.StatusOK, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := 0
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Date", date.Format(http.TimeFormat))
				maps.Copy(w.Header(), tt.header)
				w.WriteHeader(tt.status)
			}))
			defer s.Close()
			api, err := url.Parse(s.URL)
			if err != nil {
				t.Fatal(err)
			}
			c, err := account.New(account.Config{
				API: api, Account: "a", Token: func() string { return "t" }, OnDate: func(at time.Time) {
					got++
					if !at.Equal(date) {
						t.Errorf("OnDate(%v), want %v", at, date)
					}
				},
			})
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			_, _ = c.DayUntil(t.Context(), quota.DayOf(date), date)
			if got != tt.want {
				t.Errorf("got %d dates, want %d", got, tt.want)
			}
		})
	}
}
