package measure

import (
	"bufio"
	"bytes"
	endian "encoding/binary"
	"io"
	"math"
	"math/bits"
)

// maxOggStreams limits how many streams of one file are kept apart.
const maxOggStreams = 16

// oggStream is one stream of an Ogg file. Its granules are samples.
type oggStream struct {
	rate int64 // samples a second; 0: it is no sound
	last int64 // the last granule
}

func (s oggStream) seconds() float64 {
	if s.rate <= 0 {
		return 0
	}
	return float64(s.last) / float64(s.rate)
}

// oggSeconds adds up the last granules of all streams. They stand at the end, so it reads the whole file, page by page
// (RFC 3533). It returns 0 if a page is broken or a codec is not known.
func oggSeconds(r io.Reader, total int64) float64 {
	br := bufio.NewReader(r)
	streams := map[uint32]oggStream{}
	seconds := 0.0
	var head [27]byte
	var lacing [255]byte
	for {
		if _, err := io.ReadFull(br, head[:]); err == io.EOF {
			break
		} else if err != nil || string(head[:5]) != "OggS\x00" {
			return 0
		}
		table := lacing[:head[26]]
		if _, err := io.ReadFull(br, table); err != nil {
			return 0
		}
		size := 0
		for _, n := range table {
			size += int(n)
		}
		serial := endian.LittleEndian.Uint32(head[14:])
		s, known := streams[serial]
		if begins := head[5]&2 != 0; begins {
			seconds += s.seconds()
			first, _ := br.Peek(min(size, 64)) // a truncated page is found below
			var ok bool
			if s, ok = oggCodec(first); !ok || len(streams) == maxOggStreams {
				return 0
			}
		} else if !known {
			return 0
		}
		s.last = max(s.last, int64(endian.LittleEndian.Uint64(head[6:]))) // -1: no packet ends here
		streams[serial] = s
		if _, err := br.Discard(size); err != nil {
			return 0
		}
	}
	for _, s := range streams {
		seconds += s.seconds()
	}
	if seconds == 0 {
		return 0
	}
	return max(seconds, float64(total)/maxAudioRate)
}

// oggCodec identifies a stream by its first packet.
func oggCodec(b []byte) (oggStream, bool) {
	switch {
	case bytes.HasPrefix(b, []byte("OpusHead")):
		return oggStream{rate: 48_000}, true // for any rate of the source (RFC 7845)
	case bytes.HasPrefix(b, []byte("\x01vorbis")) && len(b) >= 16:
		return oggStream{rate: int64(endian.LittleEndian.Uint32(b[12:]))}, true
	case bytes.HasPrefix(b, []byte("Speex   ")) && len(b) >= 40:
		return oggStream{rate: int64(endian.LittleEndian.Uint32(b[36:]))}, true
	case bytes.HasPrefix(b, []byte("\x7fFLAC")) && len(b) >= 30:
		return oggStream{rate: int64(b[27])<<12 | int64(b[28])<<4 | int64(b[29])>>4}, true
	case bytes.HasPrefix(b, []byte("\x80theora")), bytes.HasPrefix(b, []byte("fishead\x00")):
		return oggStream{}, true
	}
	return oggStream{}, false
}

// webmMagic is what a WebM file begins with.
const webmMagic = "\x1a\x45\xdf\xa3"

// The elements of WebM that give the duration.
const (
	webmSegment   = 0x18538067
	webmInfo      = 0x1549a966
	webmTimescale = 0x2ad7b1
	webmDuration  = 0x4489
)

// webmSeconds reads the Duration of the segment. It returns 0 if Info comes behind the sound, and for recordings of
// browsers, which have none.
func webmSeconds(b []byte, total int64) float64 {
	scale, duration := 1e6, 0.0 // nanoseconds; in units of scale
	for {
		id, size, rest, ok := webmElement(b)
		if !ok {
			break
		}
		if b = rest; id == webmSegment || id == webmInfo {
			continue // its elements follow
		}
		if size > uint64(len(b)) {
			break
		}
		value := b[:size]
		b = b[size:]
		switch {
		case id == webmTimescale && size <= 8:
			v := uint64(0)
			for _, c := range value {
				v = v<<8 | uint64(c)
			}
			scale = float64(v)
		case id == webmDuration && size == 4:
			duration = float64(math.Float32frombits(endian.BigEndian.Uint32(value)))
		case id == webmDuration && size == 8:
			duration = math.Float64frombits(endian.BigEndian.Uint64(value))
		}
	}
	seconds := duration * scale / 1e9
	if !(seconds > 0) || math.IsInf(seconds, 0) {
		return 0
	}
	return max(seconds, float64(total)/maxAudioRate)
}

// webmElement reads the head of an element; rest begins with its value. An unknown size is the largest number.
func webmElement(b []byte) (id uint32, size uint64, rest []byte, ok bool) {
	n := 0
	if len(b) > 0 {
		n = bits.LeadingZeros8(b[0]) + 1
	}
	if n == 0 || n > 4 || len(b) <= n {
		return 0, 0, nil, false
	}
	for _, c := range b[:n] {
		id = id<<8 | uint32(c)
	}
	b = b[n:]
	if n = bits.LeadingZeros8(b[0]) + 1; n > 8 || len(b) < n {
		return 0, 0, nil, false
	}
	size = uint64(b[0]) & (1<<(8-n) - 1)
	for _, c := range b[1:n] {
		size = size<<8 | uint64(c)
	}
	if size == 1<<(7*n)-1 {
		size = math.MaxUint64
	}
	return id, size, b[n:], true
}
