package measure

import (
	"errors"

	"github.com/neuronward/neuronward/normalize"
	"github.com/neuronward/neuronward/proxy/jsonscan"
	"github.com/neuronward/neuronward/quota"
)

const (
	// maxParts bounds how many requests of a batch are kept apart; the rest is taken together.
	maxParts = 1000

	// usualOutput is what a model puts out at most where its call sets no limit that counts, and its default is not published for calls
	// of that form. A limit under a name that the route does not know is believed above it only: upstream may ignore it.
	usualOutput = 2048

	// audioHeader is how much of a recording in JSON is decoded to find its duration.
	audioHeader = 16 << 10
)

var errTooDeep = errors.New("the body nests too deep")

// A measurement is what a JSON body comes to, field by field. Of a field that is
// given twice, or under two names, the larger value counts.
type measurement struct {
	quota.Request
	protocol normalize.Protocol
	s        *jsonscan.Scanner
	nested   bool // in "input"
	input    bool // that is no object: a prompt of Responses
	inBatch  bool // one of a batch's requests
	depth    int
	unknown  int64 // most output tokens, by a name that the route does not know
	media    int64 // bytes of the body that never become tokens
	seconds  float64
	unheard  int64 // bytes of audio whose duration is not known
	content  bool  // there is something beside a batch's requests
	requests bool
	rest     quota.Request // of a batch: what is beyond maxParts, taken together
}

// measureJSON measures an object, which begins at s.
func measureJSON(protocol normalize.Protocol, task quota.Task, s *jsonscan.Scanner) (quota.Request, error) {
	m := measurement{Request: quota.Request{Task: task}, protocol: protocol, s: s}
	start := s.Pos
	err := m.object()
	return m.done(int64(s.Pos - start)), err
}

// done returns the request that was measured, of a body of that many bytes.
func (m *measurement) done(size int64) quota.Request {
	r := m.Request
	r.PromptBytes = max(size-m.media, 0)
	if r.MaxTokens == 0 && (m.unknown > 0 || m.undocumented()) {
		r.MaxTokens = usualOutput
	}
	if r.MaxTokens > 0 {
		r.MaxTokens = max(r.MaxTokens, m.unknown)
	}
	r.AudioSeconds, r.AudioBytes = m.seconds, m.unheard
	if m.seconds > 0 && m.unheard > 0 { // the estimator takes one or the other
		r.AudioSeconds, r.AudioBytes = m.seconds+float64(m.unheard)/leastAudioRate, 0
	}
	if !m.requests {
		return r
	}
	// A batch is its requests, and what stands beside them in case that upstream takes the call for a plain one.
	batch := quota.Request{Task: r.Task, Parts: r.Parts}
	if m.rest.Answers > 0 {
		batch.Parts = append(batch.Parts, m.rest)
	}
	if r.Parts = nil; m.content || len(batch.Parts) == 0 {
		batch.Parts = append(batch.Parts, r)
	}
	return batch
}

// undocumented reports whether a model's default of max_tokens is not known to
// hold for the call: its schema has one beside a prompt and beside messages, and
// none beside the input of Responses; of Anthropic's it does not speak.
func (m *measurement) undocumented() bool {
	switch m.protocol {
	case normalize.ProtocolResponses, normalize.ProtocolAnthropic:
		return true
	}
	return m.input
}

func (m *measurement) native() bool { return m.protocol == normalize.ProtocolNative }

// object measures the fields of an object.
func (m *measurement) object() error {
	return m.s.Members(func(rawName []byte) error {
		name, err := jsonscan.Unquote(rawName)
		if err != nil {
			return err
		}
		switch name {
		case "model", "stream", "options", "queueRequest", "requests":
		default:
			m.content = m.content || name != "input" || m.first() != '{'
		}
		switch name {
		case "requests":
			if m.native() && !m.inBatch && m.first() == '[' {
				return m.batch()
			}
		case "input":
			if m.native() && !m.nested && m.first() == '{' {
				m.nested = true
				return m.object()
			}
			m.input = m.native()
			return m.messages()
		case "messages", "system":
			return m.messages()
		case "text", "prompt", "transcript", "contexts", "documents", "passages":
			return m.texts()
		case "image", "images", "image_b64", "mask", "mask_b64", "mask_image":
			return m.picture()
		case "audio":
			return m.audio()
		case "url":
			if m.Task == quota.SpeechRecognition {
				m.seconds += fetchedSeconds
			}
		}
		raw, err := m.raw()
		if err == nil {
			m.figure(name, raw)
		}
		return err
	})
}

