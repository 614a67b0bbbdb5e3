package account_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/neuronward/neuronward/proxy/workersai"
	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/account"
)

func TestDayIsTheAccountsOwnFigure(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	said := ""
	sim := workersai.New(workersai.Options{
		Account: testAccount, Token: testToken, AnalyticsToken: reader, AnalyticsLag: 5 * time.Minute,
		Now: func() time.Time { return now }, GraphQLFails: func(time.Time) string { return said },
	})
	c := ask(t, sim, reader)
	today := quota.DayOf(now)
	spend := func(model string, n float64) {
		if !sim.Spend(model, quota.FromFloat(n)) {
			t.Fatal("there is no limit")
		}
	}
	spend("yesterday", 7)
	now = now.Add(24 * time.Hour)
	today++
	spend("m1", 1.5)
	spend("m2", 2.25)
	now = now.Add(time.Minute)
	spend("m1", 1)
	if u, err := c.Day(t.Context(), today); err != nil || u.Neurons != 0 || len(u.Models) != 0 {
		t.Errorf("before the lag is over: %+v, %v", u, err)
	}
	now = now.Add(4 * time.Minute)
	if u, err := c.Day(t.Context(), today); err != nil || u.Neurons != quota.FromFloat(3.75) {
		t.Errorf("as of the first minute: %+v, %v", u, err)
	}
	now = now.Add(time.Minute)
	u, err := c.Day(t.Context(), today)
	if err != nil || u.Neurons != quota.FromFloat(4.75) || len(u.Models) != 2 || u.Models[0].Model != "m1" || u.Models[0].Neurons != quota.FromFloat(2.5) || u.AskedAt.IsZero() {
		t.Errorf("%+v, %v", u, err)
	}
	if u.Models[0].Calls != 0 {
		t.Errorf("%d calls, which were not asked for", u.Models[0].Calls)
	}
	if u, err := c.CallsUntil(t.Context(), today, now); err != nil || len(u.Models) != 2 || u.Models[0].Calls != 2 || u.Models[1].Calls != 1 || u.Neurons != quota.FromFloat(4.75) {
		t.Errorf("with calls: %+v, %v", u, err)
	}
	if u, err := c.Day(t.Context(), today-1); err != nil || u.Neurons != quota.FromFloat(7) {
		t.Errorf("yesterday: %+v, %v", u, err)
	}
	if err := c.MayReadUsage(t.Context()); err != nil {
		t.Error(err)
	}
	for text, kind := range map[string]account.Kind{
		"not authorized for that account": account.Forbidden, "rate limiter budget depleted, please try again later": account.RateLimited,
		"internal server error": account.Unavailable, "cannot query field": account.Garbled,
	} {
		said = text
		if _, err := c.Day(t.Context(), today); account.KindOf(err) != kind {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestDayThatCannotBeBelieved(t *testing.T) {
	groups := func(list string) string {
		return `{"data":{"viewer":{"accounts":[{"aiInferenceAdaptiveGroups":` + list + `}]}},"errors":null}`
	}
	for name, c := range map[string]struct {
		body string
		kind account.Kind
	}{
		"an account that the token does not see": {`{"data":{"viewer":{"accounts":[]}},"errors":null}`, account.Forbidden},
		"no viewer":                              {`{"data":{},"errors":null}`, account.Garbled},
		"no data":                                {`{"data":null,"errors":null}`, account.Garbled},
		"no groups":                              {groups(`null`), account.Garbled},
		"below zero":                             {groups(`[{"sum":{"totalNeurons":-1}}]`), account.Garbled},
		"cut short":                              {groups(`[` + strings.Repeat(`{"sum":{}},`, 9999) + `{"sum":{}}]`), account.Garbled},
	} {
		u, err := ask(t, answering(200, c.body), testToken).Day(t.Context(), 20000)
		if err == nil || account.KindOf(err) != c.kind || u.Neurons != 0 || c.kind == account.Forbidden && !strings.HasSuffix(err.Error(), "grant Account Analytics: Read") {
			t.Errorf("%s: %+v, %v", name, u, err)
		}
	}
}

// A call through the simulated API is in the figure, too, with its tokens.
func TestDayCountsCalls(t *testing.T) {
	sim := workersai.New(workersai.Options{Account: testAccount, Token: testToken})
	c := ask(t, sim, testToken)
	r := httptest.NewRequest(http.MethodPost, "/client/v4/accounts/"+testAccount+"/ai/run/@cf/meta/llama-3.1-8b-instruct-fp8", strings.NewReader(`{"prompt":"Hello"}`))
	r.Header.Set("Authorization", "Bearer "+testToken)
	sim.ServeHTTP(httptest.NewRecorder(), r)
	u, err := c.Day(t.Context(), quota.DayOf(time.Now()))
	if err != nil || u.Neurons == 0 || u.Neurons != sim.Billed() || u.Models[0].Input == 0 || u.Models[0].Output == 0 {
		t.Errorf("%+v, %v; billed %v", u, err, sim.Billed())
	}
}
