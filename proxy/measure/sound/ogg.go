package sound

import endian "encoding/binary"

// oggHead is the size of the head of a page, without its table of segments.
const oggHead = 27

// An oggStream is one logical stream.
type oggStream struct {
	track
	open    bool // a packet goes on in the next page
	packets int
}

// oggWalk walks the pages of an Ogg file (RFC 3533).
type oggWalk struct {
	*stream
	streams map[uint32]*oggStream
	seconds float64 // of the streams that have ended
	junk    int64   // bytes that are in no page, or in one of no stream that is known
}

// ogg adds up the streams. It returns 0 if none is sound of a codec that is known.
func (s *stream) ogg() float64 {
	w := oggWalk{stream: s, streams: map[uint32]*oggStream{}}
	for {
		head := w.peek(oggHead + 255)
		if len(head) == 0 {
			break
		}
		if len(head) < oggHead || !begins(head, "OggS\x00") || len(head) < oggHead+int(head[26]) {
			w.junk += w.find('O', maxSkip)
			continue
		}
		w.page(head)
	}
	w.end()
	if w.seconds == 0 {
		return 0
	}
	return w.seconds + float64(w.junk)/MinRate
}

// end ends all streams.
func (w *oggWalk) end() {
	for _, s := range w.streams {
		w.seconds += s.seconds()
	}
	clear(w.streams)
}

// page walks one page.
func (w *oggWalk) page(head []byte) {
	var table [255]byte
	segments := table[:copy(table[:], head[oggHead:oggHead+int(head[26])])]
	serial, flags := endian.LittleEndian.Uint32(head[14:]), head[5]
	granule := int64(endian.LittleEndian.Uint64(head[6:]))
	w.skip(int64(oggHead + len(segments)))
	s := w.streams[serial]
	if flags&2 != 0 { // it begins a stream
		if s != nil {
			w.seconds += s.seconds()
		} else if len(w.streams) == maxTracks {
			w.end()
		}
		size := 0
		for _, n := range segments {
			size += int(n)
		}
		s = nil
		delete(w.streams, serial)
		if c, ok := codecOf(w.peek(min(size, 128))); ok {
			s = &oggStream{track: track{codec: c}}
			w.streams[serial] = s
		}
	}
	if s == nil {
		for _, n := range segments {
			w.junk += int64(n)
			w.skip(int64(n))
		}
		return
	}
	if s.rate > 0 && granule > 0 { // -1: no packet ends here
		s.claim = max(s.claim, float64(granule)/s.rate)
	}
	w.packets(s, segments, flags&1 != 0)
}

// packets walks the packets of a page. Each ends with a segment below 255 bytes.
func (w *oggWalk) packets(s *oggStream, segments []byte, continued bool) {
	inside := continued && s.open
	s.open = false
	for len(segments) > 0 {
		size, n := int64(0), 0
		for n < len(segments) {
			size += int64(segments[n])
			if n++; segments[n-1] < 255 {
				break
			}
		}
		s.open = segments[n-1] == 255
		segments = segments[n:]
		if head := w.peek(int(min(size, packetHead))); !inside && !s.header(head) {
			s.add(head, size)
		} else {
			s.bytes += size
		}
		inside = false
		w.skip(size)
	}
}

// header reports whether a packet stands in front of the sound. Opus and Speex have two such packets, of the others
// each says what it is.
func (s *oggStream) header(packet []byte) bool {
	s.packets++
	switch {
	case s.kind == picturesCodec:
		return true
	case s.kind == flacCodec:
		return len(packet) == 0 || packet[0] != 0xff
	case len(packet) >= 7 && string(packet[1:7]) == "vorbis":
		return true
	}
	return s.packets <= 2
}
