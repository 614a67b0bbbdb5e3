package workersai

import (
	"cmp"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/neuronward/neuronward/quota"
)

// keptHours is how long the account's own figure remembers.
const keptHours = 50

// spendings are what the account was billed, second by second and model by
// model, for its own figure.
type spendings struct {
	mu    sync.Mutex
	hours map[int64]map[spending]sums // by the hour of Unix time
}

type spending struct {
	second int64 // Unix time
	due    int64 // when the account's own figure has it
	model  string
}

type sums struct {
	neurons       quota.Neurons
	input, output int64
	calls         int64
}

func (s sums) plus(o sums) sums {
	return sums{s.neurons.Add(o.neurons), s.input + o.input, s.output + o.output, s.calls + o.calls}
}

func hourOf(second int64) int64 { return second / 3600 }

func (s *spendings) add(now, due time.Time, model string, more sums) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := spending{now.Unix(), due.Unix(), model}
	hour := s.hours[hourOf(k.second)]
	if hour == nil {
		hour = make(map[spending]sums)
		if s.hours == nil {
			s.hours = make(map[int64]map[spending]sums)
		}
		s.hours[hourOf(k.second)] = hour
		maps.DeleteFunc(s.hours, func(of int64, _ map[spending]sums) bool { return of < hourOf(k.second)-keptHours })
	}
	hour[k] = hour[k].plus(more)
}

// reset forgets all.
func (s *spendings) reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.hours)
}

// between sums up what was spent from one second to another, both included, by
// model, as far as it was due by then.
func (s *spendings) between(from, to, then int64) map[string]sums {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make(map[string]sums)
	for of, hour := range s.hours {
		if of < hourOf(from) || of > hourOf(to) {
			continue
		}
		for k, v := range hour {
			if k.second >= from && k.second <= to && k.due <= then {
				all[k.model] = all[k.model].plus(v)
			}
		}
	}
	return all
}

// Spend bills the account n for a model as if somebody else had called it. It
// reports false, and bills nothing, where the daily allocation is spent.
func (s *Simulator) Spend(model string, n quota.Neurons) bool {
	now := s.o.Now()
	if s.common.day.spent(now) {
		return false
	}
	s.billed.Add(int64(n))
	s.common.day.add(now, n)
	s.spent.add(now, now, model, sums{neurons: n, calls: 1})
	return true
}

type graphQLAnswer struct {
	Data   any            `json:"data"`
	Errors []graphQLError `json:"errors"`
}

type graphQLError struct {
	Message    string         `json:"message"`
	Path       []string       `json:"path"`
	Extensions map[string]any `json:"extensions"`
}

type usageGroup struct {
	Count      int64 `json:"count,omitempty"`
	Dimensions struct {
		Model string `json:"modelId"`
	} `json:"dimensions"`
	Sum struct {
		Input   int64   `json:"totalInputTokens"`
		Neurons float64 `json:"totalNeurons"`
		Output  int64   `json:"totalOutputTokens"`
	} `json:"sum"`
}

// graphQL answers the one query that is asked of Workers AI's usage: sums by
// model between two times. It reads the variables account, from, to and limit,
// and takes the query for granted if it names the dataset.
func (x *exchange) graphQL() *failure {
	var ask struct {
		Query     string `json:"query"`
		Variables struct {
			Account string    `json:"account"`
			From    time.Time `json:"from"`
			To      time.Time `json:"to"`
			Limit   int       `json:"limit"`
		} `json:"variables"`
	}
	o := &x.s.o
	err := json.Unmarshal(x.body, &ask)
	v := ask.Variables
	switch said := ""; {
	case err != nil || !strings.Contains(ask.Query, "aiInferenceAdaptiveGroups"):
		return x.graphQLFails("error parsing args for \"query\"", "parse_error")
	case o.GraphQLFails != nil:
		if said = o.GraphQLFails(x.now); said != "" {
			return x.graphQLFails(said, "")
		}
	}
	if o.NoAnalytics || o.AnalyticsToken != "" && x.bearer() != o.AnalyticsToken || o.Account != "" &&
		v.Account != o.Account {
		return x.graphQLFails("not authorized for that account", "authz")
	}
	then := x.now.Add(-o.AnalyticsLag).Unix()
	to := min(v.To.Unix(), then)
	groups := []usageGroup{}
	for model, sum := range x.s.spent.between(v.From.Unix(), to, then) {
		var g usageGroup
		g.Dimensions.Model = model
		if strings.Contains(ask.Query, " count ") {
			g.Count = sum.calls
		}
		g.Sum.Neurons, g.Sum.Input, g.Sum.Output = sum.neurons.Float(), sum.input, sum.output
		groups = append(groups, g)
	}
	slices.SortFunc(groups, func(a, b usageGroup) int { return cmp.Compare(a.Dimensions.Model, b.Dimensions.Model) })
	if v.Limit > 0 {
		groups = groups[:min(v.Limit, len(groups))]
	}
	type account struct {
		Groups []usageGroup `json:"aiInferenceAdaptiveGroups"`
	}
	data := map[string]any{"viewer": map[string]any{"accounts": []account{{groups}}}}
	return x.reads(graphQLAnswer{Data: data})
}

// graphQLFails says in a 200 why there is no data.
func (x *exchange) graphQLFails(text, code string) *failure {
	extensions := map[string]any{"timestamp": x.now.UTC().Format(time.RFC3339)}
	if code != "" {
		extensions["code"] = code
	}
	return x.reads(graphQLAnswer{Errors: []graphQLError{{
		Message: text, Path: []string{"viewer", "accounts", "0", "aiInferenceAdaptiveGroups"}, Extensions: extensions,
	}}})
}

// bearer is the token of the call.
func (x *exchange) bearer() string {
	_, token, _ := strings.Cut(x.r.Header.Get("Authorization"), " ")
	return token
}

type tokenState struct {
	ID     string `json:"id"`
	Status string `json:"status"`
}

// verifyToken says of the call's token, which was accepted, that it is one.
func (x *exchange) verifyToken() *failure {
	if x.s.o.AccountOwned == (x.route.account == "") {
		return invalidToken()
	}
	return x.reads(wrap(tokenState{ID: strings.ReplaceAll(tagID(x.bearer()), "-", ""), Status: "active"}))
}

// invalidToken is how tokens/verify refuses a token that is none.
func invalidToken() *failure {
	return &failure{wire: wire{1000, http.StatusUnauthorized, layerEdge, "Invalid API Token"}}
}

type accountEntry struct {
	ID string `json:"id"`
}
