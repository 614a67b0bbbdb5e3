package proxy

import (
	"bytes"

	"github.com/neuronward/neuronward/normalize"
)

// completes reports whether an event is one after which a stream of the given
// protocol is whole: its end mark, or the native usage that comes last.
func completes(event []byte, protocol normalize.Protocol) bool {
	switch protocol {
	case normalize.ProtocolAnthropic:
		return says(event, "message_stop")
	case normalize.ProtocolResponses:
		return says(event, "response.completed") || says(event, "response.incomplete") || isDone(event)
	}
	return isDone(event) || finishes(event) || nativeUsage(event) != nil
}

// finishes reports whether a chunk gives the reason why an answer has ended.
func finishes(event []byte) bool {
	for {
		reason, rest := stringMember(event, "finish_reason")
		if len(reason) > 0 && reason[0] != '"' {
			return true
		}
		if rest == nil {
			return false
		}
		event = rest
	}
}

// says reports whether an event names itself so: in its event field, or as the
// type that its data begins with.
func says(event []byte, kind string) bool {
	if name, ok := bytes.CutPrefix(event, []byte("event: ")); ok {
		return bytes.HasPrefix(name, []byte(kind))
	}
	const near = 200 // an event names itself at its beginning, and may be huge
	value, _ := stringMember(event[:min(len(event), near)], "type")
	return bytes.HasPrefix(value, []byte(kind+`"`))
}

// isDone reports whether an event's data is [DONE] and nothing else.
func isDone(event []byte) bool {
	if len(event) > 64 {
		return false
	}
	_, data, ok := bytes.Cut(event, []byte("data:"))
	return ok && string(bytes.TrimSpace(data)) == "[DONE]"
}

// stringMember finds the first member of that name. value is what follows the
// opening quote if it is a string, nil if it is not; rest is what follows the
// name, nil where there is no such member. Inside a model's text the closing
// quote of the name would be escaped, so text that speaks of it does not count.
func stringMember(event []byte, name string) (value, rest []byte) {
	for {
		i := bytes.Index(event, []byte(name+`"`))
		if i < 0 {
			return nil, nil
		}
		rest = event[i+len(name)+1:]
		if i > 0 && event[i-1] == '"' {
			break
		}
		event = rest
	}
	after := bytes.TrimLeft(rest, " \t")
	if len(after) == 0 || after[0] != ':' {
		return nil, rest
	}
	after = bytes.TrimLeft(after[1:], " \t")
	if len(after) == 0 || after[0] != '"' {
		return nil, rest
	}
	return after[1:], rest
}
