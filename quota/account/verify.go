package account

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"
)

// Permissions, as Cloudflare's dashboard names them.
const (
	workersAI = "Workers AI: Read and Workers AI: Edit"
	analytics = "Account Analytics: Read"
)

// needing puts the missing permission into an *Error of kind Forbidden.
func needing(err error, permission string) error {
	if e, ok := err.(*Error); ok && e.Kind == Forbidden { //nolint:errorlint // it was just made
		e.Needs = permission
	}
	return err
}

// A Token is what Cloudflare says about the token itself.
type Token struct {
	Status    string    // "active", "disabled", "expired"
	ExpiresAt time.Time // zero: never
	Owned     bool      // by the account; else by a user
	Clock     Clock
}

// Active reports whether the token can be used.
func (t Token) Active() bool { return t.Status == "active" }

// A Clock is the difference between our clock and the server's.
type Clock struct {
	Known bool
	Ahead time.Duration // of our clock; below 0: it is behind
	Error time.Duration // of Ahead: the Date header is in whole seconds, and the answer took its time
}

// clock compares the clocks by one answer. Its Date is some moment between sending
// and receiving, cut to the second.
func (a answer) clock() Clock {
	if a.date.IsZero() {
		return Clock{}
	}
	middle := a.sent.Add(a.received.Sub(a.sent) / 2)
	half := time.Second / 2
	return Clock{Known: true, Ahead: middle.Sub(a.date.Add(half)), Error: a.received.Sub(a.sent)/2 + half}
}

// Verify asks whether the token is valid. Tokens of users and tokens of the account
// are verified at different paths; both are tried. What a valid token may do is
// another question.
func (c *Client) Verify(ctx context.Context) (Token, error) {
	t, err := c.verify(ctx, "/user/tokens/verify")
	if kind := KindOf(err); kind != BadToken && kind != Forbidden {
		return t, err // nil among them
	}
	if owned, other := c.verify(ctx, "/accounts/"+c.account+"/tokens/verify"); other == nil {
		owned.Owned = true
		return owned, nil
	}
	return t, err
}

func (c *Client) verify(ctx context.Context, path string) (Token, error) {
	var v struct {
		Status    string `json:"status"`
		ExpiresOn string `json:"expires_on"`
	}
	_, a, err := c.ask(ctx, http.MethodGet, path, nil, &v)
	t := Token{Clock: a.clock()}
	if err != nil {
		return t, err
	}
	t.Status = clip(v.Status)
	t.ExpiresAt, _ = time.Parse(time.RFC3339, v.ExpiresOn)
	return t, nil
}

// noSuchModel has the form of a model's name. No model has it.
const noSuchModel = "@cf/neuronward/no-such-model"

// permittedCodes are those by which Workers AI refuses a call of a caller who may
// call: for its input or its model, or since there are too many.
var permittedCodes = []int{3003, 3021, 3036, 3040, 3041, 3042, 4006, 5004, 5006, 5007, 5018}

// MayInfer returns nil if the token may run models of the account. It calls a
// model that does not exist, which costs nothing: only a caller who may call learns
// that it does not exist.
func (c *Client) MayInfer(ctx context.Context) error {
	path := "/accounts/" + c.account + "/ai/run/" + noSuchModel
	var none any
	_, _, err := c.ask(ctx, http.MethodPost, path, nil, &none)
	if e, ok := errors.AsType[*Error](err); ok && e.Status < 500 && slices.Contains(permittedCodes, e.Code) {
		return nil
	}
	return needing(err, workersAI)
}

// MayReadModels returns nil if the token may read the catalog of models.
func (c *Client) MayReadModels(ctx context.Context) error {
	var found []catalogModel
	path := "/accounts/" + c.account + "/ai/models/search"
	_, _, err := c.ask(ctx, http.MethodGet, path, url.Values{"per_page": {"1"}}, &found)
	return needing(err, workersAI)
}

// MayReadUsage returns nil if the token may read what the account was billed.
func (c *Client) MayReadUsage(ctx context.Context) error {
	now := time.Now()
	_, err := c.between(ctx, dayQuery, now.Add(-time.Hour), now, 1)
	return err
}

// Accounts returns the ids of the accounts that the token sees, at most 50. Some
// tokens see none, not even their own.
func (c *Client) Accounts(ctx context.Context) ([]string, error) {
	const limit = 50
	var found []struct {
		ID string `json:"id"`
	}
	query := url.Values{"per_page": {strconv.Itoa(limit)}}
	if _, _, err := c.ask(ctx, http.MethodGet, "/accounts", query, &found); err != nil {
		return nil, err
	}
	var ids []string
	for _, f := range found[:min(len(found), limit)] {
		ids = append(ids, f.ID)
	}
	return ids, nil
}