// figure measures a field that is a number, or should be.
func (m *measurement) figure(name string, raw []byte) {
	raise := func(to *int64) { *to = max(*to, wholeNumber(raw)) }
	switch name {
	case "max_tokens":
		m.limit(raw, m.protocol != normalize.ProtocolResponses)
	case "max_completion_tokens":
		m.limit(raw, m.protocol == normalize.ProtocolOpenAI)
	case "max_output_tokens":
		m.limit(raw, m.protocol == normalize.ProtocolResponses)
	case "n":
		raise(&m.Answers)
		raise(&m.MakeImages)
	case "num_return_sequences", "best_of":
		raise(&m.Answers)
	case "num_images", "num_outputs":
		raise(&m.MakeImages)
	case "width":
		raise(&m.Width)
	case "height":
		raise(&m.Height)
	case "steps", "num_steps", "num_inference_steps":
		raise(&m.Steps)
	case "size", "image_size":
		w, h := sides(raw)
		m.Width, m.Height = max(m.Width, w), max(m.Height, h)
	}
}

// limit measures a limit of output tokens; known says that the route's protocol
// has it under this name.
func (m *measurement) limit(raw []byte, known bool) {
	v := wholeNumber(raw)
	if known {
		m.MaxTokens = max(m.MaxTokens, v)
	} else {
		m.unknown = max(m.unknown, v)
	}
}

// first returns the first byte of the value that comes, 0 at the end.
func (m *measurement) first() byte {
	if m.s.Pos == len(m.s.Data) {
		return 0
	}
	return m.s.Data[m.s.Pos]
}

// raw reads a value whole.
func (m *measurement) raw() ([]byte, error) {
	start := m.s.Pos
	err := m.s.Value(2)
	return m.s.Data[start:m.s.Pos], err
}

// texts measures a text, or a list of them.
func (m *measurement) texts() error {
	if m.first() == '[' {
		return m.list(m.Task == quota.TextToSpeech || m.Task == "", func() error { return m.s.Value(3) })
	}
	raw, err := m.raw()
	if err == nil {
		m.text(raw)
	}
	return err
}

// list measures a list of texts, or of what has them. A model that speaks may
// speak them all, and of what is no text all that stands there.
func (m *measurement) list(mayBeSpoken bool, visit func() error) error {
	var n, spoken int64
	err := m.items(func() error {
		start := m.s.Pos
		n++
		if err := visit(); err != nil {
			return err
		}
		switch raw := m.s.Data[start:m.s.Pos]; {
		case !mayBeSpoken:
		case raw[0] == '"':
			spoken += characters(raw)
		default:
			spoken += int64(len(raw))
		}
		return nil
	})
	m.Texts, m.Characters = max(m.Texts, n), max(m.Characters, spoken)
	return err
}

func (m *measurement) text(raw []byte) {
	if len(raw) > 0 && raw[0] == '"' {
		m.Texts, m.Characters = max(m.Texts, 1), max(m.Characters, characters(raw))
	}
}

// batch measures each request of a batch.
func (m *measurement) batch() error {
	m.requests = true
	return m.items(func() error {
		if m.first() != '{' {
			return m.s.Value(3)
		}
		start := m.s.Pos
		one := measurement{Request: quota.Request{Task: m.Task}, protocol: m.protocol, s: m.s, inBatch: true}
		if err := one.object(); err != nil {
			return err
		}
		size := int64(m.s.Pos - start)
		m.media += size // counted there
		r := one.done(size)
		if len(m.Parts) < maxParts {
			m.Parts = append(m.Parts, r)
		} else {
			together(&m.rest, r)
		}
		return nil
	})
}

// together adds one more request to those that are taken together.
func together(t *quota.Request, r quota.Request) {
	const template = 64 // tokens, which each of them has
	t.Task = r.Task
	t.PromptBytes += r.PromptBytes + template
	t.MaxTokens = max(t.MaxTokens, r.MaxTokens)
	if r.MaxTokens == 0 {
		t.MaxTokens = max(t.MaxTokens, usualOutput)
	}
	t.Answers += max(r.Answers, 1)
	t.MakeImages += max(r.MakeImages, 1)
	t.Images += r.Images
	t.Texts += r.Texts
	t.Characters += r.Characters
	t.AudioSeconds += r.AudioSeconds + float64(r.AudioBytes)/leastAudioRate
	t.Width, t.Height, t.Steps = max(t.Width, r.Width), max(t.Height, r.Height), max(t.Steps, r.Steps)
}

// items calls visit at each element of a list; visit must consume it.
func (m *measurement) items(visit func() error) error {
	if m.depth++; m.depth > jsonscan.MaxDepth {
		return errTooDeep
	}
	defer func() { m.depth-- }()
	return m.s.Elements(visit)
}
