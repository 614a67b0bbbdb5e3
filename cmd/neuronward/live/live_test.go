package live

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/neuronward/neuronward/proxy/workersai"
	"github.com/neuronward/neuronward/quota/account"
	"github.com/neuronward/neuronward/quota/price"
)

const (
	testAccount = "0123456789abcdef0123456789abcdef"
	testToken   = "fake-token-abcdefghijklmnopqrstuvwxyz012"
)

// A service is a simulated Workers AI that is called without a network.
type service struct {
	sim      http.Handler
	simulate map[string]string // x-simulate of calls by their names
	prices   *price.Table      // nil: the embedded one
	first    func(told string) // called with the progress before the first call; may be nil
	told     strings.Builder   // progress
	calls    int
}

func (s *service) RoundTrip(r *http.Request) (res *http.Response, err error) {
	r = r.Clone(r.Context())
	if strings.Contains(r.URL.Path, "/ai/") {
		if s.calls == 0 && s.first != nil {
			s.first(s.told.String())
		}
		r.Header.Set(workersai.SimulateHeader, s.simulate[calls[s.calls].name])
		s.calls++
	}
	defer func() {
		if recover() != nil {
			err = io.ErrUnexpectedEOF
		}
	}()
	w := httptest.NewRecorder()
	s.sim.ServeHTTP(w, r)
	return w.Result(), nil
}

// examined looks at a service. It returns the lines of progress, too.
func examined(t *testing.T, s *service, wait time.Duration) (Report, string, error) {
	t.Helper()
	api := &url.URL{Scheme: "https", Host: "api.example", Path: "/client/v4"}
	token := func() string { return testToken }
	client, err := account.New(account.Config{API: api, Account: testAccount, Token: token, Transport: s})
	if err != nil {
		t.Fatal(err)
	}
	r, err := Look(t.Context(), Config{
		API: api, Account: testAccount, Token: token, Figure: client, Wait: wait, Transport: s,
		Prices:   cmp.Or(s.prices, price.Embedded()),
		Progress: func(line string) { s.told.WriteString(line + "\n") },
	})
	return r, s.told.String(), err
}

func newSimulator(change func(*workersai.Options)) *workersai.Simulator {
	o := workersai.Options{Account: testAccount, Token: testToken}
	if change != nil {
		change(&o)
	}
	return workersai.New(o)
}

// differing returns the names of the points that differ, and of those that were not seen.
func differing(r Report) (differ, hidden []string) {
	for _, p := range r.Points {
		switch p.Result {
		case Differs:
			differ = append(differ, p.Name)
		case Unseen:
			hidden = append(hidden, p.Name)
		}
	}
	return differ, hidden
}

func TestAllAgrees(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Hour) // since midnight
		sim := newSimulator(nil)
		r, _, err := examined(t, &service{sim: sim}, 0)
		if err != nil {
			t.Fatal(err)
		}
		if differ, hidden := differing(r); !r.OK || differ != nil || hidden != nil {
			t.Errorf("got ok %v, %v differ, %v are not seen, want all to agree: %+v", r.OK, differ, hidden, r.Points)
		}
		if got, want := r.Neurons, sim.Billed().Float(); got < want-0.01 || got > want+0.01 {
			t.Errorf("cost: got %v, want the %v that were billed", got, want)
		}
		if sim.Billed() >= maxNeurons {
			t.Errorf("cost: got %v, want less than %v", sim.Billed(), maxNeurons)
		}
		for _, c := range r.Calls {
			if c.Neurons != nil && *c.Neurons > c.Bound {
				t.Errorf("%s: got %v neurons, want at most the %v that were told before", c.Name, *c.Neurons, c.Bound)
			}
		}
	})
}

