package measure

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/neuronward/neuronward/quota/price"
	"github.com/neuronward/neuronward/quota/workload"
)

// Text in six scripts is reserved at how long it takes to be spoken, however it is written.
func TestSpeech(t *testing.T) {
	t.Parallel()
	const model, minute = "@cf/myshell-ai/melotts", 18.63
	e := price.NewEstimator(nil, price.Bound)
	for _, c := range []struct {
		name, text string
		rate       float64 // characters a second
	}{
		{"digits", "31415926535897932384", 2.8},
		{"Arabic digits", "٣١٤١٥٩٢٦٥٣", 2.8},
		{"signs", "%$€+=", 2.8},
		{"Latin", "The quick brown fox jumps.", 8},
		{"Cyrillic", "Съешь ещё этих мягких булок", 8},
		{"Han", "我能吞下玻璃而不伤身体", 4},
		{"Han beyond the basic plane", "𠀀𠀁𠀂𠀃", 4},
		{"Kana", "いろはにほへとカタカナーｶﾀｶﾅ", 4},
		{"Hangul", "나는유리를먹을수있어요", 4},
	} {
		text := strings.Repeat(c.text, 20)
		want := float64(len([]rune(text))) / c.rate
		escaped := &strings.Builder{}
		for _, unit := range utf16.Encode([]rune(text)) {
			fmt.Fprintf(escaped, `\u%04X`, unit)
		}
		plain, err := json.Marshal(text)
		if err != nil {
			t.Fatal(err)
		}
		for how, body := range map[string]string{
			"plain":             `{"prompt":` + string(plain) + `,"lang":"x"}`,
			"escaped":           `{"prompt":"` + escaped.String() + `"}`,
			"beside other text": `{"text":"x","prompt":` + string(plain) + `,"system":"y"}`,
			"many texts":        `{"text":"x","text":"x","text":"x","text":"x","prompt":` + string(plain) + `}`,
			"a list":            `{"text":[` + string(plain) + `]}`,
		} {
			q := requestOf(protocolOf(t, "run/m"), workload.TextToSpeech, []byte(body))
			got := e.Estimate(e.Resolve(model), q).Neurons.Float()
			if least := want / 60 * minute; got < least-0.001 {
				t.Errorf("%s, %s: got %v neurons, want at least %v", c.name, how, got, least)
			}
			// A second goes on top, and what stands around the text.
			if most := (want + 1 + 50/8. + 0.1) / 60 * minute; got > most {
				t.Errorf("%s, %s: got %v neurons, want at most %v", c.name, how, got, most)
			}
			if how == "plain" && math.Abs(q.SpokenSeconds-want) > 0.001 {
				t.Errorf("%s: got %v s, want %v", c.name, q.SpokenSeconds, want)
			}
		}
	}
	body := []byte(`{"requests":[{"prompt":"2222"},{"prompt":"好好"}]}`)
	q := requestOf(protocolOf(t, "run/m"), workload.TextToSpeech, body)
	if len(q.Parts) != 2 {
		t.Fatalf("a batch: got %d parts, want 2", len(q.Parts))
	}
	for i, want := range []float64{4 / 2.8, 2 / 4.} {
		if got := q.Parts[i].SpokenSeconds; math.Abs(got-want) > 0.001 {
			t.Errorf("a batch, part %d: got %v s, want %v", i, got, want)
		}
	}
	q = Media(workload.TextToSpeech, "", pieces([]byte("28282828282828")), 14)
	if math.Abs(q.SpokenSeconds-5) > 0.001 {
		t.Errorf("no JSON: got %v s, want 5", q.SpokenSeconds)
	}
}
