package measure

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/neuronward/neuronward/normalize"
	"github.com/neuronward/neuronward/proxy/jsonscan"
	"github.com/neuronward/neuronward/quota/workload"
)

// limited returns a body with a limit put into it, and what was found in it before.
func limited(t testing.TB, body string, o Options, limit int64) (string, *JSON) {
	t.Helper()
	o.FindUnlimited = true
	text := pieces([]byte(body))
	found, err := Scan(text, o)
	if err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	found.Limit = limit
	changed, err := io.ReadAll(text.Edited(0, text.Len(), found.LimitEdits(o.Protocol)).Reader(0, 1<<40))
	if err != nil {
		t.Fatal(err)
	}
	return string(changed), found
}

func TestLimitEdits(t *testing.T) {
	const native, openAI, responses, anthropic = normalize.ProtocolNative, normalize.ProtocolOpenAI,
		normalize.ProtocolResponses, normalize.ProtocolAnthropic
	for _, c := range []struct {
		name       string
		protocol   normalize.Protocol
		body, want string // want "": unchanged
	}{
		{"chat completions", openAI, `{"model":"m","messages":[]}`, `{"max_tokens":77,"model":"m","messages":[]}`},
		{"messages", anthropic, `{"model":"m","messages":[]}`, `{"max_tokens":77,"model":"m","messages":[]}`},
		{"responses", responses, `{"input":"x"}`, `{"max_output_tokens":77,"input":"x"}`},
		{"a prompt", native, `{"prompt":"x"}`, `{"max_tokens":77,"prompt":"x"}`},
		{"native messages", native, `{"messages":[{"content":"x"}]}`, `{"max_tokens":77,"messages":[{"content":"x"}]}`},
		{"a text as the input", native, `{"input":"x"}`, `{"max_tokens":77,"input":"x"}`},
		{"messages as the input", native, `{"input":[{"content":"x"}]}`, `{"max_tokens":77,"input":[{"content":"x"}]}`},
		{"an empty object", native, `{}`, `{"max_tokens":77}`},
		{"an empty object with space in it", native, "{ \n}", "{\"max_tokens\":77 \n}"},
		{"space", native, " {\n  \"prompt\" : \"x\"\n}\n", " {\"max_tokens\":77,\n  \"prompt\" : \"x\"\n}\n"},
		{"a byte order mark", openAI, "\ufeff \ufeff{\"n\":1}", "\ufeff \ufeff{\"max_tokens\":77,\"n\":1}"},
		{"a name in other letters", openAI, `{"Max_Tokens":5}`, `{"max_tokens":77,"Max_Tokens":5}`},
		{"a limit of something inside", openAI, `{"x":{"max_tokens":5}}`, `{"max_tokens":77,"x":{"max_tokens":5}}`},

		{"a limit", openAI, `{"max_tokens":5}`, ""},
		{"a limit by its new name", openAI, `{"max_completion_tokens":5}`, ""},
		{"a limit by a name of another protocol", openAI, `{"max_output_tokens":5}`, ""},
		{"likewise in Responses", responses, `{"max_tokens":5}`, ""},
		{"a limit behind an escaped name", native, `{"prompt":"x","max\u005ftokens":5}`, ""},
		{"a limit that is none", native, `{"max_tokens":"many"}`, ""},
		{"zero", native, `{"max_tokens":0}`, ""},
		{"false", native, `{"max_tokens":false}`, ""},

		{"null", openAI, `{"a":1,"max_tokens":null,"b":2}`, `{"a":1,"max_tokens":77,"b":2}`},
		{"null with space", openAI, `{"max_tokens" :  null }`, `{"max_tokens" :  77 }`},
		{"null behind an escaped name", openAI, `{"\u006dax_tokens":null}`, `{"\u006dax_tokens":77}`},
		{"null in Responses", responses, `{"max_output_tokens":null}`, `{"max_output_tokens":77}`},
		{
			"null by another name", openAI, `{"max_completion_tokens":null}`,
			`{"max_tokens":77,"max_completion_tokens":null}`,
		},
		{
			"null twice", openAI, `{"max_completion_tokens":null,"max_tokens":null}`,
			`{"max_completion_tokens":null,"max_tokens":77}`,
		},
		{"null beside a limit", openAI, `{"max_tokens":null,"max_completion_tokens":5}`, ""},

		{
			"an input that is an object", native, `{"model":"m","input":{"prompt":"x"}}`,
			`{"model":"m","input":{"max_tokens":77,"prompt":"x"}}`,
		},
		{"an empty input", native, `{"input":{}}`, `{"input":{"max_tokens":77}}`},
		{"null in an input", native, `{"input":{"max_tokens":null}}`, `{"input":{"max_tokens":77}}`},
		{"a limit in an input", native, `{"input":{"max_tokens":5}}`, ""},
		{"a limit beside an input", native, `{"max_tokens":5,"input":{"prompt":"x"}}`, ""},
		{
			"prompts in both", native, `{"prompt":"x","input":{"prompt":"x"}}`,
			`{"max_tokens":77,"prompt":"x","input":{"max_tokens":77,"prompt":"x"}}`,
		},
		{
			"an object as the input of Responses", responses, `{"input":{"a":1}}`,
			`{"max_output_tokens":77,"input":{"a":1}}`,
		},

		{
			"a batch", native, `{"requests":[{"prompt":"x"},{"max_tokens":5},{},{"max_tokens":null}]}`,
			`{"requests":[{"max_tokens":77,"prompt":"x"},{"max_tokens":5},{"max_tokens":77},{"max_tokens":77}]}`,
		},
		{
			"inputs of a batch", native, `{"requests":[{"input":{"prompt":"x"}},{"input":"x"}]}`,
			`{"requests":[{"input":{"max_tokens":77,"prompt":"x"}},{"max_tokens":77,"input":"x"}]}`,
		},
		{
			"a batch in the input", native, `{"model":"m","input":{"requests":[{"prompt":"x"}]}}`,
			`{"model":"m","input":{"requests":[{"max_tokens":77,"prompt":"x"}]}}`,
		},
		{
			"a prompt beside a batch", native, `{"prompt":"x","requests":[{"prompt":"x"}]}`,
			`{"max_tokens":77,"prompt":"x","requests":[{"max_tokens":77,"prompt":"x"}]}`,
		},
		{
			"a limit beside a batch", native, `{"max_tokens":5,"requests":[{"prompt":"x"}]}`,
			`{"max_tokens":5,"requests":[{"max_tokens":77,"prompt":"x"}]}`,
		},
		{"an empty batch", native, `{"requests":[]}`, ""},
		{"requests of no batch", openAI, `{"requests":[{}]}`, `{"max_tokens":77,"requests":[{}]}`},
	} {
		want := c.want
		if want == "" {
			want = c.body
		}
		got, found := limited(t, c.body, Options{Protocol: c.protocol}, 77)
		if got != want {
			t.Errorf("%s: got %s, want %s", c.name, got, want)
		}
		if got, want := found.Unlimited(), c.want != ""; got != want {
			t.Errorf("%s: got unlimited %v, want %v", c.name, got, want)
		}
		checkMeasured(t, got, c.protocol, found)
	}
	body := `{"model":"m","input":{"prompt":"x"},"max_tokens":null}`
	want := `{"model":"m","input":{"max_tokens":77,"prompt":"x"},"max_tokens":null}`
	for _, inputOnly := range []bool{false, true} {
		if got, _ := limited(t, body, Options{Nested: true, InputOnly: inputOnly}, 77); got != want {
			t.Errorf("the route with the model in the body, its input alone %v: got %s, want %s", inputOnly, got, want)
		}
	}
	if found, err := Scan(pieces([]byte(chat)), Options{}); err != nil || found.Unlimited() {
		t.Errorf("nobody asks for it: got unlimited %v, error %v, want false, none", found.Unlimited(), err)
	}
}

