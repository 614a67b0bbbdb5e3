package sound

import (
	"bytes"
	endian "encoding/binary"
	"math"
)

// opensMP4 reports whether b begins with one of the boxes that files begin with.
func opensMP4(b []byte) bool {
	if len(b) < 8 {
		return false
	}
	switch string(b[4:8]) {
	case "ftyp", "styp", "moov", "moof", "mdat", "wide", "free", "skip", "pnot":
		return true
	}
	return false
}

// An mp4Track is one track. Lengths are in units of its scale.
type mp4Track struct {
	id       uint32
	scale    float64 // units a second; of several heads the lowest
	claim    float64 // seconds by its head
	units    float64 // of its samples, in the table and in fragments
	samples  float64
	sized    float64 // how many samples have a size
	aacRate  float64 // samples of sound a second, of AAC; 0: it is something else
	pictures bool
}

func (t *mp4Track) seconds() float64 {
	seconds := max(t.claim, ratio(t.units, t.scale))
	if t.aacRate > 0 {
		seconds = max(seconds, max(t.samples, t.sized)*aacSamples/t.aacRate)
	}
	return seconds
}

// mp4Walk walks the boxes of an MP4 file one by one, wherever their parents end. The index may come before the sound,
// behind it, or in fragments.
type mp4Walk struct {
	*stream
	movie   float64 // seconds by the head of the movie
	scale   float64 // of the movie
	tracks  []*mp4Track
	current *mp4Track
	usual   float64            // units of a sample in the present fragment
	usuals  map[uint32]float64 // and in all of a track
	data    int64              // bytes of sound and pictures
}

// mp4 returns the largest of what the movie, each track, and the samples of each track say.
func (s *stream) mp4() float64 {
	w := mp4Walk{stream: s, current: &mp4Track{}, usuals: map[uint32]float64{}}
	for w.box() {
	}
	seconds, counted := w.movie, false
	for _, t := range w.tracks {
		seconds = max(seconds, t.seconds())
		counted = counted || t.pictures || t.aacRate > 0 && t.samples > 0
	}
	if seconds > 0 && !counted {
		seconds = max(seconds, float64(w.data)/maxRate)
	}
	return seconds
}

// box walks one box. It returns false at the end.
func (w *mp4Walk) box() bool {
	b := w.peek(16)
	if len(b) < 8 {
		return false
	}
	size, head, name := int64(endian.BigEndian.Uint32(b)), int64(8), string(b[4:8])
	switch {
	case size == 1 && len(b) == 16:
		size, head = int64(endian.BigEndian.Uint64(b[8:])&math.MaxInt64), 16
	case size == 0: // up to the end of the file
		size = math.MaxInt64
	}
	if size < head {
		return false
	}
	size -= head
	w.skip(head)
	switch name {
	case "moov", "mdia", "minf", "stbl", "mvex", "moof":
		return true // their boxes follow
	case "trak":
		if w.current = (&mp4Track{}); len(w.tracks) == maxTracks {
			w.movie = max(w.movie, w.tracks[0].seconds())
			w.tracks = w.tracks[1:]
		}
		w.tracks = append(w.tracks, w.current)
		return true
	case "traf":
		w.current, w.usual = &mp4Track{}, 0
		return true
	case "stts", "trun":
		size -= w.table(name, size)
	case "mdat":
		w.data -= w.pos
		w.skip(size)
		w.data += w.pos
		return true
	default:
		w.value(name, w.peek(int(min(size, 512))))
	}
	return w.skip(size)
}

// value reads a box that has no others.
func (w *mp4Walk) value(name string, b []byte) {
	t := w.current
	switch name {
	case "mvhd":
		var duration float64
		w.scale, duration = times(b)
		w.movie = max(w.movie, ratio(duration, w.scale))
	case "mehd":
		w.movie = max(w.movie, ratio(float64(number(b[min(len(b), 4):])), w.scale))
	case "tkhd":
		at := 12
		if len(b) > 0 && b[0] == 1 {
			at = 20
		}
		if len(b) >= at+4 {
			t.id = endian.BigEndian.Uint32(b[at:])
		}
	case "mdhd":
		scale, duration := times(b)
		t.scale, t.claim = lower(t.scale, scale), max(t.claim, ratio(duration, scale))
	case "hdlr":
		t.pictures = len(b) >= 12 && string(b[8:12]) == "vide"
	case "stsz", "stz2":
		if len(b) >= 12 {
			t.sized = max(t.sized, float64(endian.BigEndian.Uint32(b[8:])))
		}
	case "stsd":
		t.aacRate = lower(t.aacRate, aacRateOf(b))
	case "trex":
		if len(b) >= 16 && len(w.usuals) < maxTracks {
			id := endian.BigEndian.Uint32(b[4:])
			w.usuals[id] = max(w.usuals[id], float64(endian.BigEndian.Uint32(b[12:])))
		}
	case "tfhd":
		if len(b) < 8 {
			return
		}
		id := endian.BigEndian.Uint32(b[4:])
		w.current, w.usual = w.track(id), w.usuals[id]
		at := 8
		if b[3]&1 != 0 {
			at += 8
		}
		if b[3]&2 != 0 {
			at += 4
		}
		if b[3]&8 != 0 && len(b) >= at+4 {
			w.usual = float64(endian.BigEndian.Uint32(b[at:]))
		}
	}
}

