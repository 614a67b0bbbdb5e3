package account_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/neuronward/neuronward/proxy/workersai"
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

// answering answers everything alike.
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
		"https://api.example.com/client/v4": true, "http://127.0.0.1:1/client/v4": true, "http://[::1]/x": true, "http://localhost/x": true,
		"http://api.example.com/client/v4": false, "/client/v4": false,
	} {
		u, err := url.Parse(api)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := account.New(account.Config{API: u, Account: "a", Token: token}); (err == nil) != fine {
			t.Errorf("%s: %v", api, err)
		}
	}
	for _, c := range []account.Config{{Account: "a", Token: token}, {API: &url.URL{Scheme: "https", Host: "x"}, Token: token}, {API: &url.URL{Scheme: "https", Host: "x"}, Account: "a"}} {
		if _, err := account.New(c); err == nil {
			t.Errorf("%+v is complete", c)
		}
	}
}

func TestModelsReadsAllPages(t *testing.T) {
	c := ask(t, workersai.New(workersai.Options{Account: testAccount, Token: testToken}), testToken)
	models, err := c.Models(t.Context())
	if err != nil || len(models) != 73 {
		t.Fatalf("%d models, %v", len(models), err)
	}
	by := map[string]account.Model{}
	for _, m := range models {
		by[m.Name] = m
	}
	kimi := by["@cf/moonshotai/kimi-k2.6"]
	if kimi.Task != "Text Generation" || kimi.ContextWindow != 262144 || !kimi.RequiresWorkersPaid || len(kimi.Prices) != 3 || kimi.Prices[0] != (account.Tag{Unit: "per M input tokens", USD: 0.950004}) {
		t.Errorf("%+v", kimi)
	}
	if old := by["@cf/meta/llama-3-8b-instruct"]; old.DeprecatedOn != "2026-05-30" {
		t.Errorf("%+v", old)
	}
	if beta := by["@cf/lykon/dreamshaper-8-lcm"]; !beta.Beta || len(beta.Prices) != 1 || beta.Prices[0].USD != 0 {
		t.Errorf("%+v", beta)
	}
}

func TestModelsThatServersPageOtherwise(t *testing.T) {
	page := func(names ...string) string {
		var b strings.Builder
		for i, n := range names {
			if i > 0 {
				b.WriteString(",")
			}
			b.WriteString(`{"name":"` + n + `"}`)
		}
		return `{"success":true,"result":[` + b.String() + `]}`
	}
	cases := []struct {
		name  string
		pages map[string]string // the last is for all others
		want  int               // models; below 0: an error
		asked int
	}{
		{"pages that are capped", map[string]string{"1": page("a", "b"), "2": page("c", "d"), "": page("e")}, 5, 3},
		{"a page that is asked for in vain", map[string]string{"": page("a", "b")}, 2, 2},
		{"an empty page at the end", map[string]string{"1": page("a", "b"), "": page()}, 2, 2},
		{"nothing", map[string]string{"": page()}, -1, 1},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			asked := 0
			client := ask(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				asked++
				body, ok := c.pages[r.URL.Query().Get("page")]
				if !ok {
					body = c.pages[""]
				}
				_, _ = io.WriteString(w, body)
			}), testToken)
			models, err := client.Models(t.Context())
			if c.want < 0 != (err != nil) || err == nil && len(models) != c.want || asked != c.asked {
				t.Errorf("%d models of %d pages, %v", len(models), asked, err)
			}
		})
	}
	asked := 0
	endless := ask(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked++
		_, _ = io.WriteString(w, page("p"+r.URL.Query().Get("page")))
	}), testToken)
	if _, err := endless.Models(t.Context()); account.KindOf(err) != account.Garbled || asked != 20 {
		t.Errorf("a catalog without an end was asked %d times: %v", asked, err)
	}
}

func TestVerify(t *testing.T) {
	owned := workersai.New(workersai.Options{Account: testAccount, Token: testToken, AccountOwned: true})
	users := workersai.New(workersai.Options{Account: testAccount, Token: testToken})
	for _, c := range []struct {
		name  string
		h     http.Handler
		token string
		owned bool
		kind  account.Kind // of the error; Canceled: none
	}{
		{"a user's", users, testToken, false, account.Canceled},
		{"the account's", owned, testToken, true, account.Canceled},
		{"a wrong one", users, "wrong-token-0123456789", false, account.BadToken},
		{"none", users, "", false, account.NoToken},
		{"an outage", answering(502, "<html>"), testToken, false, account.Unavailable},
	} {
		t.Run(c.name, func(t *testing.T) {
			token, err := ask(t, c.h, c.token).Verify(t.Context())
			if c.kind != account.Canceled {
				if account.KindOf(err) != c.kind {
					t.Errorf("%v", err)
				}
				return
			}
			if err != nil || !token.Active() || token.Owned != c.owned || !token.Clock.Known || token.Clock.Ahead.Abs() > 2*time.Second {
				t.Errorf("%+v, %v", token, err)
			}
		})
	}
	skewed := time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat)
	token, err := ask(t, answering(200, `{"success":true,"result":{"status":"disabled","expires_on":"2027-01-02T03:04:05Z"}}`, "Date", skewed), testToken).Verify(t.Context())
	if err != nil || token.Active() || token.ExpiresAt.Year() != 2027 || token.Clock.Ahead < time.Hour-2*time.Second || token.Clock.Ahead > time.Hour+2*time.Second {
		t.Errorf("%+v, %v", token, err)
	}
}

