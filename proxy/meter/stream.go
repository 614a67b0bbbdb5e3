package meter

// An eventSummary is what the present event holds besides its usages.
type eventSummary struct {
	kind      uint8 // by its type: one of the values below
	choices   bool  // it has choices,
	choice    bool  // and at least one
	text      bool  // some text
	reasoning bool  // some reasoning, of the present choice
}

const (
	otherEvent    uint8 = iota
	untypedEvent        // OpenAI's chunks and native events
	responseEvent       // response.…
	deltaEvent          // message_delta
)

// Data reads more of the data of the present event, in any split.
func (m *Meter) Data(p []byte) {
	m.isStream = true
	if !m.begun {
		m.begun = true
		m.walker.begin(inEvent)
	}
	m.walker.walk(p)
}

// EndEvent ends the present event and counts what it has reported.
func (m *Meter) EndEvent() {
	if !m.begun {
		return
	}
	m.begun = false
	m.walker.end()
	if m.event.text {
		m.textEvents++
	}
	if m.found != 0 {
		m.count(&m.event)
	}
	m.event = eventSummary{kind: untypedEvent}
}

// count counts the usages of an event. Where each counts:
//
//   - message_start reports the input alone, which has no cost until a later event reports the output;
//   - message_delta, response.… and a native event without text report the whole so far;
//   - a chunk, or a native event with text, is an increment, unless no figure of it is less than the sum so far: then
//     it reports the whole. A chunk with choices is only taken for that once the sum has input tokens, since the first
//     increment alone has them.
func (m *Meter) count(e *eventSummary) {
	if u := m.reported(messageUsage); u != nil && e.kind == otherEvent {
		m.input.raise(u)
	}
	if u := m.reported(responseUsage); u != nil && e.kind == responseEvent {
		m.total.raise(u)
	}
	if u := m.reported(ownUsage); u != nil {
		hasInput := m.sum.v[promptFigure]+m.sum.v[inputFigure] > 0
		switch {
		case e.kind == deltaEvent:
			m.total.raise(&m.input)
			m.total.raise(u)
		case !e.choices && !e.text:
			m.total.raise(u)
		case u.covers(&m.sum) && (e.choices && !e.choice || hasInput):
			m.sum.raise(u)
			m.rising.fell = true
		default:
			m.sum.add(u)
			m.rising.add(u)
		}
	}
	for i := range m.usages {
		if m.found&(1<<i) != 0 {
			if m.usages[i].hasOutput() {
				m.toldTokens, m.toldEvents = m.outputTokens(), m.textEvents
			}
			m.usages[i] = figures{}
		}
	}
	m.found = 0
}

// reported returns a usage of the present event, nil if it has none.
func (m *Meter) reported(usage int) *figures {
	if m.found&(1<<usage) == 0 || m.usages[usage].has == 0 {
		return nil
	}
	return &m.usages[usage]
}
