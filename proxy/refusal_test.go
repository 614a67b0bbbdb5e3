package proxy

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/neuronward/neuronward/proxy/workersai"
	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/memstore"
)

// What a caller is told to do must be something that he can do.
func TestWordsOfARefusal(t *testing.T) {
	long := strings.Repeat("word ", 20_000)
	for name, c := range map[string]struct{ path, body, want string }{
		"a chat": {
			chatPath, strings.Replace(chat, "{", `{"max_tokens":90000,`, 1),
			"With max_tokens of 3700 or less it fits. It resets at 2000-01-02T00:00:00Z.",
		},
		"a picture": {
			"/run/@cf/leonardo/phoenix-1.0", `{"prompt":"x"}`,
			"A smaller picture or fewer steps may fit. It resets",
		},
		"a recording": {
			"/run/@cf/openai/whisper", "RIFF" + strings.Repeat(long, 3),
			"A shorter recording may fit. It resets",
		},
		"speech": {"/run/@cf/deepgram/aura-1", `{"text":"` + long + `"}`, "A shorter text may fit. It resets"},
		"an embedding": {
			"/v1/embeddings", `{"model":"@cf/baai/bge-large-en-v1.5","input":"` + long + `"}`,
			"A shorter text may fit. It resets",
		},
	} {
		t.Run(name, func(t *testing.T) {
			virtually(t, func(t *testing.T) {
				g := newGuarded(t, quota.Options{Limit: 100 * neuron}, workersai.Options{})
				defer g.close()
				kind := "application/json"
				if c.body[0] != '{' {
					kind = "audio/wav"
				}
				w := g.post(c.path, c.body, "Content-Type", kind)
				wantEqual(t, "status", w.Code, 429)
				wantHas(t, "body", w.Body.String(), c.want)
				wantEqual(t, "names max_tokens", strings.Contains(w.Body.String(), "max_tokens"),
					strings.Contains(c.want, "max_tokens"))
			})
		})
	}
}

// What processes hold that have ended is neither used nor left.
func TestLostNeuronsAreNotLeft(t *testing.T) {
	virtually(t, func(t *testing.T) {
		o := quota.Options{Store: memstore.New(nil), Limit: 100 * neuron}
		other, err := quota.New(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		if _, d, err := other.Reserve(t.Context(), quota.Call{Estimate: 60 * neuron}); err != nil || !d.OK() {
			t.Fatalf("a reservation: got %+v and error %v, want one that is granted, and no error", d, err)
		}
		dies, now := context.WithCancel(context.Background())
		now()
		if err := other.Close(dies); err != nil {
			t.Fatal(err)
		}
		g := newGuarded(t, o, workersai.Options{})
		defer g.close()
		w := g.post(chatPath, strings.Replace(chat, "{", `{"max_tokens":3000,`, 1))
		if want := "more than the 40 that are left. The limit of 100 neurons a day set for this proxy allows no " +
			"more today: 0 used, 60 reserved by processes that have ended. "; !strings.Contains(w.Body.String(), want) {
			t.Errorf("got status %d and %s, want a body with %q", w.Code, w.Body, want)
		}
	})
}

// What is kept for calls that cost more than estimated is not left.
func TestARefusalTellsTheMargin(t *testing.T) {
	virtually(t, func(t *testing.T) {
		g := newGuarded(t, quota.Options{Limit: 1000 * neuron, Margin: 0.01}, workersai.Options{})
		defer g.close()
		dear := strings.Replace(chat, testModel, dearModel, 1)
		w := g.post(chatPath, strings.Replace(dear, "{", `{"max_tokens":90000,`, 1))
		wantHas(t, "body", w.Body.String(), "more than the 990 that are left. The limit of 1,000 neurons a day set "+
			"for this proxy allows no more today: 0 used, 10 kept for calls that cost more than estimated. ")
	})
}

// What others spend of the account is no more left than what the proxy spends.
func TestARefusalTellsWhatWasSpentOutside(t *testing.T) {
	virtually(t, func(t *testing.T) {
		g := newGuarded(t, quota.Options{Limit: 100 * neuron}, workersai.Options{})
		defer g.close()
		time.Sleep(time.Hour)
		figure := func(context.Context, quota.Day, time.Time) (quota.Neurons, error) { return 60 * neuron, nil }
		if _, err := g.ledger.Reconcile(t.Context(), time.Minute, figure); err != nil {
			t.Fatal(err)
		}
		w := g.post(chatPath, strings.Replace(chat, "{", `{"max_tokens":3000,`, 1))
		if want := "more than the 40 that are left. The limit of 100 neurons a day set for this proxy allows no " +
			"more today: 60 used, of which 60 outside this proxy. "; !strings.Contains(w.Body.String(), want) ||
			!strings.Contains(w.Body.String(), `"used":60,`) {
			t.Errorf("got status %d and %s, want a body with %q and %q", w.Code, w.Body, want, `"used":60,`)
		}
	})
}

// Limits have one source: ours where there is a limit, else upstream's.
func TestLimitHeadersHaveOneSource(t *testing.T) {
	theirs := map[string]string{
		"Ratelimit": `"default";r=50;t=30`, "Ratelimit-Policy": `"default";q=100;w=60`,
		"Ratelimit-Limit": "100", "Ratelimit-Remaining": "50", "Ratelimit-Reset": "30",
	}
	answer := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for name, value := range theirs {
			w.Header().Set(name, value)
		}
		answerJSON(200, `{"choices":[],"usage":{"neurons":1}}`)(w, r)
	})
	for name, c := range map[string]struct {
		limit quota.Neurons
		want  map[string]string
	}{
		"a limit": {100 * neuron, map[string]string{
			// Of what was reserved the headers, which go first, know no better.
			"Ratelimit-Policy": `"neurons";q=100;w=86400`,
		}},
		"no limit": {0, theirs},
	} {
		t.Run(name, func(t *testing.T) {
			virtually(t, func(t *testing.T) {
				g := newGuarded(t, quota.Options{Limit: c.limit}, workersai.Options{},
					func(c *Config) { c.Transport = inMemory{answer} })
				defer g.close()
				h := g.post(chatPath, chat).Header()
				for name := range theirs {
					got := h.Get(name)
					if name == "Ratelimit" && c.limit > 0 {
						if !strings.HasPrefix(got, `"neurons";r=`) || !strings.HasSuffix(got, ";t=86400") {
							t.Errorf("%s: got %q, want %q at its beginning and %q at its end", name, got,
								`"neurons";r=`, ";t=86400")
						}
						continue
					}
					if got != c.want[name] {
						t.Errorf("%s: got %q, want %q", name, got, c.want[name])
					}
				}
			})
		})
	}
}

