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
	// With a clock that is further off than clockWarning, calls around midnight count for the wrong day; beyond
	// clockFailure certificates and rotated tokens can seem invalid.
	clockWarning = 2 * time.Second
	clockFailure = 5 * time.Minute

	expiresSoon = 14 * 24 * time.Hour
)

// checkCloudflare asks Cloudflare what the tokens may do. It calls no model.
func (k *checker) checkCloudflare(ctx context.Context) {
	c := k.c
	if !c.Token.IsSet() {
		k.warning("token", "set CLOUDFLARE_API_TOKEN unless callers are to bring their own",
			"none of this proxy's own: each caller's Authorization is passed on, and prices are the embedded ones")
	} else if client := k.newClient("token", &c.Token); client != nil {
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

// newClient returns a client with a token, nil where there cannot be one.
func (k *checker) newClient(check string, token *config.Secret) *account.Client {
	client, err := account.New(account.Config{API: k.c.API, Account: k.c.Account, Token: token.Value})
	if err != nil {
		k.failure(check, "write https:// in NEURONWARD_API",
			"it is not sent to %s: %s", k.c.API, strings.TrimPrefix(oneLine(err), "account: "))
		return nil
	}
	return client
}

// checkToken shows the state of a token. It reports whether Cloudflare answered.
func (k *checker) checkToken(check, variable string, token account.Token, err error) bool {
	switch kind := account.KindOf(err); {
	case err == nil && token.Active():
		whose := "a user's"
		if token.Owned {
			whose = "the account's"
		}
		expires := token.ExpiresAt.UTC().Format(time.RFC3339)
		switch {
		case token.ExpiresAt.IsZero():
			k.ok(check, "active, %s, does not expire", whose)
		case time.Until(token.ExpiresAt) < expiresSoon:
			k.warning(check, "roll it in Cloudflare's dashboard", "active, %s, expires at %s", whose, expires)
		default:
			k.ok(check, "active, %s, expires at %s", whose, expires)
		}
	case err == nil:
		k.failure(check, "make or enable one in Cloudflare's dashboard and set "+variable, "it is %s", token.Status)
	case kind == account.BadToken || kind == account.Forbidden:
		k.failure(check, "copy it again, or make a new one, and set "+variable,
			"Cloudflare does not know it: %s", answerText(err))
	case kind == account.RateLimited:
		k.warning(check, "try again in five minutes", "it was not verified: %s", answerText(err))
	default:
		k.failure("api", "check whether this machine may reach it, and NEURONWARD_API",
			"%s gives no answer that can be used: %s", k.c.API, answerText(err))
		return false
	}
	return true
}

func (k *checker) checkClock(clock account.Clock) {
	if !clock.Known {
		k.warning("clock", "make sure that this machine keeps time by NTP",
			"Cloudflare's answer has no date to compare with")
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
		k.failure(whose, "copy CLOUDFLARE_ACCOUNT_ID from the dashboard (Workers AI, Use REST API)",
			"Cloudflare knows no account %s: %s", c.Account, answerText(err))
	case kind == account.Forbidden || kind == account.BadToken:
		others, listed := client.Accounts(ctx)
		switch {
		case listed == nil && slices.Contains(others, c.Account):
			k.ok(whose, "%s, which the token is for", c.Account)
			k.failure(models, grant, "the token may not call models: %s", answerText(err))
		case listed == nil && len(others) > 0:
			k.failure(whose, "set CLOUDFLARE_ACCOUNT_ID to the token's account, or make a token for this one",
				"the token is not for %s but for %s", c.Account, some(others))
		default:
			k.failure(models, grant+"; if it has them, CLOUDFLARE_ACCOUNT_ID is another account's",
				"the token may not call models of %s: %s", c.Account, answerText(err))
		}
	default:
		k.warning(models, "try again", "it is not known whether the token may call models: %s", answerText(err))
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
	client := k.newClient(check, reader)
	if client == nil {
		return
	}
	defer client.Close()
	err := client.MayReadUsage(ctx)
	switch kind := account.KindOf(err); {
	case err == nil:
		k.ok(check, "the account's own figure can be read with %s", variable)
	case kind == account.Forbidden:
		k.warning(check,
			"grant Account Analytics: Read to the token, or set NEURONWARD_ANALYTICS_TOKEN to one that has it",
			"the account's own figure cannot be read with %s: %s", variable, answerText(err))
	case kind == account.BadToken:
		k.warning(check, "set "+variable+" to a token with Account Analytics: Read",
			"%s is not accepted: %s", variable, answerText(err))
	default:
		k.warning(check, "try again",
			"it is not known whether the account's own figure can be read: %s", answerText(err))
	}
}

// answerText is Cloudflare's answer alone: the line itself says what was asked, and what is missing.
func answerText(err error) string {
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

// some names the first few of many.
func some(names []string) string {
	const maxNames = 3
	if len(names) > maxNames {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:maxNames], ", "), len(names)-maxNames)
	}
	return strings.Join(names, ", ")
}
