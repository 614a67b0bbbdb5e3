package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/neuronward/neuronward/cmd/neuronward/config"
	"github.com/neuronward/neuronward/quota/account"
)

const (
	// A clock that is further off than clockWarning spends neurons on the wrong day around midnight; beyond clockFailure
	// certificates and rotated tokens begin to seem invalid.
	clockWarning = 2 * time.Second
	clockFailure = 5 * time.Minute

	expiresSoon = 14 * 24 * time.Hour
)

// checkCloudflare asks Cloudflare what the tokens are good for. It calls no model.
func (k *checker) checkCloudflare(ctx context.Context) {
	c := k.c
	if !c.Token.IsSet() {
		k.warning("token", "set CLOUDFLARE_API_TOKEN unless callers are to bring their own", "none of this proxy's own: each caller's Authorization passes through, and prices are the embedded ones")
	} else if client := k.asker("token", &c.Token); client != nil {
		defer client.Close()
		token, err := client.Verify(ctx)
		if reached := k.checkToken("token", "CLOUDFLARE_API_TOKEN", token, err); !reached {
			return
		}
		k.checkClock(token.Clock)
		if err != nil || !token.Active() {
			return
		}
		k.checkWorkersAI(ctx, client)
	}
	k.checkAnalytics(ctx)
}

// asker returns a client with a token, nil where there cannot be one.
func (k *checker) asker(check string, token *config.Secret) *account.Client {
	client, err := account.New(account.Config{API: k.c.API, Account: k.c.Account, Token: token.Value})
	if err != nil {
		k.failure(check, "write https:// in NEURONWARD_API", "it is not sent to %s: %s", k.c.API, strings.TrimPrefix(oneLine(err), "account: "))
		return nil
	}
	return client
}

// checkToken says what Cloudflare says of a token itself. It reports whether there was an answer.
func (k *checker) checkToken(check, variable string, token account.Token, err error) bool {
	switch kind := account.KindOf(err); {
	case err == nil && token.Active():
		whose := "a user's"
		if token.Owned {
			whose = "the account's"
		}
		switch left := time.Until(token.ExpiresAt); {
		case token.ExpiresAt.IsZero():
			k.ok(check, "active, %s, does not expire", whose)
		case left < expiresSoon:
			k.warning(check, "roll it in Cloudflare's dashboard", "active, %s, expires at %s", whose, token.ExpiresAt.UTC().Format(time.RFC3339))
		default:
			k.ok(check, "active, %s, expires at %s", whose, token.ExpiresAt.UTC().Format(time.RFC3339))
		}
	case err == nil:
		k.failure(check, "make or enable one in Cloudflare's dashboard and set "+variable, "it is %s", token.Status)
	case kind == account.BadToken || kind == account.Forbidden:
		k.failure(check, "copy it again, or make a new one, and set "+variable, "Cloudflare does not know it: %s", said(err))
	case kind == account.RateLimited:
		k.warning(check, "try again in five minutes", "it was not verified: %s", said(err))
	default:
		k.failure("api", "see whether this machine may reach it, and what NEURONWARD_API says", "%s gives no answer that could be used: %s", k.c.API, said(err))
		return false
	}
	return true
}

func (k *checker) checkClock(clock account.Clock) {
	if !clock.Known {
		k.warning("clock", "see that this machine keeps time by NTP", "Cloudflare's answer has no date to compare with")
		return
	}
	off, side := clock.Ahead.Abs(), "ahead of"
	if clock.Ahead < 0 {
		side = "behind"
	}
	const action = "set this machine's clock by NTP: the day of neurons begins at 00:00 UTC"
	switch {
	case off > clockFailure+clock.Error:
		k.failure("clock", action, "%v %s Cloudflare's", off.Round(time.Second), side)
	case off > clockWarning+clock.Error:
		k.warning("clock", action, "%v %s Cloudflare's", off.Round(time.Second), side)
	default:
		k.ok("clock", "within 2s of Cloudflare's")
	}
}

// checkWorkersAI says whether the token may call the account's models.
func (k *checker) checkWorkersAI(ctx context.Context, client *account.Client) {
	c := k.c
	const (
		whose, models = "account", "workers_ai"
		grant         = "give the token Workers AI: Read and Workers AI: Edit for this account"
	)
	err := client.MayInfer(ctx)
	if err == nil {
		err = client.MayReadModels(ctx)
	}
	switch kind := account.KindOf(err); {
	case err == nil:
		k.ok(whose, "%s, which the token is for", c.Account)
		k.ok(models, "the token may call models and read their prices")
	case kind == account.NoAccount:
		k.failure(whose, "copy CLOUDFLARE_ACCOUNT_ID from the dashboard (Workers AI, Use REST API)", "Cloudflare knows no account %s: %s", c.Account, said(err))
	case kind == account.Forbidden || kind == account.BadToken:
		others, listed := client.Accounts(ctx)
		switch {
		case listed == nil && slices.Contains(others, c.Account):
			k.ok(whose, "%s, which the token is for", c.Account)
			k.failure(models, grant, "the token may not call models: %s", said(err))
		case listed == nil && len(others) > 0:
			k.failure(whose, "set CLOUDFLARE_ACCOUNT_ID to the token's account, or make a token for this one", "the token is not for %s but for %s", c.Account, some(others))
		default:
			k.failure(models, grant+"; if it has them, CLOUDFLARE_ACCOUNT_ID is another account's", "the token may not call models of %s: %s", c.Account, said(err))
		}
	default:
		k.warning(models, "try again", "it was not found out whether the token may call models: %s", said(err))
	}
}

// checkAnalytics says whether the account's own figure could be read. Without it calls are served all the same.
func (k *checker) checkAnalytics(ctx context.Context) {
	c := k.c
	const check = "analytics"
	reader, variable := &c.AnalyticsToken, "NEURONWARD_ANALYTICS_TOKEN"
	if !reader.IsSet() {
		reader, variable = &c.Token, "CLOUDFLARE_API_TOKEN"
	}
	if !reader.IsSet() {
		return
	}
	client := k.asker(check, reader)
	if client == nil {
		return
	}
	defer client.Close()
	err := client.MayReadUsage(ctx)
	switch kind := account.KindOf(err); {
	case err == nil:
		k.ok(check, "the account's own figure can be read with %s", variable)
	case kind == account.Forbidden:
		k.warning(check, "grant Account Analytics: Read to the token, or set NEURONWARD_ANALYTICS_TOKEN to one that has it",
			"the account's own figure cannot be read with %s: %s", variable, said(err))
	case kind == account.BadToken:
		k.warning(check, "set "+variable+" to a token with Account Analytics: Read", "%s is not accepted: %s", variable, said(err))
	default:
		k.warning(check, "try again", "it was not found out whether the account's own figure can be read: %s", said(err))
	}
}

// said is what Cloudflare said, without what was asked and what is missing, which the line says itself.
func said(err error) string {
	e, ok := err.(*account.Error) //nolint:errorlint // the client returns nothing else
	if !ok {
		return oneLine(err)
	}
	switch {
	case e.Code != 0:
		return fmt.Sprintf("%d %s (code %d)", e.Status, e.Message, e.Code)
	case e.Status != 0:
		return fmt.Sprintf("%d %s", e.Status, e.Message)
	}
	return e.Message
}

// some names a few of many.
func some(names []string) string {
	const most = 3
	if len(names) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	return strings.Join(names, ", ")
}
