package meter

import "bytes"

// A meter reads what a call cost out of its answer as the bytes pass. It keeps figures, never the answer, and is of one
// size whatever the answer's. Make one with New; write is for an answer that is JSON, Event and Piece for one that is a
// stream, never both.
type Meter struct {
	w     walker
	begun bool // the JSON answer, or the present event's data, has
	now   happening

	sets   [numSets]figures // the usages found: of a JSON answer, or of the present event
	usages uint8            // one bit for each that was opened
	in     uint8            // the one that is read

	streams bool
	sum     figures
	total   figures // of the whole: goes before sum
	start   figures // of the input alone
	spoken  int64   // output tokens that passed, at least

	seconds    float64
	hasSeconds bool
	images     int64
	requestID  string
	status     string
	responses  bool
}

// The usages of a meter, the first to be believed first.
const (
	setResultUsage = iota
	setUsage
	setMeta
	setMessage
	setResponse
	numSets
)

// New returns a meter that has read nothing.
func New() *Meter {
	m := &Meter{now: happening{of: ofUntyped}}
	m.w.found = m
	return m
}

// Write reads more of an answer that is JSON, in any split.
func (m *Meter) Write(p []byte) {
	if !m.begun {
		m.begun = true
		m.w.begin(inAnswer)
	}
	m.w.walk(p)
}

// said returns a usage of the present event, nil if it has none.
func (m *Meter) said(set int) *figures {
	if m.usages&(1<<set) == 0 || m.sets[set].has == 0 {
		return nil
	}
	return &m.sets[set]
}

// opened implements visitor.
func (m *Meter) opened(p place) {
	switch p {
	case inUsage:
		m.reads(setUsage)
	case inResultUsage:
		m.reads(setResultUsage)
	case inMeta:
		m.reads(setMeta)
	case inMessageUsage:
		m.reads(setMessage)
	case inResponseUsage:
		m.reads(setResponse)
	case inChoices:
		m.now.choices = true
	case inChoice:
		m.now.choice = true
	case inResponses:
		m.responses = true
	}
}

func (m *Meter) reads(set uint8) {
	m.in = set
	m.usages |= 1 << set
}

// number implements visitor.
func (m *Meter) number(p place, v float64) {
	switch {
	case p == inSeconds:
		m.seconds, m.hasSeconds = v, true
	case p >= inNeurons && p < numPlaces:
		m.sets[m.in].set(int(p-inNeurons), v)
	}
}

// text implements visitor.
func (m *Meter) text(p place, size int, s []byte) {
	switch p {
	case inText, inNative, inDelta:
		m.now.text += tokensOf(size)
	case inThought:
		m.now.thought = max(m.now.thought, tokensOf(size))
	case inType:
		switch {
		case bytes.HasPrefix(s, []byte("response.")):
			m.now.of = ofResponses
		case string(s) == "message_delta":
			m.now.of = ofDelta
		default:
			m.now.of = ofOther
		}
	case inImage, inImageOf:
		if size > 0 {
			m.images++
		}
	case inRequestID:
		m.requestID = string(s)
	case inStatus:
		m.status = string(s)
	}
}
