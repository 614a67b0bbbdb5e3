package event

import (
	"bytes"
	"encoding/json"
	"strconv"

	"github.com/neuronward/neuronward/proxy/jsonscan"
)

// The one repair of a successful answer: newer models end an OpenAI stream with a usage event in the native form,
// {"response":"","usage":{…}}, which has no choices and breaks clients that expect chunks.

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
	data = bytes.TrimSpace(data)
	if len(data) == 0 || data[0] != '{' {
		return nil
	}
	s, fields := jsonscan.New(jsonscan.Pieces{data}), map[string][]byte{}
	err := s.Object(func(name []byte) error {
		start := s.Offset()
		if err := s.Skip(); err != nil {
			return err
		}
		switch name := string(name); name {
		case "id", "created", "model", "choices", "response", "usage":
			fields[name] = s.Since(start)
		}
		return nil
	})
	if err != nil {
		return nil
	}
	return fields
}