// checkMeasured checks that what was found of a body is measured with its limit as the changed body is.
func checkMeasured(t *testing.T, changed string, protocol normalize.Protocol, found *JSON) {
	t.Helper()
	again, err := Scan(pieces([]byte(changed)), Options{Protocol: protocol, FindUnlimited: true})
	if err != nil {
		t.Errorf("%s: got %v, want JSON", changed, err)
		return
	}
	if again.Unlimited() {
		t.Errorf("%s: got calls without a limit, want none", changed)
	}
	got, want := found.Request(workload.TextGeneration), again.Request(workload.TextGeneration)
	if got, want := limitsOf(got), limitsOf(want); !slices.Equal(got, want) {
		t.Errorf("%s: got limits %v, want %v as of the changed body", changed, got, want)
	}
}

// limitsOf says how the output of each call of r is limited, in order: sums of several calls stand at the end.
func limitsOf(r workload.Request) (limits []string) {
	parts := r.Parts
	if len(parts) == 0 {
		parts = []workload.Request{r}
	}
	for _, p := range parts {
		limits = append(limits, fmt.Sprint(p.MaxTokens, " may be ignored ", p.MayIgnoreLimit, ", odd ", p.OddLimit))
	}
	return limits
}

// Beyond the requests that are kept apart, those that got a limit are not mixed with others.
func TestLimitOfManyRequests(t *testing.T) {
	const unlimited, own, ignored = `{"prompt":"x"}`, `{"prompt":"x","max_tokens":9}`, `{"max_output_tokens":9}`
	many := func(requests string) string {
		return `{"requests":[` + strings.Repeat(`{"max_tokens":1},`, maxParts) + requests + `]}`
	}
	part := func(limit, calls int64, mayIgnore bool) string { return fmt.Sprint(calls, " of ", limit, mayIgnore) }
	for _, c := range []struct {
		name, body string
		want       []string
	}{
		{"without a limit", many(unlimited + "," + unlimited), []string{part(77, 2, false)}},
		{"with one", many(own + "," + own), []string{part(9, 2, false)}},
		{"mixed", many(unlimited + "," + own + "," + unlimited), []string{part(9, 1, false), part(77, 2, false)}},
		{"by another name", many(ignored + "," + unlimited), []string{part(9, 1, true), part(77, 1, false)}},
	} {
		_, found := limited(t, c.body, Options{}, 77)
		var got []string
		for _, p := range found.Request(workload.TextGeneration).Parts[maxParts:] {
			got = append(got, part(p.MaxTokens, p.Calls, p.MayIgnoreLimit))
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
}

// wantLimited puts a limit into what encoding/json reads of a call, by the rules as a person would say them.
func wantLimited(call map[string]any, protocol normalize.Protocol, inBatch bool) {
	has := func(m map[string]any, names ...string) bool {
		return slices.ContainsFunc(names, func(name string) bool { _, ok := m[name]; return ok })
	}
	native := protocol == normalize.ProtocolNative
	input, nested := call["input"].(map[string]any)
	if nested = nested && native; !nested {
		input = nil
	}
	batch, textInput, own := false, native && !nested && has(call, "input"), false
	for _, m := range []map[string]any{call, input} {
		if requests, ok := m["requests"].([]any); ok && native && !inBatch {
			batch = true
			for _, r := range requests {
				wantLimited(r.(map[string]any), protocol, true)
			}
		}
		for _, name := range []string{"max_tokens", "max_completion_tokens", "max_output_tokens"} {
			own = own || m[name] != nil
		}
	}
	put := func(m map[string]any) { m[LimitField(protocol)] = json.Number("77") }
	prompted := func(m map[string]any) bool { return has(m, "prompt", "messages", "text") }
	if !own && (prompted(call) || !nested && (!batch || textInput)) {
		put(call)
	}
	if !own && nested && (prompted(input) || prompted(call) || !batch) {
		put(input)
	}
}

// decode reads JSON as encoding/json does, without a byte order mark.
func decode(t testing.TB, body string) map[string]any {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(strings.TrimLeft(body, " \t\r\n\ufeff")))
	d.UseNumber()
	var value map[string]any
	if err := d.Decode(&value); err != nil {
		t.Fatalf("%q: got %v, want JSON", body, err)
	}
	return value
}

// checkLimited checks that a body, where it is taken at all, is the same with nothing but the limit in it.
func checkLimited(t *testing.T, body string, protocol normalize.Protocol, size int) {
	t.Helper()
	o := Options{Protocol: protocol, FindUnlimited: true}
	text := cut([]byte(body), size)
	found, err := Scan(text, o)
	if err != nil {
		return
	}
	found.Limit = 77
	edits := found.LimitEdits(protocol)
	changed := text.Edited(0, text.Len(), edits)
	got := string(changed.Bytes(0, changed.Len()))
	want := decode(t, body)
	wantLimited(want, protocol, false)
	if got := decode(t, got); !reflect.DeepEqual(got, want) {
		t.Fatalf("%q by protocol %v: got %v, want %v", body, protocol, got, want)
	}
	// Taking the edits back gives each byte that came.
	var back []jsonscan.Edit
	moved := int64(0)
	for _, e := range edits {
		n := int64(len(e.Text))
		back = append(back, jsonscan.Edit{
			From: e.From + moved, To: e.From + moved + n, Text: text.Bytes(e.From, e.To),
		})
		moved += n - (e.To - e.From)
	}
	before := changed.Edited(0, changed.Len(), back)
	if before := before.Bytes(0, before.Len()); !bytes.Equal(before, []byte(body)) {
		t.Fatalf("%q without the limits: got %q, want %q", got, before, body)
	}
	checkMeasured(t, got, protocol, found)
}

func TestLimitInRandomBodies(t *testing.T) {
	for seed := range uint64(800) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		body := []string{"", "\ufeff", " \n"}[rnd.IntN(3)] + randomCall(rnd, 3)
		checkLimited(t, body, normalize.Protocol(rnd.IntN(4)), 1+rnd.IntN(64))
	}
}

