package account_test

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/neuronward/neuronward/proxy/workersai"
	"github.com/neuronward/neuronward/quota/account"
)

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
				if got := account.KindOf(err); got != c.kind {
					t.Errorf("got kind %q (%v), want %q", got, err, c.kind)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if !token.Active() || token.Owned != c.owned {
				t.Errorf("got %+v, want an active one, owned by the account: %v", token, c.owned)
			}
			if !token.Clock.Known || token.Clock.Ahead.Abs() > 2*time.Second {
				t.Errorf("got %+v, want the same clock", token.Clock)
			}
		})
	}
}

func TestVerifyReadsExpiryAndClock(t *testing.T) {
	body := `{"success":true,"result":{"status":"disabled","expires_on":"2027-01-02T03:04:05Z"}}`
	hourAgo := time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat)
	token, err := ask(t, answering(200, body, "Date", hourAgo), testToken).Verify(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if token.Active() {
		t.Errorf("got %+v, want one that is not active", token)
	}
	if got := token.ExpiresAt.Year(); got != 2027 {
		t.Errorf("got the year %d, want 2027", got)
	}
	if off := token.Clock.Ahead - time.Hour; off.Abs() > 2*time.Second {
		t.Errorf("got a clock that is ahead by %v, want 1h", token.Clock.Ahead)
	}
}

func TestPermissions(t *testing.T) {
	sim := workersai.New(workersai.Options{Account: testAccount, Token: testToken, NoAnalytics: true})
	c := ask(t, sim, testToken)
	if err := errors.Join(c.MayReadModels(t.Context()), c.MayInfer(t.Context())); err != nil {
		t.Error(err)
	}
	if got := sim.Calls(); got != 0 {
		t.Errorf("got %d calls of a model, want 0", got)
	}
	if ids, err := c.Accounts(t.Context()); err != nil || !slices.Equal(ids, []string{testAccount}) {
		t.Errorf("got %v, %v; want %s", ids, err, testAccount)
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
			t.Errorf("%s: got %v, want %q that ends with %q", name, c.err, account.Forbidden, c.needs)
		}
	}
}
