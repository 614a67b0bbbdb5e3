package account

import (
	"context"
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

// needing puts the permission that is missing into an *Error of kind Forbidden.
func needing(err error, permission string) error {
	if e, ok := err.(*Error); ok && e.Kind == Forbidden { //nolint:errorlint // it was just made
		e.Needs = permission
	}
	return err
}

// A Token is what Cloudflare says of the token itself.
type Token struct {
	Status    string    // "active", "disabled", "expired"
	ExpiresAt time.Time // zero: never
	Owned     bool      // by the account and not by a user
	Clock     Clock
}

// Active reports whether the token can be used.
func (t Token) Active() bool { return t.Status == "active" }

// A Clock is how far ours is from the server's.
type Clock struct {
	Known bool
	Ahead time.Duration // ours, of the server's; below 0: behind
	Error time.Duration // by which Ahead may be wrong: the Date header has no fractions, and the answer took its time
}

// clock compares the clocks by one answer. Its Date is of some moment between
// sending and coming back, cut to the second.
func (a answer) clock() Clock {
	if a.date.IsZero() {
		return Clock{}
	}
	middle := a.sent.Add(a.came.Sub(a.sent) / 2)
	half := time.Second / 2
	return Clock{Known: true, Ahead: middle.Sub(a.date.Add(half)), Error: a.came.Sub(a.sent)/2 + half}
}

// Verify asks whether the token is one. A user's token and one that the account
// owns are verified at different paths; whichever knows it answers. That it is
// active does not say what it may do.
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

// noSuchModel is a name in the form of a model's that Cloudflare gives to none.
const noSuchModel = "@cf/neuronward/no-such-model"

// Codes by which Workers AI refuses a call once it has let the caller in, for
// its input, its model or because it is too much.
var insideCodes = []int{3003, 3021, 3036, 3040, 3041, 3042, 4006, 5004, 5006, 5007, 5018}

// MayInfer returns nil if the token may run models of the account. It calls a
// model that does not exist, which costs nothing: only who may call is told so.
func (c *Client) MayInfer(ctx context.Context) error {
	path := "/accounts/" + c.account + "/ai/run/" + noSuchModel
	var none any
	_, _, err := c.ask(ctx, http.MethodPost, path, nil, &none)
	if e, ok := err.(*Error); ok && e.Status < 500 && slices.Contains(insideCodes, e.Code) { //nolint:errorlint // it was just made
		return nil
	}
	return needing(err, workersAI)
}

// MayReadModels returns nil if the token may read the catalog of models.
func (c *Client) MayReadModels(ctx context.Context) error {
	var found []catalogModel
	_, _, err := c.ask(ctx, http.MethodGet, "/accounts/"+c.account+"/ai/models/search", url.Values{"per_page": {"1"}}, &found)
	return needing(err, workersAI)
}

// MayReadUsage returns nil if the token may read what the account was billed.
func (c *Client) MayReadUsage(ctx context.Context) error {
	now := time.Now()
	_, err := c.between(ctx, dayQuery, now.Add(-time.Hour), now, 1)
	return err
}

// Accounts returns the ids of accounts that the token sees, at most 50. That ours
// is not among them says something only where there are others.
func (c *Client) Accounts(ctx context.Context) ([]string, error) {
	const most = 50
	var found []struct {
		ID string `json:"id"`
	}
	if _, _, err := c.ask(ctx, http.MethodGet, "/accounts", url.Values{"per_page": {strconv.Itoa(most)}}, &found); err != nil {
		return nil, err
	}
	var ids []string
	for _, f := range found[:min(len(found), most)] {
		ids = append(ids, f.ID)
	}
	return ids, nil
}