// Each point can be seen to differ, and then it is the only one.
func TestEachPointDiffers(t *testing.T) {
	at := func(call, simulate string) map[string]string { return map[string]string{call: simulate} }
	cheaper := func(model string) func(*workersai.Options) {
		return func(o *workersai.Options) {
			row, _ := price.Embedded().Row(model)
			row.InputPerM /= 2
			o.Prices, _ = price.Embedded().WithCatalog("2026-11-30", []price.CatalogPrice{
				{Model: model, Row: row, Priced: true},
			})
		}
	}
	type difference struct {
		point    string
		simulate map[string]string
		change   func(*workersai.Options)
		wait     time.Duration
	}
	cases := []difference{
		{point: "chat.answer", simulate: at("chat", "3040")},
		{point: "chat.usage", simulate: at("chat", "differ=neurons")},
		{point: "chat.price", change: cheaper(chatModel)},
		{point: "chat.header", simulate: at("chat", "differ=header")},
		{point: "stream.answer", simulate: at("stream", "first=3040")},
		{point: "stream.usage", simulate: at("stream", "usage=nothing")},
		{point: "stream.sum", simulate: at("stream", "differ=sum")},
		{point: "stream.price", change: cheaper(streamModel)},
		{point: "stream.header", simulate: at("stream", "differ=header")},
		{point: "stream.end", simulate: at("stream", "differ=order")},
		{point: "stream.end", simulate: at("stream", "midstream=end; after=1000")},
		{point: "embeddings.answer", simulate: at("embeddings", "3040")},
		{point: "embeddings.cost", simulate: at("embeddings", "usage=nothing")},
		{point: "run.answer", simulate: at("run", "ok-false")},
		{point: "run.usage", simulate: at("run", "differ=neurons")},
		{point: "run.price", change: cheaper(runModel)},
		{point: "run.header", simulate: at("run", "differ=header")},
		{point: "bound.output", simulate: at("chat", "differ=limit; tokens=17")},
		{point: "bound.prompt", simulate: at("chat", "differ=prompt")},
		{point: "unknown_model.status", simulate: at("unknown_model", "5007; status=404")},
		{point: "unknown_model.code", simulate: at("unknown_model", "5007; code=string")},
		{point: "unknown_model.code", simulate: at("unknown_model", "5006")},
		{point: "unknown_model.shape", simulate: at("unknown_model", "5007; shape=flat")},
		{point: "bad_body.status", simulate: at("bad_body", "5006; status=422")},
		{point: "bad_body.code", simulate: at("bad_body", "5006; code=none")},
		{point: "bad_body.shape", simulate: at("bad_body", "5006; shape=edge")},
		{point: "failures.cost", simulate: at("bad_body", "differ=billed")},
		{point: "headers.ray", simulate: at("unknown_model", "differ=ray")},
		{point: "headers.id", simulate: at("stream", "differ=id")},
		{point: "headers.encoding", simulate: at("run", "differ=encoding")},
		{
			point: "figure.lag", wait: 10 * time.Minute,
			change: func(o *workersai.Options) { o.AnalyticsLag = 7 * time.Minute },
		},
		{
			point: "figure.lag", wait: 6 * time.Minute,
			change: func(o *workersai.Options) { o.AnalyticsLag = time.Hour },
		},
		{
			point: "figure.lag",
			change: func(o *workersai.Options) {
				o.GraphQLFails = func(time.Time) string { return "unknown field totalNeurons" }
			},
		},
		{point: "figure.cost", change: func(o *workersai.Options) { o.Billing.Figure = 1.2 }},
	}
	for _, c := range cases {
		t.Run(c.point, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				time.Sleep(time.Hour) // since midnight
				r, _, err := examined(t, &service{sim: newSimulator(c.change), simulate: c.simulate}, c.wait)
				if err != nil {
					t.Fatal(err)
				}
				if differ, hidden := differing(r); !slices.Equal(differ, []string{c.point}) || r.OK {
					t.Errorf("got ok %v, %v differ, %v are not seen, want %s alone: %+v", r.OK, differ, hidden, c.point,
						r.Points)
				}
			})
		})
	}
	for _, p := range points {
		if !slices.ContainsFunc(cases, func(c difference) bool { return c.point == p.name }) {
			t.Errorf("%s: got no test in which it differs, want one", p.name)
		}
	}
}

// Without a way to the account's own figure, or enough time for it, those points alone are not seen.
func TestFigureUnseen(t *testing.T) {
	for _, c := range []struct {
		name, lag, cost string
		change          func(*workersai.Options)
		wait, began     time.Duration // since midnight
	}{
		{
			"no permission", "it cannot be read: /graphql: not permitted (status 200): not authorized for that " +
				"account; grant Account Analytics: Read",
			"the calls are not in it",
			func(o *workersai.Options) { o.NoAnalytics = true }, time.Hour, time.Hour,
		},
		{
			"not within the wait", "it does not have them after 30s; a longer wait may show them",
			"the calls are not in it",
			func(o *workersai.Options) { o.AnalyticsLag = time.Minute }, 30 * time.Second, time.Hour,
		},
		{"midnight", "the UTC day has changed meanwhile", "the calls are not in it", nil, time.Hour, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			time.Sleep(c.began)
			r, _, err := examined(t, &service{sim: newSimulator(c.change)}, c.wait)
			if err != nil {
				t.Fatal(err)
			}
			differ, hidden := differing(r)
			if differ != nil || !slices.Equal(hidden, []string{"figure.lag", "figure.cost"}) || !r.OK {
				t.Errorf("%s: got ok %v, %v differ, %v are not seen, want the figure's alone", c.name, r.OK, differ,
					hidden)
			}
			n := len(r.Points)
			if lag, cost := r.Points[n-2].Seen, r.Points[n-1].Seen; lag != c.lag || cost != c.cost {
				t.Errorf("%s: got %q and %q, want %q and %q", c.name, lag, cost, c.lag, c.cost)
			}
		})
	}
}

