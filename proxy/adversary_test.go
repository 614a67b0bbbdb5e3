package proxy

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/neuronward/neuronward/proxy/workersai"
	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/price"
)

// A text is one of which seven real tokenizers have counted the tokens.
type countedText struct {
	text   string
	tokens int64 // by the one that counts the most
}

// countedTexts are those of package tokens, by kind.
func countedTexts(t *testing.T) map[string][]countedText {
	t.Helper()
	file, err := os.Open("../quota/tokens/testdata/texts.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	z, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]countedText{}
	lines := bufio.NewScanner(z)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var s struct {
			Kind, Text string
			Tokens     map[string]int64
		}
		if err := json.Unmarshal(lines.Bytes(), &s); err != nil {
			t.Fatal(err)
		}
		most := slices.Max(slices.Collect(maps.Values(s.Tokens)))
		all[s.Kind] = append(all[s.Kind], countedText{s.Text, most})
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// A countingUpstream bills the tokens that a prompt says it has: "TOKENS TEXT". It answers after a while.
type countingUpstream struct {
	t      *testing.T
	model  price.Model
	mu     sync.Mutex
	billed quota.Neurons
}

// Each prompt has a template of so many tokens, and each answer as many tokens.
const (
	adversaryTemplate = 30
	adversaryAnswer   = 16
)

func (u *countingUpstream) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var asked struct {
		Messages []struct{ Content string }
	}
	if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
		u.t.Errorf("reading what came upstream: %v", err)
		return
	}
	_, _ = io.Copy(io.Discard, r.Body)
	count, _, _ := strings.Cut(asked.Messages[0].Content, " ")
	tokens, err := strconv.ParseInt(count, 10, 64)
	if err != nil {
		u.t.Errorf("got a prompt that begins with %q, want its tokens", count)
	}
	tokens += adversaryTemplate
	cost := u.model.Tokens(tokens, 0, adversaryAnswer)
	u.mu.Lock()
	u.billed += cost
	u.mu.Unlock()
	time.Sleep(5 * time.Second)
	answerJSON(200, fmt.Sprintf(`{"choices":[{"message":{"content":"x"}}],"usage":{"prompt_tokens":%d,`+
		`"completion_tokens":%d,"neurons":%.6f}}`, tokens, adversaryAnswer, cost.Float()))(w, r)
}

// adversaryBody is a call whose prompt is the texts of a kind, as often as makes the wanted number of tokens.
func adversaryBody(model string, texts []countedText, tokens int64) string {
	var prompt strings.Builder
	sum := int64(0)
	for i := 0; sum < tokens; i++ {
		c := texts[i%len(texts)]
		prompt.WriteString(c.text)
		sum += c.tokens
	}
	content, err := json.Marshal(fmt.Sprintf("%d %s", sum, prompt.String()))
	if err != nil {
		panic(err) // a string has JSON
	}
	return fmt.Sprintf(`{"model":%q,"max_tokens":%d,"messages":[{"role":"user","content":%s}]}`, model, adversaryAnswer,
		content)
}

// Who sends prose first and then what has three times as many tokens a byte, or takes turns in that with others, or
// sends one large call among small ones, passes no limit, and what is set aside for the calls of others stays the same.
func TestAdversariesPassNoLimit(t *testing.T) {
	const callers, model = 20, "@cf/openai/gpt-oss-120b"
	limit := 2000 * neuron
	if *usable {
		limit = usableLimit
	}
	texts := countedTexts(t)
	prose := adversaryBody(model, texts["english"], 3000)
	small := adversaryBody(model, texts["english"], 300)
	type day struct {
		name string
		body func(caller, call int) string
	}
	var days []day
	for _, kind := range []string{"base64", "randomLetters", "digits", "emoji", "han"} {
		dense := adversaryBody(model, texts[kind], 5000)
		days = append(days,
			day{"prose first, then " + kind, func(_, call int) string {
				if call < 3 {
					return prose
				}
				return dense
			}},
			day{"clients that take turns in " + kind, func(caller, call int) string {
				if (caller+call)%2 == 0 {
					return prose
				}
				return dense
			}})
	}
	large := adversaryBody(model, texts["base64"], 30_000)
	days = append(days, day{"one large call among small ones", func(caller, call int) string {
		if caller == 0 && call%4 == 0 {
			return large
		}
		return small
	}})
	for _, d := range days {
		t.Run(d.name, func(t *testing.T) {
			virtually(t, func(t *testing.T) {
				u := &countingUpstream{t: t, model: price.Embedded().Resolve(model)}
				g := newGuarded(t, quota.Options{Limit: limit, Wait: 10 * time.Second, Margin: 0.01},
					workersai.Options{}, func(c *Config) { c.Transport, c.MaxHeld = inMemory{u}, 1<<30 })
				before := g.estimateOf("v1/chat/completions", model, prose)
				var all sync.WaitGroup
				for caller := range callers {
					all.Go(func() {
						for call := 0; ; call++ {
							w := g.post(chatPath, d.body(caller, call))
							if name := failureName(w.Body.Bytes()); name == "account_limited" {
								return
							} else if w.Code != 200 && name != "quota_contended" {
								t.Errorf("got %d %.200s, want an answer or a refusal", w.Code, w.Body)
								return
							}
						}
					})
				}
				all.Wait()
				after := g.estimateOf("v1/chat/completions", model, prose)
				used := g.close().Account.Used
				if u.billed > limit {
					t.Errorf("got %v billed, want at most the limit of %v", u.billed, limit)
				}
				wantEqual(t, "used", used, u.billed)
				if least := limit - limit/100 - 200*neuron; used < least { // a call of 5,000 tokens reserves 200
					t.Errorf("got %v used, want at least %v", used, least)
				}
				wantEqual(t, "what is set aside for others", after, before)
			})
		})
	}
}
