package measure

import (
	"bytes"
	"io"

	"github.com/neuronward/neuronward/proxy/measure/sound"
)

// fetchedSeconds is the assumed length of a recording that upstream fetches by its URL.
const fetchedSeconds = 3600

// picture reads an image: base64, a data URL, a URL, a list of bytes, a list of any of these, or an object with one in
// "url".
func (r *reader) picture(f *findings) error {
	switch r.Peek() {
	case '"':
		f.Images++
		p, err := r.payload("image/")
		if p.ok {
			f.media += p.size
		}
		return err
	case '[':
		start := r.Offset()
		numbers, err := r.numbers(func() error { return r.picture(f) })
		if numbers > 0 {
			f.Images++
			f.media += r.Offset() - start
		}
		return err
	case '{':
		f.Images++
		return r.Object(func(name []byte) error {
			switch string(name) {
			case "url", "data", "body":
				if r.Peek() == '"' {
					p, err := r.payload("image/")
					if p.ok {
						f.media += p.size
					}
					return err
				}
			}
			return r.Skip()
		})
	}
	return r.Skip()
}

// audio reads a recording: base64, a data URL, a list of bytes, or an object with one of these in "body" or "data".
func (r *reader) audio(f *findings) error {
	start := r.Offset()
	switch r.Peek() {
	case '"':
		p, err := r.payload("")
		switch {
		case err != nil:
		case !p.ok:
			f.addSeconds(fetchedSeconds)
		default:
			f.media += p.size
			f.addRecording((p.to-p.from)*3/4, func() io.Reader { return base64Reader(r.j.text.Reader(p.from, p.to)) })
		}
		return err
	case '[':
		numbers, err := r.numbers(func() error { return r.audio(f) })
		if end := r.Offset(); numbers > 0 {
			f.media += end - start
			f.addRecording(numbers, func() io.Reader { return listReader(r.j.text.Reader(start, end)) })
		}
		return err
	case '{':
		return r.Object(func(name []byte) error {
			switch string(name) {
			case "body", "data", "url":
				return r.audio(f)
			}
			return r.Skip()
		})
	}
	return r.Skip()
}

// addSeconds adds a recording of a known duration.
func (f *findings) addSeconds(seconds float64) {
	f.seconds += seconds
	f.secondsWithURL += seconds
}

// addRecording adds a recording of that many bytes.
func (f *findings) addRecording(total int64, open func() io.Reader) {
	head := make([]byte, min(total, sound.HeadSize))
	n, _ := io.ReadFull(open(), head) // what is decoded before an error counts
	if seconds, ok := soundSeconds(head[:n], total, open); ok {
		f.addSeconds(seconds)
	} else {
		f.unknownAudio += total
	}
}

// numbers reads a list and returns how many numbers it has if it has nothing else. Otherwise it is 0, and other has
// read all elements that are no numbers.
func (r *reader) numbers(other func() error) (int64, error) {
	all := true
	r.Hold()
	n, err := r.Numbers(func() error {
		if all {
			all = false
			r.Pass()
		}
		return other()
	})
	switch {
	case !all:
		n = 0
	case n > 0:
		r.Drop()
	default:
		r.Pass()
	}
	return n, err
}

// A payload is a string that was read.
type payload struct {
	ok       bool  // it is base64, or a data URL of base64 of the kind that was asked for
	size     int64 // bytes of the string, quotes included
	from, to int64 // offsets of the base64
}

// payload reads a string. kind is what the media type of a data URL must begin with, such as "image/". A string that is
// no payload is a URL, or text, and counts as text.
func (r *reader) payload(kind string) (p payload, err error) {
	start := r.Offset()
	skip, ok := dataURL(r.Ahead(len(`"data:`)+maxMediaType), kind)
	r.Hold()
	p.from, p.ok, err = r.Base64(skip)
	if p.ok = p.ok && ok && err == nil; p.ok {
		r.Drop()
	} else {
		r.Pass()
	}
	p.size, p.to = r.Offset()-start, r.Offset()-1
	return p, err
}

// maxMediaType limits what comes before the base64 of a data URL.
const maxMediaType = 256

// dataURL returns the length of what comes before the base64 in a raw string, of which the beginning is given with its
// quote. ok is false for a data URL that is no base64 or of another kind.
func dataURL(raw []byte, kind string) (skip int, ok bool) {
	rest, isURL := bytes.CutPrefix(raw, []byte(`"data:`))
	if !isURL {
		return 0, true
	}
	for i := 0; i < len(rest) && rest[i] != '"'; i++ { // the string may end before
		if rest[i] == '\\' {
			i++
		}
		if i < len(rest) && rest[i] == ';' && bytes.HasPrefix(rest[i:], []byte(";base64,")) {
			head := bytes.ReplaceAll(rest[:i], []byte(`\/`), []byte("/"))
			return len("data:") + i + len(";base64,"), bytes.HasPrefix(head, []byte(kind))
		}
	}
	return 0, false
}
