package sound

import (
	endian "encoding/binary"
	"math"
	"math/bits"
	"strings"
)

// webmMagic is what a file begins with: the head of EBML.
const webmMagic = "\x1a\x45\xdf\xa3"

// Elements of Matroska.
const (
	webmHead          = 0x1a45dfa3
	webmSegment       = 0x18538067
	webmInfo          = 0x1549a966
	webmTimescale     = 0x2ad7b1
	webmDuration      = 0x4489
	webmTracks        = 0x1654ae6b
	webmTrackEntry    = 0xae
	webmTrackNumber   = 0xd7
	webmTrackType     = 0x83
	webmCodecID       = 0x86
	webmCodecPrivate  = 0x63a2
	webmDefault       = 0x23e383
	webmAudio         = 0xe1
	webmSampleRate    = 0xb5
	webmChannels      = 0x9f
	webmBitDepth      = 0x6264
	webmCluster       = 0x1f43b675
	webmClusterTime   = 0xe7
	webmSimpleBlock   = 0xa3
	webmBlockGroup    = 0xa0
	webmBlock         = 0xa1
	webmBlockDuration = 0x9b
)

// A webmTrack is one track. Its packets are counted once its codec is known.
type webmTrack struct {
	track
	number, kind  uint64 // kind 2: sound
	codecID       string
	private       []byte
	usual         float64 // seconds of a block, where the track says it
	sampleRate    float64
	channels      float64
	bytesOfSample float64
	resolved      bool
	last, before  float64 // when its last two blocks begin
}

// webmWalk walks the elements of a WebM file. Recorders that cannot seek write neither a duration nor the sizes of
// segment and clusters, so that the elements are taken one by one, wherever their parents end.
type webmWalk struct {
	*stream
	seconds  float64 // of files that came before in the same bytes
	scale    float64 // seconds of a unit
	duration float64 // by Info, in units
	cluster  float64 // when it begins, in units
	latest   float64 // end of the last block, in seconds
	tracks   []*webmTrack
	current  *webmTrack // the one that is described, or had the last block
	junk     int64
}

// webm returns the larger of the duration in the head, of when the last block ends, and of what the packets are.
func (s *stream) webm() float64 {
	w := webmWalk{stream: s}
	w.begin()
	for w.element() {
	}
	w.begin()
	if w.seconds == 0 {
		return 0
	}
	return w.seconds + float64(w.junk)/MinRate
}

// begin begins a file, and adds up the one before.
func (w *webmWalk) begin() {
	seconds := max(w.latest, w.duration*w.scale, 0)
	if math.IsNaN(seconds) {
		seconds = w.latest
	}
	for _, t := range w.tracks {
		if t.kind == 2 {
			t.claim = max(t.claim, seconds)
			seconds = max(seconds, t.seconds())
		}
	}
	w.seconds += min(seconds, maxSeconds)
	w.scale, w.duration, w.cluster, w.latest, w.tracks, w.current = 1e-3, 0, 0, 0, nil, nil
}

// element walks one element. It returns false at the end.
func (w *webmWalk) element() bool {
	id, size, head := webmElement(w.peek(12))
	if head == 0 {
		n := w.find(webmCluster>>24, maxSkip) // what follows may go on with a cluster
		w.junk += n
		return n > 0
	}
	w.skip(int64(head))
	switch id {
	case webmHead:
		w.begin()
	case webmSegment, webmInfo, webmTracks, webmAudio, webmCluster, webmBlockGroup:
		return true // their elements follow
	case webmTrackEntry:
		w.current = &webmTrack{}
		if len(w.tracks) < maxTracks {
			w.tracks = append(w.tracks, w.current)
		}
		return true
	case webmSimpleBlock, webmBlock:
		w.block(int64(min(size, math.MaxInt64)))
	default:
		w.value(id, w.peek(int(min(size, 64))))
	}
	if size > math.MaxInt64 { // of no parent that is known
		return true
	}
	w.skip(int64(size))
	return true
}

// value reads an element that has no others.
func (w *webmWalk) value(id uint32, b []byte) {
	switch id {
	case webmTimescale:
		w.scale = float64(number(b)) / 1e9
		return
	case webmDuration:
		w.duration = float(b)
		return
	case webmClusterTime:
		w.cluster = float64(number(b))
		return
	}
	t := w.current
	if t == nil {
		return
	}
	switch id {
	case webmTrackNumber:
		t.number = number(b)
	case webmTrackType:
		t.kind = number(b)
	case webmCodecID:
		t.codecID = strings.TrimRight(string(b), "\x00")
	case webmCodecPrivate:
		t.private = append([]byte(nil), b...)
	case webmDefault:
		t.usual = float64(number(b)) / 1e9
	case webmSampleRate:
		t.sampleRate = float(b)
	case webmChannels:
		t.channels = float64(number(b))
	case webmBitDepth:
		t.bytesOfSample = float64((number(b) + 7) / 8)
	case webmBlockDuration:
		w.latest = max(w.latest, t.last+float64(number(b))*w.scale)
	}
}

