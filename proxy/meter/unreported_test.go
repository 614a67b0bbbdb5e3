package meter

import (
	"testing"

	"github.com/neuronward/neuronward/quota/tokens"
	"github.com/neuronward/neuronward/quota/workload"
)

// A model with a small vocabulary has up to twice as many tokens for a text: what was counted counts twice, what was
// reported does not.
func TestSmallVocabulary(t *testing.T) {
	counted := func(text string) int64 { return tokens.Count([]byte(text)) }
	const text = `{"choices":[{"delta":{"content":"a b c d"}}]`
	for _, c := range []struct {
		name             string
		events           []string
		output, observed int64 // by the usage; as observed
	}{
		{"text alone", []string{text + "}"}, 0, 2 * counted("a b c d")},
		{
			"reported",
			[]string{text + `,"usage":{"prompt_tokens":5,"completion_tokens":6}}`},
			6, 2 * counted("a b c d"),
		},
		{
			"text after the last usage",
			[]string{chunk(`{"prompt_tokens":5,"completion_tokens":1}`), text + "}"},
			1 + 2*counted("aa b c d") - 2*counted("a"), 2 * counted("aa b c d"),
		},
	} {
		m := New()
		m.SmallVocabulary()
		for _, event := range c.events {
			m.Data([]byte(event))
			m.EndEvent()
		}
		if got := m.Report().Usage.Output; got != c.output {
			t.Errorf("%s: got %d tokens of output by the usage, want %d", c.name, got, c.output)
		}
		if got := m.Report().ObservedOutput; got != c.observed {
			t.Errorf("%s: got %d tokens of output observed, want %d", c.name, got, c.observed)
		}
	}
}

// Text that no usage can have counted is beside the neurons that the answer reports.
func TestUnreported(t *testing.T) {
	only := func(n float64) workload.Usage { return withNeurons(n, workload.Usage{}) }
	for _, c := range []struct {
		name, body string
		want       Report
	}{
		{
			"text after the last usage", events(chunk(`{"prompt_tokens":5,"completion_tokens":1,"neurons":0.5}`),
				`{"choices":[{"delta":{"content":"b"}}]}`, `{"choices":[{"delta":{"content":"c"}}]}`),
			Report{Usage: withNeurons(0.5, ofTokens(5, 0, 3)), Unreported: 2, ObservedInput: 5, ObservedOutput: 3},
		},
		{
			"neurons of the prompt alone", events(chunk(`{"prompt_tokens":5,"neurons":0.5}`), chunk(`null`)),
			Report{Usage: withNeurons(0.5, ofTokens(5, 0, 2)), Unreported: 2, ObservedInput: 5, ObservedOutput: 2},
		},
		{
			"a total comes last",
			events(chunk(`{"neurons":0.25}`), chunk(`null`), `{"response":"","usage":{"neurons":0.5}}`),
			Report{Usage: only(0.5), ObservedOutput: 2},
		},
		{
			"running totals of neurons alone", events(
				chunk(`{"neurons":0.5}`), chunk(`{"neurons":0.75}`), chunk(`{"neurons":1}`), chunk(`{"neurons":1.25}`),
			),
			Report{Usage: only(1.25), ObservedOutput: 4},
		},
		{
			"increments of neurons alone", events(
				chunk(`{"neurons":0.25}`), chunk(`{"neurons":0.25}`), chunk(`{"neurons":0.5}`),
				chunk(`{"neurons":0.5}`),
			),
			Report{Usage: only(1.5), ObservedOutput: 4},
		},
	} {
		t.Run(c.name, func(t *testing.T) { wantReport(t, "the stream", stream(c.body), c.want) })
	}
	for _, c := range []struct {
		name, body string
		want       Report
	}{
		{
			"an answer with the prompt's neurons",
			`{"choices":[{"message":{"content":"a"}}],"usage":{"prompt_tokens":5,"neurons":0.5}}`,
			Report{Usage: withNeurons(0.5, ofTokens(5, 0, 1)), Unreported: 1, ObservedOutput: 1},
		},
		{
			"an answer with neurons alone", `{"choices":[{"message":{"content":"a"}}],"usage":{"neurons":0.5}}`,
			Report{Usage: only(0.5), ObservedOutput: 1},
		},
		{
			"a batch",
			`{"result":{"responses":[{"result":{"response":"a","usage":{"neurons":9}}},` +
				`{"result":{"response":"b"}}],"usage":{"prompt_tokens":5,"neurons":0.5}}}`,
			Report{
				Usage: withNeurons(0.5, ofTokens(5, 0, 2)), Unreported: 2, ObservedOutput: 2,
				BatchStatus: "completed",
			},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := answer(c.body)
			wantReport(t, "the answer", m, c.want)
			if r := m.Report(); r.Cut {
				t.Errorf("the answer: got cut %t, want false", r.Cut)
			}
			if r := answer(c.body[:len(c.body)-1]).Report(); !r.Cut {
				t.Errorf("all but its end: got cut %t, want true", r.Cut)
			}
		})
	}
}
