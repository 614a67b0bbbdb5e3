package meter

const (
	longTokenLen = 24 // bytes; a longer text is several tokens
	tokenLen     = 4  // bytes, on average
)

// happening is what the present event says besides its usages.
type happening struct {
	of      uint8 // by its type: one of the values below
	choices bool  // it has choices,
	choice  bool  // and they are not empty
	text    int64 // tokens
	thought int64 // of reasoning; two fields may hold the same text
}

const (
	ofOther     uint8 = iota
	ofUntyped         // OpenAI's chunks and native events
	ofResponses       // response.…
	ofDelta           // message_delta
)

// Data reads more of the present event's data, in any split.
func (m *Meter) Data(p []byte) {
	m.streams = true
	if !m.begun {
		m.begun = true
		m.w.begin(inEvent)
	}
	m.w.walk(p)
}

// EndEvent ends the present event and counts what it has reported.
func (m *Meter) EndEvent() {
	if !m.begun {
		return
	}
	m.begun = false
	m.w.end()
	e := &m.now
	m.spoken += e.text + e.thought
	if m.usages != 0 {
		m.account(e)
	}
	*e = happening{of: ofUntyped}
}

// account takes an event's usages. Where each counts:
//
//   - message_start has the input alone, which only a later word makes a cost;
//   - message_delta, response.… and a native event without text say what the
//     whole comes to;
//   - a chunk, or a native event with text, adds to what was there, unless it is
//     no less than the sum so far in every figure: then it is a total. Of chunks
//     with choices that is only believed once the prompt was counted, since the
//     first increment alone has it.
func (m *Meter) account(e *happening) {
	if u := m.said(setMessage); u != nil && e.of == ofOther {
		m.start.raise(u)
	}
	if u := m.said(setResponse); u != nil && e.of == ofResponses {
		m.total.raise(u)
	}
	if u := m.said(setUsage); u != nil {
		switch {
		case e.of == ofDelta:
			m.total.raise(&m.start)
			m.total.raise(u)
		case !e.choices && e.text == 0:
			m.total.raise(u)
		case u.covers(&m.sum) && (e.choices && !e.choice || m.sum.v[promptFigure]+m.sum.v[inputFigure] > 0):
			m.sum.raise(u)
		default:
			m.sum.add(u)
		}
	}
	for i := range m.sets {
		if m.usages&(1<<i) != 0 {
			m.sets[i] = figures{}
		}
	}
	m.usages = 0
}

// tokensOf is how many tokens a text in an event is at least taken for: one, since engines send each as it comes, and
// more where they were put together.
func tokensOf(size int) int64 {
	switch {
	case size == 0:
		return 0
	case size <= longTokenLen:
		return 1
	}
	return int64(size+tokenLen-1) / tokenLen
}