func TestPermissions(t *testing.T) {
	sim := workersai.New(workersai.Options{Account: testAccount, Token: testToken, NoAnalytics: true})
	c := ask(t, sim, testToken)
	if err := errors.Join(c.MayReadModels(t.Context()), c.MayInfer(t.Context())); err != nil {
		t.Error(err)
	}
	if sim.Calls() != 0 {
		t.Error("the question reached a model")
	}
	if ids, err := c.Accounts(t.Context()); err != nil || len(ids) != 1 || ids[0] != testAccount {
		t.Errorf("%v, %v", ids, err)
	}
	other := ask(t, workersai.New(workersai.Options{Account: "other", Token: testToken}), testToken)
	for name, c := range map[string]struct {
		err   error
		needs string
	}{
		"usage":     {c.MayReadUsage(t.Context()), "grant Account Analytics: Read"},
		"inference": {other.MayInfer(t.Context()), "grant Workers AI: Read and Workers AI: Edit"},
		"models":    {other.MayReadModels(t.Context()), "grant Workers AI: Read and Workers AI: Edit"},
	} {
		if account.KindOf(c.err) != account.Forbidden || !strings.HasSuffix(c.err.Error(), c.needs) {
			t.Errorf("%s: %v", name, c.err)
		}
	}
}

func TestFailures(t *testing.T) {
	var drained atomic.Bool
	redirected := false
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { redirected = true }))
	t.Cleanup(elsewhere.Close)
	cases := []struct {
		name  string
		h     http.Handler
		kind  account.Kind
		retry time.Duration
	}{
		{"rate limit", answering(429, `{"success":false,"errors":[{"code":10429,"message":"slow down"}]}`, "Retry-After", "7"), account.RateLimited, 7 * time.Second},
		{"rate limit of all the API", answering(403, `{"success":false,"errors":[{"code":"971","message":"x"}]}`), account.RateLimited, 0},
		{"an absurd Retry-After", answering(429, ``, "Retry-After", "999999999"), account.RateLimited, 24 * time.Hour},
		{"HTML", answering(502, `<html>`), account.Unavailable, 0},
		{"a failure inside 200", answering(200, `{"success":false,"errors":[{"code":10000,"message":"Authentication error"}]}`), account.Forbidden, 0},
		{"no token", answering(401, `{"success":false,"errors":[{"code":10000,"message":"Authentication error"}]}`), account.BadToken, 0},
		{"no header", answering(400, `{"success":false,"errors":[{"code":9106,"message":"Missing"}]}`), account.BadToken, 0},
		{"no such account", answering(404, `{"success":false,"errors":[{"code":7003,"message":"Could not route"}]}`), account.NoAccount, 0},
		{"no JSON", answering(200, `hello`), account.Garbled, 0},
		{"another form", answering(200, `{"success":true,"result":"x"}`), account.Garbled, 0},
		{"an answer without an end", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			for range 64 << 20 >> 16 {
				if _, err := w.Write(make([]byte, 1<<16)); err != nil {
					return
				}
			}
			drained.Store(true)
		}), account.Garbled, 0},
		{"a redirect", http.RedirectHandler(elsewhere.URL, http.StatusFound), account.Garbled, 0},
		{"a broken connection", http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }), account.Unreachable, 0},
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
					t.Fatalf("%s: %v", name, err)
				}
				kind := c.kind
				if name == "day" && c.name == "a failure inside 200" { // GraphQL's words for a bad token; it has others for permissions
					kind = account.BadToken
				}
				if e.Kind != kind || e.RetryAfter != c.retry {
					t.Errorf("%s: kind %q, retry after %v: %v", name, e.Kind, e.RetryAfter, err)
				}
				if strings.Contains(err.Error(), "canary") || len(err.Error()) > 600 {
					t.Errorf("%s: %v", name, err)
				}
			}
		})
	}
	if redirected || drained.Load() {
		t.Errorf("a redirect was followed: %v; an answer without an end was read: %v", redirected, drained.Load())
	}
}
