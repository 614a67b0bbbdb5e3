package sound

import (
	"bytes"
	endian "encoding/binary"
	"math"
)

// A layout says where the samples of a WAV or AIFF file begin and how many bytes a second of them takes.
type layout struct {
	start int64
	rate  float64 // 0: not known
	mp3   bool    // frames stand in place of samples
}

// maxSampleRate is the highest rate that is believed: of eight channels of 32 bits.
const maxSampleRate = 192_000 * 8 * 4

func isWAV(b []byte) bool {
	return len(b) >= 12 && string(b[8:12]) == "WAVE" &&
		(begins(b, "RIFF") || begins(b, "RF64") || begins(b, "BW64"))
}

func isAIFF(b []byte) bool {
	return len(b) >= 12 && begins(b, "FORM") && (string(b[8:12]) == "AIFF" || string(b[8:12]) == "AIFC")
}

func layoutOf(head []byte) layout {
	if isWAV(head) {
		return wavLayout(head)
	}
	return aiffLayout(head)
}

// wav divides the bytes behind the header by the size of the samples, as a decoder does: recorders that cannot seek
// write no size, and the one that there is may be anything.
func (s *stream) wav() float64 {
	l := layoutOf(s.peek(HeadSize))
	if l.mp3 {
		s.skip(l.start)
		return s.frames()
	}
	if l.rate <= 0 {
		return 0
	}
	s.skip(math.MaxInt64)
	return float64(max(s.pos-l.start, 1)) / l.rate
}

// The formats of WAV whose size of samples is known.
const (
	wavPCM        = 1
	wavADPCM      = 2
	wavFloat      = 3
	wavALaw       = 6
	wavMuLaw      = 7
	wavIMA        = 0x11
	wavGSM        = 0x31
	wavMP3        = 0x55
	wavExtensible = 0xfffe
)

func wavLayout(b []byte) layout {
	for at := 12; at+8 <= len(b); {
		name, size := string(b[at:at+4]), int64(endian.LittleEndian.Uint32(b[at+4:]))
		at += 8
		if name == "fmt " && at+16 <= len(b) {
			l := wavFormat(b[at:])
			l.start = int64(at) + size
			if i := bytes.Index(b[at:], []byte("data")); i >= 0 {
				l.start = int64(at + i + 8)
			}
			return l
		}
		size += size & 1
		if size > int64(len(b)-at) {
			break
		}
		at += int(size)
	}
	return layout{}
}

// wavFormat reads the rate by the samples: the header's own bytes a second may be anything.
func wavFormat(b []byte) layout {
	format := endian.LittleEndian.Uint16(b)
	if format == wavExtensible && len(b) >= 26 {
		format = endian.LittleEndian.Uint16(b[24:])
	}
	channels := float64(endian.LittleEndian.Uint16(b[2:]))
	rate := float64(endian.LittleEndian.Uint32(b[4:]))
	bits := endian.LittleEndian.Uint16(b[14:])
	bytes := 0.0 // a sample
	switch format {
	case wavPCM, wavFloat, wavExtensible:
		bytes = float64((bits + 7) / 8)
	case wavALaw, wavMuLaw:
		bytes = 1
	case wavADPCM, wavIMA:
		bytes = 0.5 // and the heads of blocks
	case wavGSM:
		bytes = 65. / 320
	case wavMP3:
		return layout{mp3: true}
	}
	return layout{rate: limitRate(rate * channels * bytes)}
}

func limitRate(rate float64) float64 {
	if rate > maxSampleRate {
		return 0
	}
	return rate
}

func aiffLayout(b []byte) layout {
	for at := 12; at+8 <= len(b); {
		name, size := string(b[at:at+4]), int64(endian.BigEndian.Uint32(b[at+4:]))
		at += 8
		if name == "COMM" && at+18 <= len(b) {
			return layout{start: int64(at), rate: limitRate(aiffRate(b[at:], size))}
		}
		size += size & 1
		if size > int64(len(b)-at) {
			break
		}
		at += int(size)
	}
	return layout{}
}

func aiffRate(b []byte, size int64) float64 {
	channels := float64(endian.BigEndian.Uint16(b))
	bytes := float64((endian.BigEndian.Uint16(b[6:]) + 7) / 8)
	if size >= 22 && len(b) >= 22 {
		switch string(b[18:22]) {
		case "NONE", "twos", "sowt", "raw ", "in24", "in32", "fl32", "FL32", "fl64", "FL64":
		case "ulaw", "ULAW", "alaw", "ALAW":
			bytes = 1
		case "ima4":
			bytes = 34. / 64
		default:
			return 0
		}
	}
	exponent := int(endian.BigEndian.Uint16(b[8:])&0x7fff) - 16383 - 63 // of 80 bits
	return math.Ldexp(float64(endian.BigEndian.Uint64(b[10:])), exponent) * channels * bytes
}