// How long the account's own figure takes is known by the interval in which it is read.
func TestFigureLag(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Hour)
		sim := newSimulator(func(o *workersai.Options) { o.AnalyticsLag = 65 * time.Second })
		r, told, err := examined(t, &service{sim: sim}, 2*time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := r.Points[len(r.Points)-2].Seen, "it has them after 1m10s"; got != want {
			t.Errorf("lag: got %q, want %q", got, want)
		}
		line := "The account's own figure does not have the calls yet. It is read every 10s, for 2m0s.\n"
		if n := strings.Count(told, line); n != 1 {
			t.Errorf("progress: got %d lines of the wait, want 1:\n%s", n, told)
		}
	})
}

// A reading that fails for a moment, be it the first one, does not end the wait.
func TestFigureFailsForAMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Hour)
		began := time.Now()
		sim := newSimulator(func(o *workersai.Options) {
			o.AnalyticsLag = 15 * time.Second
			o.GraphQLFails = func(now time.Time) string {
				if now.Sub(began) < 30*time.Second {
					return "internal server error"
				}
				return ""
			}
		})
		r, _, err := examined(t, &service{sim: sim}, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := r.Points[len(r.Points)-2].Seen, "it has them after 30s"; got != want {
			t.Errorf("lag: got %q, want %q", got, want)
		}
	})
}

// What the calls may cost is told before the first of them.
func TestTheCostIsToldFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &service{sim: newSimulator(nil)}
		var before string
		s.first = func(told string) { before = told }
		r, _, err := examined(t, s, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"billed to the account", "together"} {
			if !strings.Contains(before, want) {
				t.Errorf("before the first call: got\n%s\nwant %q in it", before, want)
			}
		}
		for _, c := range r.Calls {
			line := fmt.Sprintf("%-13s  %.2f neurons  %s\n", c.Name, c.Bound, c.Model)
			if !strings.Contains(before, line) {
				t.Errorf("before the first call: got\n%s\nwant %q in it", before, line)
			}
		}
	})
}

// A dear price table ends it before the first call.
func TestTooDear(t *testing.T) {
	row, _ := price.Embedded().Row(chatModel)
	row.OutputPerM *= 20
	s := &service{sim: newSimulator(nil)}
	s.prices, _ = price.Embedded().WithCatalog("2026-11-30", []price.CatalogPrice{
		{Model: chatModel, Row: row, Priced: true},
	})
	_, told, err := examined(t, s, 0)
	if err == nil || !strings.Contains(err.Error(), "5.00 are the limit of this check") || s.calls != 0 {
		t.Errorf("got %d calls and %v, want none and an error of the limit\n%s", s.calls, err, told)
	}
}

// A token or account that is refused ends it after the first call.
func TestRefused(t *testing.T) {
	for name, change := range map[string]func(*workersai.Options){
		"token":   func(o *workersai.Options) { o.Token = "another-token" },
		"account": func(o *workersai.Options) { o.Account = "another-account" },
	} {
		s := &service{sim: newSimulator(change)}
		_, _, err := examined(t, s, 0)
		if !errors.Is(err, errRefused) || s.calls != 1 || strings.Contains(err.Error(), testAccount) {
			t.Errorf("%s: got %d calls and %v, want one and %v", name, s.calls, err, errRefused)
		}
	}
}

// Without a network each call fails, and the report says so.
func TestNoAnswer(t *testing.T) {
	s := &service{sim: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("no network") })}
	r, _, err := examined(t, s, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if r.OK || r.Points[0].Result != Differs || r.Points[0].Seen != "no answer, unexpected EOF" ||
		len(r.Calls) != len(calls) {
		t.Errorf("got %+v, want a report of no answers", r)
	}
}

// Whatever upstream repeats of the credentials and the account, wherever, is in neither report nor progress.
func TestSecretsEchoed(t *testing.T) {
	const escaped, escapedJSON = "fake-token", "fake\\u002dtoken" // the same to who reads the JSON
	echo := testToken + " " + testAccount
	for _, status := range []int{http.StatusOK, http.StatusBadRequest} {
		s := &service{sim: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("cf-ai-neurons", echo)
			w.Header().Set("Content-Encoding", echo)
			w.WriteHeader(status)
			long := strings.Repeat("x", 380) + echo // where a quotation is cut
			body, _ := json.Marshal(map[string]any{
				echo: 1, "usage": map[string]int{echo: 1}, "success": status == http.StatusOK,
				"errors": []any{map[string]any{"code": r.Header.Get("Authorization"), "message": r.URL.Path + long}},
			})
			w.Write(bytes.ReplaceAll(body, []byte(escaped), []byte(escapedJSON)))
		})}
		r, told, err := examined(t, s, 0)
		report, jsonErr := json.Marshal(r)
		if err != nil || jsonErr != nil {
			t.Fatal(err, jsonErr)
		}
		for _, secret := range []string{testToken[12:24], testAccount[:12]} {
			if all := string(report) + told; strings.Contains(all, secret) {
				t.Errorf("status %d: got %q in\n%s", status, secret, all)
			}
		}
	}
}
