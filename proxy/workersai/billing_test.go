package workersai_test

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/neuronward/neuronward/proxy/workersai"
	"github.com/neuronward/neuronward/proxy/workersai/simtest"
	"github.com/neuronward/neuronward/quota"
)

// What answers say of their cost is what was asked for; what they cost is the same.
func TestTellings(t *testing.T) {
	for _, c := range []struct {
		telling              workersai.Telling
		header, streamHeader string
		usage, streamUsage   string // how the usage begins
	}{
		{workersai.TellAll, "0.11", "", `{"prompt_tokens":4,"completion_tokens":2,`, `{"prompt_tokens":4,`},
		{workersai.TellZeros, "0.00", "0.00", `{"completion_tokens":0,"neurons":0,`, `{"completion_tokens":0,`},
		{workersai.TellHeader, "0.11", "0.11", `null`, `null`},
		{workersai.TellLowHeader, "0.05", "0.05", `null`, `null`},
		{workersai.TellPrompt, "", "", `{"prompt_tokens":4}`, `{"prompt_tokens":4}`},
		{workersai.TellTotal, "", "", `{"completion_tokens":1,"prompt_tokens":4,`, `{"completion_tokens":1,`},
		{workersai.TellNothing, "", "", `null`, `null`},
	} {
		for _, stream := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, stream %t", c.telling, stream), func(t *testing.T) {
				s := start(t, workersai.Options{Telling: c.telling})
				body := fmt.Sprintf(`{"prompt":"What is a neuron?","max_tokens":2,"stream":%t}`, stream)
				a := s.post("/run/"+older, body)
				header, usage := c.header, c.usage
				if stream {
					header, usage = c.streamHeader, c.streamUsage
				}
				if got := a.header.Get("cf-ai-neurons"); got != header {
					t.Errorf("got cf-ai-neurons %q, want %q", got, header)
				}
				if want := `"usage":` + usage; !strings.Contains(a.body, want) {
					t.Errorf("got %s, want %s in it", a.body, want)
				}
				s.wantCounts(1, 1, quota.FromFloat(0.107368))
				asked := start(t, workersai.Options{})
				if c.telling != workersai.TellAll {
					b := asked.post("/run/"+older, body, workersai.SimulateHeader, "usage="+string(c.telling))
					if got, want := b.header.Get("cf-ai-neurons"), header; got != want {
						t.Errorf("by x-simulate: got cf-ai-neurons %q, want %q", got, want)
					}
				}
			})
		}
	}
}

func TestFailedCallsAreBilled(t *testing.T) {
	for _, simulate := range []string{"3043", "html-502", "ok-false", "empty"} {
		for _, billed := range []bool{false, true} {
			r := &record{}
			s := start(t, workersai.Options{Billing: workersai.Billing{Failed: billed}, OnCall: r.add})
			s.post("/run/"+older, prompted, workersai.SimulateHeader, simulate)
			if got := s.Billed() > 0; got != billed {
				t.Errorf("%s: got billed %t, want %t", simulate, got, billed)
			}
			if got := r.last().Failed; got != billed {
				t.Errorf("%s: got failed %t, want %t", simulate, got, billed)
			}
		}
	}
}

// figureOf asks for the account's own figure.
func figureOf(t *testing.T, sim http.Handler) (neurons float64) {
	t.Helper()
	now := time.Now().UTC()
	body := fmt.Sprintf(`{"query":"{ aiInferenceAdaptiveGroups count }","variables":{"account":"a","from":%q,"to":%q}}`,
		now.Add(-24*time.Hour).Format(time.RFC3339), now.Format(time.RFC3339))
	w := httptest.NewRecorder()
	sim.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/client/v4/graphql",
		strings.NewReader(body)))
	var v struct {
		Data struct {
			Viewer struct {
				Accounts []struct {
					Groups []struct {
						Sum struct{ TotalNeurons float64 }
					} `json:"aiInferenceAdaptiveGroups"`
				}
			}
		}
	}
	if err := json.Unmarshal(w.Body.Bytes(), &v); err != nil {
		t.Fatalf("got %v, want JSON\n%s", err, w.Body)
	}
	for _, g := range v.Data.Viewer.Accounts[0].Groups {
		neurons += g.Sum.TotalNeurons
	}
	return neurons
}

// The bill of a failed call comes late into the account's own figure, and a sample has about what all of them have.
func TestFigureOfBills(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := workersai.New(workersai.Options{Billing: workersai.Billing{Failed: true, Late: 10 * time.Minute}})
		simtest.Call(t, sim, "run/"+older, prompted, workersai.SimulateHeader, "ok-false")
		if got := figureOf(t, sim); got != 0 {
			t.Errorf("at once: got %v neurons, want 0", got)
		}
		time.Sleep(10 * time.Minute)
		if got, want := figureOf(t, sim), sim.Billed().Float(); got != want {
			t.Errorf("ten minutes later: got %v neurons, want %v", got, want)
		}
		sim = workersai.New(workersai.Options{Billing: workersai.Billing{Sample: 10}})
		for range 1000 {
			simtest.Call(t, sim, "run/"+older, prompted)
		}
		got, billed := figureOf(t, sim), sim.Billed().Float()
		if got == billed || got < 0.7*billed || got > 1.3*billed {
			t.Errorf("a sample: got %v neurons, want about %v", got, billed)
		}
		sim = workersai.New(workersai.Options{Billing: workersai.Billing{Figure: 3}})
		simtest.Call(t, sim, "run/"+older, prompted)
		if got, want := figureOf(t, sim), 3*sim.Billed().Float(); math.Abs(got-want) > 1e-6 {
			t.Errorf("three times the bill: got %v neurons, want %v", got, want)
		}
	})
}
