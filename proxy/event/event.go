package event

import (
	"bytes"
	"encoding/json"

	"github.com/neuronward/neuronward/normalize"
	"github.com/neuronward/neuronward/normalize/sse"
)

// Completes reports whether an event is one after which a stream of the given protocol is whole: its end mark, or the
// native usage that comes last.
func Completes(event *sse.Event, protocol normalize.Protocol) bool {
	switch protocol {
	case normalize.ProtocolAnthropic:
		return isNamed(event, "message_stop")
	case normalize.ProtocolResponses:
		return isNamed(event, "response.completed") || isNamed(event, "response.incomplete") || event.Done()
	}
	return event.Done() || finishes(event.Data) || nativeUsage(event.Data) != nil
}

// finishes reports whether a chunk gives the reason why an answer has ended.
func finishes(data []byte) bool {
	for {
		reason, rest := stringMember(data, `finish_reason"`)
		if len(reason) > 0 && reason[0] != '"' {
			return true
		}
		if rest == nil {
			return false
		}
		data = rest
	}
}

// isNamed reports whether an event has that name, or without one the type that its data begins with.
func isNamed(event *sse.Event, name string) bool {
	if event.Name != nil {
		return string(event.Name) == name
	}
	const near = 200 // the type stands at the beginning of the data, which may be huge
	value, _ := stringMember(event.Data[:min(len(event.Data), near)], `type"`)
	return bytes.HasPrefix(value, []byte(name+`"`))
}

// behindName returns what follows the first member of a name, which is given with its closing quote; nil where there is
// no such member. Inside a model's text that quote would be escaped, so text that looks like a member does not count.
// The opening quote is not part of the search: with so frequent a first byte it would be slow.
func behindName(data []byte, name string) []byte {
	for {
		i := bytes.Index(data, []byte(name))
		if i < 0 {
			return nil
		}
		rest := data[i+len(name):]
		if i > 0 && data[i-1] == '"' {
			return rest
		}
		data = rest
	}
}

// stringMember finds the first member of a name, as behindName does. value is what follows the opening quote if it is a
// string, nil if it is not; rest is what follows the name, nil where there is no such member.
func stringMember(data []byte, name string) (value, rest []byte) {
	rest = behindName(data, name)
	after := skipBlanks(rest)
	if len(after) == 0 || after[0] != ':' {
		return nil, rest
	}
	after = skipBlanks(after[1:])
	if len(after) == 0 || after[0] != '"' {
		return nil, rest
	}
	return after[1:], rest
}

func skipBlanks(b []byte) []byte {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\t') {
		b = b[1:]
	}
	return b
}

// Classify returns the failure that an event is, nil for any other. raw is all of it. A block that does not begin as an
// event does may be a page, or JSON, where a stream was expected.
func Classify(raw []byte, event *sse.Event) *normalize.Failure {
	if sse.IsStream(raw) {
		return normalize.ClassifyFields(event)
	}
	return normalize.ClassifyEvent(raw)
}

// BeginsFailure reports whether an event is a failure by its beginning, which may lack what failed.
func BeginsFailure(raw []byte, event *sse.Event) bool {
	return isNamed(event, "response.failed") || Classify(raw, event) != nil
}

// LacksBlankLine reports whether the last event of a stream lacks nothing but its blank line: it ends with its data,
// which is [DONE] or JSON.
func LacksBlankLine(raw, data []byte) bool {
	data = bytes.TrimSpace(data)
	return len(data) > 0 && bytes.HasSuffix(bytes.TrimSpace(raw), data) &&
		(string(data) == "[DONE]" || json.Valid(data))
}
