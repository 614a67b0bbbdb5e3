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
	failure := ""
	sim := workersai.New(workersai.Options{
		Account: testAccount, Token: testToken, AnalyticsToken: reader, AnalyticsLag: 5 * time.Minute,
		Now: func() time.Time { return now }, GraphQLFails: func(time.Time) string { return failure },
	})
	c := ask(t, sim, reader)
	today := quota.DayOf(now)
	spend := func(model string, n float64) {
		if !sim.Spend(model, quota.FromFloat(n)) {
			t.Fatalf("Spend(%s, %v) = false, want true", model, n)
		}
	}
	spend("yesterday", 7)
	now = now.Add(24 * time.Hour)
	today++
	spend("m1", 1.5)
	spend("m2", 2.25)
	now = now.Add(time.Minute)
	spend("m1", 1)
	u, err := c.Day(t.Context(), today)
	if err != nil {
		t.Fatal(err)
	}
	if u.Neurons != 0 || len(u.Models) != 0 {
		t.Errorf("before the lag is over: got %+v, want nothing", u)
	}
	now = now.Add(4 * time.Minute)
	if u, err := c.Day(t.Context(), today); err != nil || u.Neurons != quota.FromFloat(3.75) {
		t.Errorf("as of the first minute: got %+v, %v; want 3.75 neurons", u, err)
	}
	now = now.Add(time.Minute)
	u, err = c.Day(t.Context(), today)
	if err != nil {
		t.Fatal(err)
	}
	if u.Neurons != quota.FromFloat(4.75) || len(u.Models) != 2 {
		t.Fatalf("got %+v, want 4.75 neurons of two models", u)
	}
	dearest := account.ModelUsage{Model: "m1", Neurons: quota.FromFloat(2.5)} // calls are not asked for
	if got := u.Models[0]; got != dearest {
		t.Errorf("got %+v first, want %+v", got, dearest)
	}
	if u.AskedAt.IsZero() {
		t.Errorf("got %v as the time of the request, want it set", u.AskedAt)
	}
	u, err = c.CallsUntil(t.Context(), today, now)
	if err != nil {
		t.Fatal(err)
	}
	if u.Neurons != quota.FromFloat(4.75) || len(u.Models) != 2 {
		t.Fatalf("with calls: got %+v, want 4.75 neurons of two models", u)
	}
	if first, second := u.Models[0].Calls, u.Models[1].Calls; first != 2 || second != 1 {
		t.Errorf("with calls: got %d and %d calls, want 2 and 1", first, second)
	}
	if u, err := c.Day(t.Context(), today-1); err != nil || u.Neurons != quota.FromFloat(7) {
		t.Errorf("yesterday: got %+v, %v; want 7 neurons", u, err)
	}
	if err := c.MayReadUsage(t.Context()); err != nil {
		t.Error(err)
	}
	for text, kind := range map[string]account.Kind{
		"not authorized for that account":                      account.Forbidden,
		"rate limiter budget depleted, please try again later": account.RateLimited,
		"internal server error":                                account.Unavailable,
		"cannot query field":                                   account.Garbled,
	} {
		failure = text
		if _, err := c.Day(t.Context(), today); account.KindOf(err) != kind {
			t.Errorf("%s: got %v, want an error of kind %q", text, err, kind)
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
		"an unknown account": {`{"data":{"viewer":{"accounts":[]}},"errors":null}`, account.Forbidden},
		"no viewer":          {`{"data":{},"errors":null}`, account.Garbled},
		"no data":            {`{"data":null,"errors":null}`, account.Garbled},
		"no groups":          {groups(`null`), account.Garbled},
		"below zero":         {groups(`[{"sum":{"totalNeurons":-1}}]`), account.Garbled},
		"cut short":          {groups(`[` + strings.Repeat(`{"sum":{}},`, 9999) + `{"sum":{}}]`), account.Garbled},
	} {
		u, err := ask(t, answering(200, c.body), testToken).Day(t.Context(), 20000)
		if err == nil || account.KindOf(err) != c.kind {
			t.Fatalf("%s: got %v, want an error of kind %q", name, err, c.kind)
		}
		if u.Neurons != 0 {
			t.Errorf("%s: got %v neurons, want 0", name, u.Neurons)
		}
		const needs = "grant Account Analytics: Read"
		if c.kind == account.Forbidden && !strings.HasSuffix(err.Error(), needs) {
			t.Errorf("%s: got %v, want an error that ends with %q", name, err, needs)
		}
	}
}

// A call through the simulated API is in the figure, too, with its tokens.
func TestDayCountsCalls(t *testing.T) {
	sim := workersai.New(workersai.Options{Account: testAccount, Token: testToken})
	c := ask(t, sim, testToken)
	path := "/client/v4/accounts/" + testAccount + "/ai/run/@cf/meta/llama-3.1-8b-instruct-fp8"
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(`{"prompt":"Hello"}`))
	r.Header.Set("Authorization", "Bearer "+testToken)
	sim.ServeHTTP(httptest.NewRecorder(), r)
	u, err := c.Day(t.Context(), quota.DayOf(time.Now()))
	if err != nil {
		t.Fatal(err)
	}
	if u.Neurons == 0 || u.Neurons != sim.Billed() {
		t.Errorf("got %v neurons, want the %v that were billed", u.Neurons, sim.Billed())
	}
	if u.Models[0].Input == 0 || u.Models[0].Output == 0 {
		t.Errorf("got %+v, want some tokens", u.Models[0])
	}
}
