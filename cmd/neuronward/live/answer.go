package live

import (
	"encoding/json"
	"fmt"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/neuronward/neuronward/normalize"
	"github.com/neuronward/neuronward/normalize/sse"
	"github.com/neuronward/neuronward/proxy/event"
	"github.com/neuronward/neuronward/proxy/meter"
	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/price"
)

// An answer is what came back of a call.
type answer struct {
	call     *call
	price    price.Model
	bound    quota.Neurons // that no price of the table passes
	reserved quota.Neurons // by the proxy, with its default settings
	limit    int64         // its max_tokens; 0: none

	err     string // why no whole answer came; "": one did
	status  int
	header  http.Header
	took    time.Duration
	date    time.Time // when it came, by upstream's clock
	body    []byte
	events  []sse.Event // of a stream
	usages  []usage
	cost    meter.Report
	failure *normalize.Failure // nil: it is none to this proxy
}

// A usage is an object that says what an answer cost.
type usage struct {
	where   string // "usage", "result.usage", "result.meta"
	choices bool   // it is in an event with choices, in which text may be
	figures map[string]float64
}

// read reads a body as the proxy does.
func (a *answer) read(body []byte) {
	a.body = body
	m := meter.New()
	switch {
	case a.status == http.StatusOK && a.mediaType() == "text/event-stream":
		for rest := body; len(rest) > 0; {
			var raw []byte
			raw, rest = sse.Cut(rest)
			e := sse.Parse(raw)
			if e.Data == nil {
				continue
			}
			if f := event.Classify(raw, &e); f != nil && a.failure == nil {
				a.failure = f
			}
			a.events = append(a.events, e)
			a.usages = append(a.usages, usagesIn(e.Data)...)
			m.Data(e.Data)
			m.EndEvent()
		}
	default:
		if a.status != http.StatusOK || normalize.IsFailure(body) {
			a.failure = normalize.Classify(a.status, a.header, body)
		}
		a.usages = usagesIn(body)
		m.Write(body)
	}
	a.cost = m.Report()
}

func (a *answer) mediaType() string {
	kind, _, err := mime.ParseMediaType(a.header.Get("Content-Type"))
	if err != nil {
		return "no Content-Type"
	}
	return kind
}

// succeeded reports whether the answer is a whole success.
func (a *answer) succeeded() bool {
	return a.err == "" && a.status == http.StatusOK && a.failure == nil
}

// neurons returns what the answer says that it cost, 0 where it does not.
func (a *answer) neurons() quota.Neurons {
	if n := a.cost.Usage.Neurons; a.cost.Usage.HasNeurons && n > 0 {
		return quota.FromFloat(n)
	}
	n, _ := headerNeurons(a)
	return quota.FromFloat(n)
}

// outcome is the answer in a few words.
func (a *answer) outcome() string {
	words := "no answer"
	if a.status != 0 {
		words = fmt.Sprintf("%d %s", a.status, a.mediaType())
	}
	switch {
	case a.err != "":
		return words + ", " + a.err
	case a.failure != nil:
		return words + ", " + a.explained()
	case a.neurons() > 0:
		return fmt.Sprintf("%s, %v neurons", words, a.neurons())
	}
	return words
}

// explained is what this proxy makes of a failure.
func (a *answer) explained() string {
	f := a.failure.Resolved()
	text := f.Message
	if f.Upstream != nil && f.Upstream.Message != "" {
		text = f.Upstream.Message
	}
	return fmt.Sprintf("%v: %s", f.Code, text)
}

// keys returns the names of an object, sorted: of the body, or of a stream's first event.
func (a *answer) keys() []string {
	data := a.body
	if len(a.events) > 0 {
		data = a.events[0].Data
	}
	return slices.Sorted(maps.Keys(object(data)))
}

// object returns the members of a JSON object, nil of anything else.
func object(data []byte) map[string]json.RawMessage {
	var members map[string]json.RawMessage
	if json.Unmarshal(data, &members) != nil {
		return nil
	}
	return members
}

// usagesIn finds the usages of an answer or an event.
func usagesIn(data []byte) (found []usage) {
	top := object(data)
	var choices []json.RawMessage
	_ = json.Unmarshal(top["choices"], &choices) // there may be none
	result := object(top["result"])
	for _, at := range []struct {
		where string
		value json.RawMessage
	}{{"usage", top["usage"]}, {"result.usage", result["usage"]}, {"result.meta", result["meta"]}} {
		if figures := figuresIn("", at.value); len(figures) > 0 {
			found = append(found, usage{at.where, len(choices) > 0, figures})
		}
	}
	return found
}

// figuresIn returns the numbers of an object by their names, those of objects in it behind the name of that and a dot.
func figuresIn(prefix string, data []byte) map[string]float64 {
	figures := map[string]float64{}
	for name, value := range object(data) {
		var n float64
		if json.Unmarshal(value, &n) == nil && string(value) != "null" {
			figures[prefix+name] = n
			continue
		}
		maps.Copy(figures, figuresIn(prefix+name+".", value))
	}
	return figures
}

func (u *usage) names() string { return strings.Join(slices.Sorted(maps.Keys(u.figures)), ", ") }

func (u *usage) has(names ...string) bool {
	for _, name := range names {
		if _, ok := u.figures[name]; !ok {
			return false
		}
	}
	return true
}

// tokens are those of prompt and answer.
func (u *usage) tokens() float64 { return u.figures["prompt_tokens"] + u.figures["completion_tokens"] }
