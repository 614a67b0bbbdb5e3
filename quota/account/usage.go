package account

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/neuronward/neuronward/quota"
)

// maxGroups bounds the groups of one answer. There is one for each model.
const maxGroups = 10_000

// dayQuery asks what the models of an account have cost between two times, both
// included. modelQuery also asks how often they were called.
const (
	dayQuery   = queryHead + queryTail
	modelQuery = queryHead + " count " + queryTail

	queryHead = `query Neurons($account: string!, $from: Time!, $to: Time!, $limit: uint64!) {
  viewer {
    accounts(filter: {accountTag: $account}) {
      aiInferenceAdaptiveGroups(limit: $limit, filter: {datetime_geq: $from, datetime_leq: $to}) {
        sum { totalNeurons totalInputTokens totalOutputTokens }`

	queryTail = `
        dimensions { modelId }
      }
    }
  }
}`
)

// Usage is what an account was billed in a span of time, by its own figure, which
// lags behind by minutes.
type Usage struct {
	Neurons quota.Neurons
	Models  []ModelUsage // the dearest first
	AskedAt time.Time    // when the request was sent, by our clock
}

// ModelUsage is one model's part of it.
type ModelUsage struct {
	Model         string
	Neurons       quota.Neurons
	Input, Output int64 // tokens
	Calls         int64 // of CallsUntil
}

// Day returns what the account was billed on a UTC day, as far as Cloudflare has
// counted it. The token needs Account Analytics: Read.
func (c *Client) Day(ctx context.Context, day quota.Day) (Usage, error) {
	return c.between(ctx, dayQuery, day.Start(), day.End().Add(-time.Second), maxGroups)
}

// DayUntil returns what the account was billed from the beginning of a UTC day to
// until, that second included.
func (c *Client) DayUntil(ctx context.Context, day quota.Day, until time.Time) (Usage, error) {
	return c.between(ctx, dayQuery, day.Start(), until, maxGroups)
}

// CallsUntil is DayUntil with the number of calls of each model. The number is an
// estimate where Cloudflare counts a sample.
func (c *Client) CallsUntil(ctx context.Context, day quota.Day, until time.Time) (Usage, error) {
	return c.between(ctx, modelQuery, day.Start(), until, maxGroups)
}

func (c *Client) between(ctx context.Context, query string, from, to time.Time, limit int) (Usage, error) {
	var v struct {
		Viewer *struct {
			Accounts []struct {
				Groups *[]usageGroup `json:"aiInferenceAdaptiveGroups"`
			} `json:"accounts"`
		} `json:"viewer"`
	}
	a, err := c.graphQL(ctx, query, map[string]any{
		"account": c.account, "limit": limit,
		"from": from.UTC().Format(time.RFC3339), "to": to.UTC().Format(time.RFC3339),
	}, &v)
	switch {
	case err != nil:
		return Usage{}, err
	case v.Viewer != nil && len(v.Viewer.Accounts) == 0:
		return Usage{}, &Error{
			Kind: Forbidden, Path: graphQLPath, Needs: analytics, Status: a.status,
			Message: "the token sees no such account",
		}
	case v.Viewer == nil || len(v.Viewer.Accounts) != 1 || v.Viewer.Accounts[0].Groups == nil:
		return Usage{}, a.garbled(graphQLPath, "the answer has no groups")
	}
	groups := *v.Viewer.Accounts[0].Groups
	if len(groups) >= maxGroups {
		return Usage{}, a.garbled(graphQLPath, "the answer has as many groups as were asked for: it may be cut short")
	}
	u := Usage{AskedAt: a.sent}
	at := map[string]int{}
	for _, g := range groups {
		if !(g.Sum.Neurons >= 0 && g.Sum.Neurons <= 1e12) {
			return Usage{}, a.garbled(graphQLPath, "a sum of neurons is no amount")
		}
		i, ok := at[g.Dimensions.Model]
		if !ok {
			i = len(u.Models)
			at[g.Dimensions.Model] = i
			u.Models = append(u.Models, ModelUsage{Model: g.Dimensions.Model})
		}
		m, n := &u.Models[i], quota.FromFloat(g.Sum.Neurons)
		m.Neurons, u.Neurons = m.Neurons.Add(n), u.Neurons.Add(n)
		m.Calls += int64(g.Count)
		m.Input, m.Output = m.Input+int64(g.Sum.Input), m.Output+int64(g.Sum.Output)
	}
	slices.SortFunc(u.Models, func(a, b ModelUsage) int {
		return cmp.Or(cmp.Compare(b.Neurons, a.Neurons), strings.Compare(a.Model, b.Model))
	})
	return u, nil
}

type usageGroup struct {
	Sum struct {
		Neurons float64 `json:"totalNeurons"`
		Input   float64 `json:"totalInputTokens"`
		Output  float64 `json:"totalOutputTokens"`
	} `json:"sum"`
	Count      float64 `json:"count"`
	Dimensions struct {
		Model string `json:"modelId"`
	} `json:"dimensions"`
}

const graphQLPath = "/graphql"

// graphQL makes a query and decodes its data into data. An answer of GraphQL's has
// status 200 even where the query failed.
func (c *Client) graphQL(ctx context.Context, query string, variables map[string]any, data any) (answer, error) {
	a, err := c.send(ctx, http.MethodPost, graphQLPath, nil, map[string]any{"query": query, "variables": variables})
	if err != nil {
		return a, err
	}
	var e struct {
		Data   json.RawMessage `json:"data"`
		Errors []graphQLError  `json:"errors"`
	}
	if err := json.Unmarshal(a.body, &e); err != nil {
		return a, needing(a.refused(graphQLPath, nil), analytics)
	}
	if a.status != http.StatusOK || len(e.Errors) > 0 {
		return a, needing(a.graphQLRefused(e.Errors), analytics)
	}
	if err := json.Unmarshal(e.Data, data); err != nil {
		return a, a.garbled(graphQLPath, "the data has an unknown form")
	}
	return a, nil
}

type graphQLError struct {
	message
	Extensions struct {
		Code string `json:"code"` // "authz", "budget"
	} `json:"extensions"`
}

// UnmarshalJSON is needed because that of the embedded message would be used.
func (g *graphQLError) UnmarshalJSON(data []byte) error {
	if err := json.Unmarshal(data, &g.message); err != nil {
		return err
	}
	var more struct {
		Extensions struct {
			Code string `json:"code"`
		} `json:"extensions"`
	}
	if json.Unmarshal(data, &more) == nil { // extensions may have another form
		g.Extensions = more.Extensions
	}
	return nil
}

// graphQLRefused returns the error of a query that failed. Its kind is in the text
// and the extensions of GraphQL's errors, rather than in the status.
func (a answer) graphQLRefused(errs []graphQLError) *Error {
	messages := make([]message, len(errs))
	for i, g := range errs {
		messages[i] = g.message
	}
	e := a.refused(graphQLPath, messages)
	for _, g := range errs {
		text := strings.ToLower(g.Message)
		switch has := func(part string) bool { return strings.Contains(text, part) }; {
		case g.Extensions.Code == "authz", has("not authorized"), has("does not have access"):
			e.Kind = Forbidden
		case g.Extensions.Code == "budget", has("rate limit"), has("budget depleted"), has("too many"):
			e.Kind = RateLimited
		case has("authentication"), has("invalid token"):
			e.Kind = BadToken
		case a.status == http.StatusOK && (has("internal") || has("timed out") || has("try again")):
			e.Kind = Unavailable
		}
	}
	return e
}