// track returns the track of an id.
func (w *mp4Walk) track(id uint32) *mp4Track {
	for _, t := range w.tracks {
		if t.id == id {
			return t
		}
	}
	return &mp4Track{}
}

// times reads scale and duration from the head of a movie or of a track, 0 where there is no duration.
func times(b []byte) (scale, duration float64) {
	switch {
	case len(b) >= 20 && b[0] == 0:
		if d := endian.BigEndian.Uint32(b[16:]); d != math.MaxUint32 {
			duration = float64(d)
		}
		return float64(endian.BigEndian.Uint32(b[12:])), duration
	case len(b) >= 32 && b[0] == 1:
		if d := endian.BigEndian.Uint64(b[24:]); d != math.MaxUint64 {
			duration = float64(d)
		}
		return float64(endian.BigEndian.Uint32(b[20:])), duration
	}
	return 0, 0
}

func ratio(a, b float64) float64 {
	if b <= 0 {
		return 0
	}
	return a / b
}

// lower returns the lower of two rates, of which 0 says nothing.
func lower(a, b float64) float64 {
	if a > 0 && b > 0 {
		return min(a, b)
	}
	return max(a, b)
}

// table reads the samples of a track, or of a fragment, and returns how many bytes it has read of size.
func (w *mp4Walk) table(name string, size int64) (read int64) {
	take := func(n int64) []byte {
		b := w.peek(int(min(n, size-read))) // stays until the next read
		w.skip(int64(len(b)))
		read += int64(len(b))
		if int64(len(b)) < n {
			return nil
		}
		return b
	}
	head := take(8)
	if head == nil {
		return read
	}
	t, count := w.current, int64(endian.BigEndian.Uint32(head[4:]))
	if name == "stts" {
		for ; count > 0; count-- {
			b := take(8)
			if b == nil {
				break
			}
			n := float64(endian.BigEndian.Uint32(b))
			t.samples += n
			t.units += n * float64(endian.BigEndian.Uint32(b[4:]))
		}
		return read
	}
	const offset, first, durations, sizes, flags, shifts = 1, 4, 0x100, 0x200, 0x400, 0x800
	has := endian.BigEndian.Uint32(head)
	if has&offset != 0 {
		take(4)
	}
	if has&first != 0 {
		take(4)
	}
	entry := int64(0)
	for _, flag := range []uint32{durations, sizes, flags, shifts} {
		if has&flag != 0 {
			entry += 4
		}
	}
	if has&durations == 0 {
		t.samples += float64(count)
		t.units += float64(count) * w.usual
		return read
	}
	for ; count > 0; count-- {
		b := take(entry)
		if b == nil {
			break
		}
		t.samples++
		t.units += float64(endian.BigEndian.Uint32(b))
	}
	return read
}

// aacRateOf reads the rate of AAC from the description of a track, 0 if it is something else.
func aacRateOf(b []byte) float64 {
	const entry = 8 // version, flags and the number of entries
	if len(b) < entry+36 || string(b[entry+4:][:4]) != "mp4a" {
		return 0
	}
	rate := float64(endian.BigEndian.Uint16(b[entry+32:]))
	i := bytes.Index(b, []byte("esds"))
	if i < 0 {
		return rate
	}
	const decoder, specific, aac = 4, 5, 0x40
	_, body := descriptor(b[min(i+8, len(b)):])
	kind, body := descriptor(body[min(3, len(body)):])
	if kind != decoder || len(body) < 13 {
		return rate
	}
	if body[0] != aac {
		return 0
	}
	if kind, body = descriptor(body[13:]); kind == specific && len(body) >= 2 {
		if i := int(body[0]&7)<<1 | int(body[1]>>7); i < len(aacRates) {
			return aacRates[i]
		}
	}
	return rate
}

// descriptor reads the head of a descriptor of MPEG-4 and returns what follows it.
func descriptor(b []byte) (kind byte, body []byte) {
	if len(b) < 2 {
		return 0, nil
	}
	kind, b = b[0], b[1:]
	for len(b) > 1 && b[0]&0x80 != 0 { // the size
		b = b[1:]
	}
	return kind, b[1:]
}
