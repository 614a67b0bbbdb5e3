package event

import (
	"bytes"
	"encoding/json"
	"strconv"

	"github.com/neuronward/neuronward/normalize/sse"
	"github.com/neuronward/neuronward/proxy/jsonscan"
)

// The two repairs of a successful answer, both of OpenAI's streams. Newer models end one with a usage event in the
// native form, {"response":"","usage":{…}}, which has no choices and breaks clients that expect chunks. And their
// chunks tell the usage from the first one on, where OpenAI tells it at the end alone: some clients take the first
// chunk that has it for the last and show nothing.

// A ChunkHead is what all chunks of one OpenAI stream have in common, as raw JSON. The zero value is not known yet.
type ChunkHead struct{ id, created, model []byte }

// Note remembers the head from the first chunk that shows it.
func (h *ChunkHead) Note(data []byte) {
	if h.id != nil || !bytes.Contains(data, []byte(`"choices"`)) {
		return
	}
	fields := topLevel(data)
	if fields["id"] == nil {
		h.id = []byte{} // this stream has none; the next chunks need not be read
		return
	}
	// The event's bytes are gone with the next read.
	h.id, h.created, h.model = bytes.Clone(fields["id"]), bytes.Clone(fields["created"]), bytes.Clone(fields["model"])
}

// RepairUsage returns the valid chunk for a native usage event, nil for any other event. The usage itself is unchanged.
// id, model and created are put where no chunk has shown them; created is in seconds of Unix time.
func (h *ChunkHead) RepairUsage(data []byte, id, model string, created int64) []byte {
	usage := nativeUsage(data)
	if usage == nil {
		return nil
	}
	chunk := append(make([]byte, 0, len(data)+128), `data: {"id":`...)
	chunk = appendRaw(chunk, h.id, id)
	chunk = append(chunk, `,"object":"chat.completion.chunk","created":`...)
	if len(h.created) > 0 {
		chunk = append(chunk, h.created...)
	} else {
		chunk = strconv.AppendInt(chunk, created, 10)
	}
	chunk = append(chunk, `,"model":`...)
	chunk = appendRaw(chunk, h.model, model)
	chunk = append(chunk, `,"choices":[],"usage":`...)
	chunk = append(chunk, usage...)
	return append(chunk, "}\n\n"...)
}

// WithoutUsage appends to dst, which is empty, the event for a chunk that tells its usage though choices follow,
// without the usage; it returns nil for any other event. raw is all of the event, whose other lines are kept. A chunk
// without choices, which is how OpenAI tells it at the end, and a usage of null are left alone. The caller knows that
// no choice of the chunk has finished.
func WithoutUsage(dst, raw, data []byte) []byte {
	if behindName(data, `usage"`) == nil || behindName(data, `choices"`) == nil {
		return nil // nearly every event
	}
	choices, told := false, false
	chunk := append(appendOtherLines(dst, raw), "data: "...)
	begin := len(chunk)
	ok := eachMember(data, func(name, value, member []byte) {
		switch {
		case string(name) == "usage" && value[0] == '{':
			told = true
			return
		case string(name) == "choices":
			choices = value[0] == '[' && bytes.TrimLeft(value[1:], blanks)[0] != ']'
		}
		chunk = append(append(chunk, ','), member...)
	})
	if !ok || !choices || !told {
		return nil
	}
	chunk[begin] = '{'
	oneLine(chunk[begin:])
	return append(chunk, "}\n\n"...)
}

// appendOtherLines appends the lines of an event that are not data, but for the blank one.
func appendOtherLines(dst, raw []byte) []byte {
	var s sse.Splitter
	for len(raw) > 0 {
		part, n := s.Next(raw)
		if part.Field != sse.Data && part.Field != sse.Blank {
			dst = append(dst, raw[:n]...)
		}
		raw = raw[n:]
	}
	return dst
}

// nativeUsage returns the usage of an event {"response":"","usage":{…}}, nil of any other: one with text in it is more
// than a usage.
func nativeUsage(data []byte) []byte {
	// For nearly every event of an OpenAI stream the first search is enough.
	if behindName(data, `choices"`) != nil ||
		behindName(data, `usage"`) == nil || behindName(data, `response"`) == nil {
		return nil
	}
	fields := topLevel(data)
	usage, response := fields["usage"], string(fields["response"])
	if len(usage) == 0 || usage[0] != '{' || response != `""` && response != "null" {
		return nil
	}
	return usage
}

// appendRaw appends raw JSON, or a text as JSON where there is none.
func appendRaw(dst, raw []byte, instead string) []byte {
	if len(raw) > 0 {
		return append(dst, raw...)
	}
	quoted, err := json.Marshal(instead)
	if err != nil {
		return append(dst, `""`...)
	}
	return append(dst, quoted...)
}

// topLevel returns the raw values of a JSON object's members that a usage chunk is made of; nil where data is no
// object.
func topLevel(data []byte) map[string][]byte {
	fields := map[string][]byte{}
	ok := eachMember(data, func(name, value, _ []byte) {
		switch name := string(name); name {
		case "id", "created", "model", "choices", "response", "usage":
			fields[name] = value
		}
	})
	if !ok {
		return nil
	}
	return fields
}

const blanks = " \t\r\n"

// oneLine makes JSON from data of several lines fit one line, in place: in JSON a line ends between values alone.
func oneLine(text []byte) []byte {
	for i, c := range text {
		if c == '\n' || c == '\r' {
			text[i] = ' '
		}
	}
	return text
}

// eachMember shows the members of a JSON object: the name, the raw value, and both as they stand in data. It reports
// whether data is such an object.
func eachMember(data []byte, visit func(name, value, member []byte)) bool {
	data = bytes.TrimSpace(data)
	if len(data) == 0 || data[0] != '{' {
		return false
	}
	s := jsonscan.Of(data)
	begin := int64(1)
	err := s.Object(func(name []byte) error {
		from := s.Offset()
		if err := s.Skip(); err != nil {
			return err
		}
		visit(name, s.Since(from), bytes.TrimLeft(s.Since(begin), ","+blanks))
		begin = s.Offset()
		return nil
	})
	return err == nil
}
