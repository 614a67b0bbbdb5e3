package measure

import (
	"bytes"
	"strings"

	"github.com/neuronward/neuronward/proxy/jsonscan"
)

// messages reads a list of messages, of any protocol, one of them, or a plain text.
func (r *reader) messages(f *findings) error {
	switch r.Peek() {
	case '[':
		return r.list(f, &f.listedMessages, func() error { return r.part(f, true) })
	case '{':
		return r.part(f, true)
	}
	return r.singleText(f)
}

// part reads a message, a part of its content, or a part of that. Pictures and sound only count as such where a
// protocol has them, which is in no message itself: elsewhere the same text would become tokens. What upstream fetches
// or remembers counts everywhere.
func (r *reader) part(f *findings, message bool) error {
	if r.Peek() != '{' {
		return r.Skip()
	}
	kind, fetched := "", false
	err := r.Object(func(name []byte) (err error) {
		first := r.Peek()
		switch string(name) {
		case "type":
			kind, err = r.kind()
			return err
		case "content", "output":
			return r.content(f)
		case "file":
			return r.part(f, true)
		case "file_id", "file_url", "video_url":
			return r.reference(f)
		}
		if message {
			return r.Skip()
		}
		switch string(name) {
		case "image_url", "image":
			return r.picture(f)
		case "source":
			if first == '{' {
				fetched, err = r.source(f)
				return err
			}
		case "input_audio", "audio":
			return r.audio(f)
		}
		return r.Skip()
	})
	if kind == "item_reference" || fetched && kind != "image" {
		f.Unseen++
	}
	return err
}

// content reads the content of a message or a part. What is no list has no pictures and no sound.
func (r *reader) content(f *findings) error {
	if r.Peek() == '[' {
		return r.Array(func() error { return r.part(f, false) })
	}
	return r.part(f, true)
}

// kind reads the type of a message or a part; "" stands for one that does not matter here.
func (r *reader) kind() (string, error) {
	start, isString := r.Offset(), r.Peek() == '"'
	if err := r.Skip(); err != nil || !isString || r.Offset()-start > maxMediaType {
		return "", err
	}
	switch raw := r.Since(start); {
	case bytes.IndexByte(raw, '\\') >= 0:
		return jsonscan.Unquote(raw)
	case string(raw) == `"image"`:
		return "image", nil
	case string(raw) == `"item_reference"`:
		return "item_reference", nil
	}
	return "", nil
}

// reference reads the name or the address of what upstream remembers or fetches: nothing but the model's context window
// bounds the tokens that it has. What is empty names nothing.
func (r *reader) reference(f *findings) error {
	start := r.Offset()
	if err := r.Skip(); err != nil {
		return err
	}
	if r.Offset()-start <= int64(len("false")) {
		switch string(r.Since(start)) {
		case "null", "false", `""`, "{}", "[]":
			return nil
		}
	}
	f.Unseen++
	return nil
}

// source reads Anthropic's {"type":"base64","media_type":"image/png","data":…}, and reports whether it has an address
// in its place.
func (r *reader) source(f *findings) (fetched bool, err error) {
	f.Images++
	var data []span
	picture := false
	err = r.Object(func(name []byte) error {
		isString := r.Peek() == '"'
		switch {
		case string(name) == "media_type":
			start := r.Offset()
			if err := r.Skip(); err != nil || !isString {
				picture = false
				return err
			}
			kind, err := jsonscan.Unquote(r.Since(start))
			picture = err == nil && strings.HasPrefix(kind, "image/")
			return nil
		case string(name) == "data" && isString:
			start := r.Offset()
			p, err := r.payload("image/")
			if p.ok {
				data = append(data, span{start, r.Offset()})
			}
			return err
		case string(name) == "url":
			fetched = fetched || isString
		case string(name) == "file_id":
			return r.reference(f)
		case string(name) == "content": // a document of parts
			return r.content(f)
		}
		return r.Skip()
	})
	for _, s := range data {
		if picture {
			f.media += s.to - s.from
		} else {
			r.Repeat(s.from, s.to)
		}
	}
	return fetched, err
}
