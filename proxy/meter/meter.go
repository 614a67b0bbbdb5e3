package meter

import (
	"bytes"

	"github.com/neuronward/neuronward/quota/tokens"
)

// A Meter reads what a call cost out of its answer as the bytes pass. It keeps figures, never the answer, and its size
// does not depend on the answer's. Make one with New. Use Write for an answer that is JSON, and Data and EndEvent for
// one that is a stream, never both.
type Meter struct {
	walker walker
	begun  bool // the JSON answer, or the present event's data, has begun
	event  eventSummary

	usages [numUsages]figures // those of the JSON answer, or of the present event
	found  uint8              // one bit for each that was found
	usage  uint8              // the one that is being read

	isStream   bool
	input      figures // of a stream: of its input alone
	sum        figures // of its increments
	rising     rising  // those of neurons alone
	total      figures // of its whole, which replaces the sum
	textEvents int64   // events with text, each of which is a token at least
	toldTokens int64   // tokens of text that came before the last usage that reports an output
	toldEvents int64   // and the events with text

	seconds    float64
	hasSeconds bool
	images     int64

	written  tokens.Counter // of all text
	reasoned tokens.Counter
	small    bool // the model's vocabulary is small

	hasText bool // the answer has a place for what a model writes
	unread  bool // and there stands an object, whose tokens are not counted

	model string // the first that the answer names

	requestID, status string // of a batch
	hasResponses      bool
}

// Where an answer or an event may have a usage. Of those of an answer, an earlier one replaces a later one.
const (
	resultUsage = iota
	ownUsage
	metaUsage
	messageUsage
	responseUsage
	numUsages
)

// New returns a Meter that has read nothing.
func New() *Meter {
	m := new(Meter)
	m.Init()
	return m
}

// Init makes a Meter of the zero value that has read nothing. It must not be copied afterwards.
func (m *Meter) Init() {
	m.event.kind = untypedEvent
	m.walker.visitor = m
}

// SmallVocabulary says that the model has more tokens for a text than package tokens counts.
func (m *Meter) SmallVocabulary() { m.small = true }

// Write reads more of an answer that is JSON, in any split.
func (m *Meter) Write(p []byte) {
	if !m.begun && len(p) > 0 {
		m.begun = true
		m.walker.begin(inAnswer)
	}
	m.walker.walk(p)
}

// opened implements visitor.
func (m *Meter) opened(p path) {
	switch p {
	case inUsage:
		m.read(ownUsage)
	case inResultUsage:
		m.read(resultUsage)
	case inMeta:
		m.read(metaUsage)
	case inMessageUsage:
		m.read(messageUsage)
	case inResponseUsage:
		m.read(responseUsage)
	case inChoices:
		m.event.choices = true
	case inChoice:
		m.event.choice, m.event.reasoning = true, false
	case inResponses:
		m.hasResponses = true
	case inBatched:
		m.event.reasoning = false
	case inNative: // in an answer that is JSON, an object that the model wrote
		m.unread = m.unread || !m.isStream
	}
}

// skipped implements visitor.
func (m *Meter) skipped(path) { m.unread = true }

// read begins to read a usage.
func (m *Meter) read(usage uint8) {
	m.usage = usage
	m.found |= 1 << usage
}

// number implements visitor.
func (m *Meter) number(p path, v float64) {
	switch {
	case p == inSeconds:
		m.seconds, m.hasSeconds = v, true
	case p >= inNeurons && p < numPaths:
		m.usages[m.usage].set(int(p-inNeurons), v)
	}
}

// counter implements visitor. Of two fields that hold the same reasoning one counts.
func (m *Meter) counter(p path) *tokens.Counter {
	switch p {
	case inText, inNative, inDelta, inArguments:
		return &m.written
	case inReasoning:
		if !m.event.reasoning {
			return &m.reasoned
		}
	}
	return nil
}

// text implements visitor.
func (m *Meter) text(p path, size int, s []byte) {
	switch p {
	case inText, inNative, inDelta, inArguments:
		m.hasText = true
		m.event.text = m.event.text || size > 0
	case inReasoning:
		m.hasText = true
		m.event.reasoning = m.event.reasoning || size > 0
		m.event.text = m.event.text || size > 0
	case inType:
		switch {
		case bytes.HasPrefix(s, []byte("response.")):
			m.event.kind = responseEvent
		case string(s) == "message_delta":
			m.event.kind = deltaEvent
		default:
			m.event.kind = otherEvent
		}
	case inImage, inImageOf:
		if size > 0 {
			m.images++
		}
	case inModel:
		if m.model == "" {
			m.model = string(s)
		}
	case inRequestID:
		m.requestID = string(s)
	case inStatus:
		m.status = string(s)
	}
}
