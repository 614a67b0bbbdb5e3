package sound

import endian "encoding/binary"

// A frame is one of MPEG audio, layer I to III, or of AAC with a head of its own (ADTS).
type frame struct {
	size    int // bytes; of free format, where it is not known, those of the head
	seconds float64
	kind    uint32 // what the heads of a file have in common
	adts    bool
	free    bool
}

// headSize is how many bytes the head of a frame takes at most.
const headSize = 7

// Bit rates in kbit/s: of MPEG-1 by layer, and of MPEG-2 and 2.5 (layers II and III are alike).
var mpegBitrates = [5][15]int{
	{0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448},
	{0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384},
	{0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320},
	{0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256},
	{0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160},
}

var mpegRates = [3]int{44_100, 48_000, 32_000}

// parseFrame reads the head of a frame.
func parseFrame(b []byte) (f frame, ok bool) {
	if len(b) < 4 || b[0] != 0xff || b[1]&0xe0 != 0xe0 {
		return f, false
	}
	layer := 4 - int(b[1]>>1&3) // 4: none of MPEG audio
	if layer == 4 {
		return parseADTS(b)
	}
	version, bitrate, rate := b[1]>>3&3, b[2]>>4, b[2]>>2&3 // version 3: MPEG-1, 2: MPEG-2, 0: MPEG-2.5
	if version == 1 || bitrate == 15 || rate == 3 {
		return f, false
	}
	hertz, table, samples := mpegRates[rate], layer-1, 1152
	if layer == 1 {
		samples = 384
	}
	if version != 3 {
		hertz /= 2
		table = min(layer+2, 4)
		if layer == 3 {
			samples = 576
		}
	}
	if version == 0 {
		hertz /= 2
	}
	f.kind = uint32(b[1]&0x1e)<<8 | uint32(b[2]&0x0c)
	f.seconds = float64(samples) / float64(hertz)
	if bitrate == 0 {
		f.size, f.free = 4, true
		return f, true
	}
	padding := int(b[2] >> 1 & 1)
	f.size = samples/8*mpegBitrates[table][bitrate]*1000/hertz + padding
	if layer == 1 { // in slots of four bytes
		f.size = (12*mpegBitrates[table][bitrate]*1000/hertz + padding) * 4
	}
	return f, true
}

// aacRates are the sample rates of AAC, by their index.
var aacRates = [13]float64{
	96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8000, 7350,
}

// aacSamples is how many samples a block of AAC has, at the rate of its head.
const aacSamples = 1024

func parseADTS(b []byte) (f frame, ok bool) {
	if len(b) < headSize || b[1]&0xf6 != 0xf0 {
		return f, false
	}
	rate, size := int(b[2]>>2&15), int(b[3]&3)<<11|int(b[4])<<3|int(b[5])>>5
	if rate >= len(aacRates) || size < headSize {
		return f, false
	}
	blocks := float64(b[6]&3) + 1
	f.kind, f.adts = endian.BigEndian.Uint32(b)&0xfffffff0, true
	f.size, f.seconds = size, blocks*aacSamples/aacRates[rate]
	return f, true
}
