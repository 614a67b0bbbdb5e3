package sound

import "math"

const (
	// minMPEGRate is the lowest rate of MPEG audio, in bytes a second (8 kbit/s).
	minMPEGRate = 1000

	// maxFreeFrame is the size of the largest frame of free format.
	maxFreeFrame = 4608
)

// opensFrames reports whether b, the beginning of a recording, has frames that follow one another: at once two, or one
// that is all there is; behind something else three.
func opensFrames(b []byte) bool {
	for at := range max(len(b)-3, 0) {
		if b[at] != 0xff {
			continue
		}
		first, ok := parseFrame(b[at:])
		if !ok || first.free && at > 0 { // quiet PCM looks like that
			continue
		}
		second, ok := nextFrame(b[at:], first)
		if !ok {
			if at == 0 && len(b) == first.size && len(b) < HeadSize {
				return true
			}
			continue
		}
		if at == 0 {
			return true
		}
		if _, ok := nextFrame(b[at+second:], first); ok {
			return true
		}
	}
	return false
}

// nextFrame returns where the frame behind f begins, of the same kind. b begins with f.
func nextFrame(b []byte, f frame) (at int, ok bool) {
	if !f.free {
		at = f.size
		if at >= len(b) {
			return 0, false
		}
		next, ok := parseFrame(b[at:])
		return at, ok && next.kind == f.kind
	}
	for at := f.size; at+4 <= min(len(b), maxFreeFrame); at++ {
		if b[at] != 0xff {
			continue
		}
		if next, ok := parseFrame(b[at:]); ok && next.free && next.kind == f.kind {
			return at, true
		}
	}
	return 0, false
}

// frames adds up the frames of MPEG audio or AAC. What their encoder says of them in the first one does not count.
func (s *stream) frames() float64 {
	w := frameWalk{stream: s, junkRate: minMPEGRate, synced: true}
	for w.next() {
	}
	if w.tag.end == s.pos {
		w.junk = w.tag.before
	}
	return w.seconds + float64(w.junk)/w.junkRate
}

type frameWalk struct {
	*stream
	seconds  float64
	junk     int64   // bytes that are in no frame
	junkRate float64 // bytes a second that they count at

	synced bool   // the next byte is behind a frame
	seen   uint32 // kind of the last frame whose head is known well enough to stand alone: AAC, or free format
	body   int64  // bytes that may still belong to a frame of free format
	tag    tag
}

// A tag stands behind the sound, if it ends where the file does.
type tag struct{ end, before int64 } // before: the junk in front of it

// next walks one frame, or what is none up to where the next may begin. It returns false at the end.
func (w *frameWalk) next() bool {
	b := w.peek(headSize)
	f, ok := parseFrame(b)
	if ok && (!w.synced || f.free) {
		ok = f.kind == w.seen && (f.adts || f.free) || w.followed(f)
	}
	if !ok {
		w.synced = false
		w.findTag()
		limit := int64(math.MaxInt64)
		if w.pos < w.tag.end {
			limit = w.tag.end - w.pos
		}
		n := w.find(0xff, limit)
		inside := min(n, w.body)
		w.body -= inside
		w.junk += n - inside
		return n > 0
	}
	w.seconds += f.seconds
	w.synced, w.body = !f.free, 0
	switch {
	case f.adts:
		w.seen, w.junkRate = f.kind, MinRate
	case f.free:
		w.seen, w.body = f.kind, maxFreeFrame
	}
	w.skip(int64(f.size))
	return true
}

// followed reports whether another frame comes behind f.
func (w *frameWalk) followed(f frame) bool {
	size := f.size
	if f.free {
		size = maxFreeFrame
	}
	_, ok := nextFrame(w.peek(size+headSize), f)
	return ok
}

// findTag looks for a tag at the next byte: ID3v1, or APE.
func (w *frameWalk) findTag() {
	const ape, id3 = 32, 128 // bytes of their heads
	b := w.peek(ape)
	size := int64(0)
	switch {
	case begins(b, "TAG"):
		size = id3
	case begins(b, "APETAGEX") && len(b) == ape:
		size = ape + (int64(b[12]) | int64(b[13])<<8 | int64(b[14])<<16 | int64(b[15])<<24)
	default:
		return
	}
	switch {
	case w.pos == w.tag.end && w.tag.end > 0: // behind another one
		w.tag.end += size
	case w.pos > w.tag.end:
		w.tag = tag{end: w.pos + size, before: w.junk}
	}
}