// block reads the head of a block, whose elements have the given size. The next byte is its first.
func (w *webmWalk) block(size int64) {
	b := w.peek(int(min(size, 600)))
	n := 0
	if len(b) > 0 {
		n = bits.LeadingZeros8(b[0]) + 1
	}
	if n == 0 || n > 8 || len(b) < n+3 {
		return
	}
	number := uint64(b[0]) & (1<<(8-n) - 1)
	for _, c := range b[1:n] {
		number = number<<8 | uint64(c)
	}
	start := (w.cluster + float64(int16(endian.BigEndian.Uint16(b[n:])))) * w.scale
	lacing := b[n+2] >> 1 & 3
	body := b[n+3:]
	w.latest = max(w.latest, start)
	for _, t := range w.tracks {
		if t.number != number {
			continue
		}
		w.current = t
		if t.kind != 2 {
			return
		}
		t.resolve()
		frames := 1.0
		if lacing != 0 && len(body) > 0 {
			frames = float64(body[0]) + 1
			body = laced(body, lacing)
		}
		least, most := t.packet(body[:min(len(body), packetHead)], size-int64(len(b)-len(body)))
		t.least += least * frames
		t.most += most * frames
		t.bytes += size
		t.before, t.last = t.last, start
		one := most
		if most == 0 {
			one = t.usual
		}
		if one == 0 {
			one = max(t.last-t.before, 0)
		}
		w.latest = max(w.latest, start+one*frames)
		return
	}
}

// resolve finds out what the packets of a track are.
func (t *webmTrack) resolve() {
	if t.resolved {
		return
	}
	t.resolved = true
	switch id := t.codecID; {
	case id == "A_OPUS":
		t.codec = codec{kind: opusCodec, rate: 48_000}
	case id == "A_VORBIS":
		t.codec = vorbis(t.private)
	case id == "A_FLAC":
		t.codec = codec{kind: flacCodec, rate: t.sampleRate}
	case strings.HasPrefix(id, "A_MPEG/"):
		t.codec = codec{kind: mpegCodec}
	case strings.HasPrefix(id, "A_PCM"):
		t.codec = codec{kind: pcmCodec, rate: t.sampleRate * max(t.channels, 1) * t.bytesOfSample}
	case strings.HasPrefix(id, "A_AAC") && t.sampleRate > 0:
		one := aacSamples / t.sampleRate
		t.codec = codec{kind: fixedCodec, rate: t.sampleRate, short: one, long: one}
	}
}

// laced returns where the first of several frames in a block begins.
func laced(b []byte, lacing byte) []byte {
	frames := int(b[0]) + 1
	b = b[1:]
	for range frames - 1 {
		if len(b) == 0 {
			break
		}
		switch lacing {
		case 1: // Xiph: a size ends with a byte below 255
			for len(b) > 1 && b[0] == 255 {
				b = b[1:]
			}
			b = b[1:]
		case 3: // EBML: numbers of any length
			b = b[min(bits.LeadingZeros8(b[0])+1, len(b)):]
		}
	}
	return b
}

// webmElement reads the head of an element, which is head bytes long, 0 if there is none. An unknown size is the
// largest number.
func webmElement(b []byte) (id uint32, size uint64, head int) {
	n := 0
	if len(b) > 0 {
		n = bits.LeadingZeros8(b[0]) + 1
	}
	if n == 0 || n > 4 || len(b) <= n {
		return 0, 0, 0
	}
	for _, c := range b[:n] {
		id = id<<8 | uint32(c)
	}
	head = n
	b = b[n:]
	if n = bits.LeadingZeros8(b[0]) + 1; n > 8 || len(b) < n {
		return 0, 0, 0
	}
	size = uint64(b[0]) & (1<<(8-n) - 1)
	for _, c := range b[1:n] {
		size = size<<8 | uint64(c)
	}
	if size == 1<<(7*n)-1 {
		size = math.MaxUint64
	}
	return id, size, head + n
}

// number reads a whole number of at most 8 bytes.
func number(b []byte) (v uint64) {
	for _, c := range b[:min(len(b), 8)] {
		v = v<<8 | uint64(c)
	}
	return v
}

// float reads a number of 4 or 8 bytes.
func float(b []byte) float64 {
	switch len(b) {
	case 4:
		return float64(math.Float32frombits(endian.BigEndian.Uint32(b)))
	case 8:
		return math.Float64frombits(endian.BigEndian.Uint64(b))
	}
	return 0
}
