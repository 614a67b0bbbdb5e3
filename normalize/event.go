package normalize

import (
	"bytes"

	"github.com/neuronward/neuronward/normalize/sse"
)

// ClassifyEvent finds the catalog entry of one whole server-sent event; it returns nil for an event that is no
// failure, at the cost of a look. The status of a stream says nothing: what the event says decides.
func ClassifyEvent(event []byte) *Failure {
	fields := fieldsOf(event)
	return ClassifyFields(&fields)
}

// ClassifyFields is ClassifyEvent for an event that was parsed already.
func ClassifyFields(event *sse.Event) *Failure {
	data := event.Data
	if event.Name == nil && len(data) > 0 && data[0] == '{' && !suspicious(data) {
		return nil // nearly every event
	}
	if data = leftTrim(data); len(data) == 0 {
		return nil
	}
	if string(bytes.TrimSpace(event.Name)) != "error" {
		switch {
		case data[0] == '{':
			if !suspicious(data) || !failing(data) {
				return nil
			}
		case data[0] == '<':
			if !isHTML(data) {
				return nil
			}
		case !failureText(data):
			return nil
		}
	}
	return Classify(200, nil, data)
}

// suspicious reports whether one of the words that every failure has stands somewhere in data, be it in what a
// model wrote.
func suspicious(data []byte) bool {
	return bytes.Contains(data, []byte("rror")) || bytes.Contains(data, []byte("success")) ||
		bytes.Contains(data, []byte("Code")) && bytes.Contains(data, []byte("internalCode")) // capitals are rare
}

// fieldsOf parses an event. A block that begins as JSON or HTML does is taken for data: it is an answer that
// should have been a stream.
func fieldsOf(event []byte) sse.Event {
	event = leftTrim(event)
	if len(event) > 0 && (event[0] == '{' || event[0] == '<') {
		return sse.Event{Data: event}
	}
	return sse.Parse(event)
}

// sseData returns the data of the first event in body when body is an event stream.
func sseData(body []byte) ([]byte, bool) {
	if !sse.IsStream(body) {
		return nil, false
	}
	for len(body) > 0 {
		var event []byte
		event, body = sse.Cut(body)
		if data := fieldsOf(event).Data; len(data) > 0 {
			return data, true
		}
	}
	return nil, true
}
