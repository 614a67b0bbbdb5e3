package sound

import (
	endian "encoding/binary"
	"slices"
)

// A flacInfo is what STREAMINFO says.
type flacInfo struct {
	rate    float64 // samples a second
	samples float64 // of each channel; 0: not known
	bytes   float64 // of a sample of all channels
}

// flacInfoSize is how many bytes of STREAMINFO are read.
const flacInfoSize = 18

func parseFLACInfo(b []byte) flacInfo {
	if len(b) < flacInfoSize {
		return flacInfo{}
	}
	rate := int64(b[10])<<12 | int64(b[11])<<4 | int64(b[12])>>4
	channels := int64(b[12]>>1&7) + 1
	bits := int64(b[12]&1)<<4 + int64(b[13])>>4 + 1
	samples := int64(b[13]&15)<<32 | int64(endian.BigEndian.Uint32(b[14:]))
	return flacInfo{float64(rate), float64(samples), float64(channels * ((bits + 7) / 8))}
}

// flac adds up the frames, which stand behind each other without their sizes: each begins with a head that has a
// checksum. STREAMINFO counts if it says more, and the bytes if they are more than PCM would take.
func (s *stream) flac() float64 {
	s.skip(4)
	var info flacInfo
	for last := false; !last; {
		b := s.peek(4 + flacInfoSize)
		if len(b) < 4 {
			break
		}
		size := int64(b[1])<<16 | int64(b[2])<<8 | int64(b[3])
		if b[0]&0x7f == 0 {
			info = parseFLACInfo(b[4:])
		}
		last = b[0]&0x80 != 0
		s.skip(4 + size)
	}
	start, seconds := s.pos, 0.0
	for {
		if one := flacFrame(s.peek(flacHeadSize), info.rate); one > 0 {
			seconds += one
		}
		if s.find(0xff, maxSkip) == 0 {
			break
		}
	}
	if info.rate <= 0 {
		return seconds
	}
	return max(seconds, info.samples/info.rate, float64(s.pos-start)/(info.rate*info.bytes))
}

// flacHeadSize is how many bytes the head of a frame takes at most.
const flacHeadSize = 16

// flacRates are the sample rates by their code; the first stands in STREAMINFO.
var flacRates = [12]float64{
	0, 88_200, 176_400, 192_000, 8000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000,
}

// flacFrame returns how long the frame is that b begins with, 0 if it begins with none. streamRate is the rate in
// STREAMINFO.
func flacFrame(b []byte, streamRate float64) (seconds float64) {
	if len(b) < 6 || b[0] != 0xff || b[1]&0xfe != 0xf8 || b[3]&1 != 0 {
		return 0
	}
	at := 5 // behind the number of the frame, which is as long as its first byte says
	for c := b[4]; c&0xc0 == 0xc0; c <<= 1 {
		at++
	}
	if at+5 > len(b) { // a size and a rate of two bytes each, and the checksum
		b = append(slices.Clip(b), make([]byte, 5)...) // at the end of the file
		if at+5 > len(b) {
			return 0
		}
	}
	samples := 0.0
	switch code := b[2] >> 4; {
	case code == 1:
		samples = 192
	case code >= 2 && code <= 5:
		samples = float64(int(576) << (code - 2))
	case code == 6:
		samples = float64(b[at]) + 1
		at++
	case code == 7:
		samples = float64(endian.BigEndian.Uint16(b[at:])) + 1
		at += 2
	case code >= 8:
		samples = float64(int(256) << (code - 8))
	}
	rate := streamRate
	switch code := b[2] & 15; {
	case code == 0:
	case int(code) < len(flacRates):
		rate = flacRates[code]
	case code == 12:
		rate = float64(b[at]) * 1000
		at++
	case code == 13:
		rate = float64(endian.BigEndian.Uint16(b[at:]))
		at += 2
	case code == 14:
		rate = float64(endian.BigEndian.Uint16(b[at:])) * 10
		at += 2
	default:
		return 0
	}
	if rate <= 0 || crc8(b[:at]) != b[at] {
		return 0
	}
	return samples / rate
}

// crc8 is the checksum of the head of a frame.
func crc8(b []byte) (sum byte) {
	for _, c := range b {
		sum ^= c
		for range 8 {
			if sum&0x80 != 0 {
				sum = sum<<1 ^ 7
			} else {
				sum <<= 1
			}
		}
	}
	return sum
}