// How long the day still lasts is told by the ledger's clock, which upstream has
// corrected.
func TestTheResetIsToldByTheCorrectedClock(t *testing.T) {
	virtually(t, func(t *testing.T) {
		upstream := func() time.Time { return time.Now().Add(23 * time.Hour) } // an hour before midnight
		answer := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Date", upstream().UTC().Format(http.TimeFormat))
			if r.Header.Get("X-Simulate-Upstream") != "" {
				answerJSON(429,
					`{"errors":[{"code":4006,"message":"you have used up your daily free allocation of 10,000 `+
						`neurons"}],"success":false}`)(w, r)
				return
			}
			answerJSON(200, `{"choices":[],"usage":{"neurons":9}}`)(w, r)
		})
		open := func() *guarded {
			return newGuarded(t, quota.Options{Limit: 22 * neuron}, workersai.Options{},
				func(c *Config) { c.Transport = inMemory{answer} })
		}
		const wait = `"retry_after_ms":3599000,"resets_at":"2000-01-02T00:00:00Z"`
		small := strings.Replace(chat, "{", `{"max_tokens":10,`, 1)

		spent := open()
		defer spent.close()
		spent.post(chatPath, small)
		spent.post(chatPath, small)
		time.Sleep(time.Second)
		w := spent.post(chatPath, small)
		wantEqual(t, "the limit: status", w.Code, 429)
		wantHas(t, "the limit", w.Body.String(), "18 used")
		wantHas(t, "the limit", w.Body.String(), wait)
		if got, want := w.Header().Get("Ratelimit"), ";t=3599"; !strings.HasSuffix(got, want) {
			t.Errorf("the limit: got Ratelimit %q, want %q at its end", got, want)
		}

		latched := open()
		defer latched.close()
		latched.post(chatPath, small)
		for _, want := range []string{`"origin":"upstream"`, `"origin":"guard"`} {
			w := latched.post(chatPath, small, "X-Simulate", "4006")
			wantEqual(t, "4006: status", w.Code, 429)
			wantHas(t, "4006", w.Body.String(), want)
			wantHas(t, "4006", w.Body.String(), wait)
		}
	})
}

// One neuron is no neurons.
func TestARefusalForOneNeuron(t *testing.T) {
	virtually(t, func(t *testing.T) {
		g := newGuarded(t, quota.Options{Limit: neuron}, workersai.Options{})
		defer g.close()
		w := g.post(chatPath, strings.Replace(chat, "{", `{"max_tokens":3000,`, 1))
		wantHas(t, "body", w.Body.String(), "The limit of 1 neuron a day")
	})
}
