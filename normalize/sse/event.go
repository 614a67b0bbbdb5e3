package sse

import "bytes"

// An Event is the fields of one event.
type Event struct {
	Data   []byte // nil if it has none; several lines of data are joined by line feeds
	Name   []byte // its last name, nil if it has none
	Fields bool   // it has more than comments and blank lines
}

// Parse reads one event, with blank lines or without. Data and Name are parts of block, but data of several lines is a
// copy.
func Parse(block []byte) Event {
	var s Splitter
	for at := 0; at < len(block); {
		_, n := s.Next(block[at:])
		at += n
		s.ended = false
	}
	return s.Event(block)
}

// Event returns the present event, which has just ended or not ended yet. raw is all that Next has read of it.
func (s *Splitter) Event(raw []byte) Event {
	if len(raw) == 0 { // the next event, of which nothing has come
		return Event{}
	}
	e := Event{Fields: s.fields}
	switch s.lines {
	case 0:
	case 1:
		e.Data = trim(raw[s.data.from:s.data.to])
	default:
		e.Data = joined(raw)
	}
	if s.name.to > 0 {
		e.Name = trim(raw[s.name.from:s.name.to])
	}
	return e
}

// joined returns the data of an event that has several lines of it.
func joined(raw []byte) (data []byte) {
	var s Splitter
	for len(raw) > 0 {
		part, n := s.Next(raw)
		raw = raw[n:]
		s.ended = false
		if part.Field != Data {
			continue
		}
		if s.lines > 1 {
			data = append(data, '\n')
		}
		data = append(data, trim(part.Value)...)
	}
	return data
}

// trim takes a line's end, and the space behind the colon, off a field's value.
func trim(value []byte) []byte {
	if len(value) > 0 && value[0] == ' ' {
		value = value[1:]
	}
	if n := len(value); n > 0 && value[n-1] == '\n' {
		value = value[:n-1]
	}
	if n := len(value); n > 0 && value[n-1] == '\r' {
		value = value[:n-1]
	}
	return value
}

// Done reports whether the event's data is [DONE], the end mark of OpenAI's streams, and nothing else.
func (e *Event) Done() bool { return string(bytes.TrimSpace(e.Data)) == "[DONE]" }

// Cut splits a stream behind its first event. Where no blank line ends it, all of the stream is one event.
func Cut(stream []byte) (event, rest []byte) {
	var s Splitter
	for at := 0; at < len(stream); {
		part, n := s.Next(stream[at:])
		at += n
		if part.Field == Blank {
			return stream[:at], stream[at:]
		}
	}
	return stream, nil
}

// IsStream reports whether a body begins as a stream does: with a field or a comment.
func IsStream(body []byte) bool {
	begins := func(field string) bool { return bytes.HasPrefix(body, []byte(field)) }
	return begins("data:") || begins("event:") || begins("id:") || begins("retry:") || begins(":")
}