// randomCall makes the body of a call, or something like one.
func randomCall(rnd *rand.Rand, depth int) string {
	value := func(name string) string {
		switch {
		case name == "requests" && depth > 0:
			var requests []string
			for range rnd.IntN(3) {
				requests = append(requests, randomCall(rnd, depth-1))
			}
			return "[" + strings.Join(requests, ", ") + "]"
		case depth > 0 && rnd.IntN(2) == 0 && (name == "input" || name == "messages"):
			return randomCall(rnd, depth-1)
		case strings.HasPrefix(name, "max"):
			return []string{"null", "null", "null", "5", "0", `"7"`, "false"}[rnd.IntN(7)]
		}
		return []string{`"x"`, "null", "[]", "{}", `[{"x":"a\"}{"}]`, "-1.50e2", `"\ud83d\ude00 {\\"`}[rnd.IntN(7)]
	}
	names := []string{
		"model", "prompt", "messages", "input", "requests", "max_tokens", "max_completion_tokens",
		"max_output_tokens", "x", "max\\u005ftokens", "text",
	}
	rnd.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	var members []string
	for _, name := range names[:rnd.IntN(6)] {
		space := strings.Repeat(" ", rnd.IntN(2))
		members = append(members, fmt.Sprintf("%s%q:%s%s", space, "NAME", space, value(name)))
		last := len(members) - 1
		members[last] = strings.Replace(members[last], "NAME", name, 1)
	}
	return "{" + strings.Join(members, ",") + strings.Repeat(" ", rnd.IntN(2)) + "}"
}

func FuzzLimit(f *testing.F) {
	for _, seed := range []string{
		chat, `{"prompt":"x"}`, `{}`, " { } ", "\ufeff{\"max_tokens\" : null}", `{"max\u005ftokens":null,"n":2}`,
		`{"input":{"prompt":"x"},"max_tokens":null}`, `{"requests":[{"prompt":"x"},{"max_tokens":3},{}]}`,
		`{"input":{"requests":[{"input":{}}]}}`, `{"max_tokens":null,"max_completion_tokens":5}`,
		`{"prompt":"x","input":{"text":"x"},"requests":[]}`, `{"max_output_tokens":1e9,"input":[]}`,
	} {
		for protocol := range uint8(4) {
			f.Add(seed, protocol, protocol*7)
		}
	}
	f.Fuzz(func(t *testing.T, body string, protocol, size uint8) {
		checkLimited(t, body, normalize.Protocol(protocol%4), int(size)+1)
	})
}
