package measure

import (
	"bytes"
	endian "encoding/binary"
	"io"
)

const (
	// minAudioRate is the lowest rate of stored speech, in bytes a second (6 kbit/s). It limits the duration of a
	// recording whose header does not say it.
	minAudioRate = 750

	// maxAudioRate is the highest rate of stored speech, in bytes a second (320 kbit/s). A header that says less than
	// the bytes take at this rate is not believed.
	maxAudioRate = 40_000

	// fetchedSeconds is the assumed duration of a recording that upstream fetches by its URL.
	fetchedSeconds = 3600
)

// audioSeconds returns the duration of a recording by its container. prefix is its beginning, total its length in
// bytes, and whole reads all of it, nil if it is not there. The duration is never below what the bytes take at the
// highest rate of the format, whatever the header says. ok is false if only the size limits the duration: the format is
// not known, the header lies behind prefix, or it is Ogg, which has the duration at its end, and whole is nil.
func audioSeconds(prefix []byte, total int64, whole func() io.Reader) (seconds float64, ok bool) {
	switch {
	case len(prefix) >= 12 && string(prefix[:4]) == "RIFF" && string(prefix[8:12]) == "WAVE":
		seconds = wavSeconds(prefix, total)
	case bytes.HasPrefix(prefix, []byte("fLaC")):
		seconds = flacSeconds(prefix, total)
	case len(prefix) >= 8 && string(prefix[4:8]) == "ftyp":
		seconds = mp4Seconds(prefix, total)
	case begins(prefix, "OggS"):
		switch {
		case int64(len(prefix)) >= total:
			seconds = oggSeconds(bytes.NewReader(prefix), total)
		case whole != nil:
			seconds = oggSeconds(whole(), total)
		}
	case begins(prefix, webmMagic):
		seconds = webmSeconds(prefix, total)
	default:
		seconds = mp3Seconds(prefix, total)
	}
	return seconds, seconds > 0
}

// wavSeconds divides the bytes behind the format by the size of the samples, as a decoder does: the byte rate in the
// header may be anything. It returns 0 for compressed WAV.
func wavSeconds(b []byte, total int64) float64 {
	for at := 12; at+8 <= len(b); {
		name, size := string(b[at:at+4]), int64(endian.LittleEndian.Uint32(b[at+4:]))
		at += 8
		if name == "fmt " && at+16 <= len(b) {
			const pcm, float, aLaw, muLaw, extensible = 1, 3, 6, 7, 0xfffe
			switch endian.LittleEndian.Uint16(b[at:]) {
			case pcm, float, aLaw, muLaw, extensible:
			default:
				return 0
			}
			channels, bits := int64(endian.LittleEndian.Uint16(b[at+2:])), int64(endian.LittleEndian.Uint16(b[at+14:]))
			rate := int64(endian.LittleEndian.Uint32(b[at+4:])) * channels * ((bits + 7) / 8)
			const maxRate = 192_000 * 8 * 4 // eight channels of 32 bits
			if rate <= 0 || rate > maxRate {
				return 0
			}
			sound := int64(at) + size
			if i := bytes.Index(b[at:], []byte("data")); i >= 0 {
				sound = int64(at + i + 8)
			}
			return float64(max(total-sound, 1)) / float64(rate)
		}
		size += size & 1
		if size > int64(len(b)-at) {
			return 0
		}
		at += int(size)
	}
	return 0
}

// flacSeconds reads STREAMINFO, the first block.
func flacSeconds(b []byte, total int64) float64 {
	if len(b) < 26 || b[4]&0x7f != 0 {
		return 0
	}
	rate := int64(b[18])<<12 | int64(b[19])<<4 | int64(b[20])>>4
	channels := int64(b[20]>>1&7) + 1
	bits := int64(b[20]&1)<<4 + int64(b[21])>>4 + 1
	samples := int64(b[21]&15)<<32 | int64(endian.BigEndian.Uint32(b[22:]))
	if rate == 0 || samples == 0 {
		return 0
	}
	return max(float64(samples)/float64(rate), float64(total)/float64(rate*channels*((bits+7)/8)))
}

// mp4Seconds reads the movie header. It returns 0 if the header comes behind the sound, or has no duration because the
// file is fragmented.
func mp4Seconds(b []byte, total int64) float64 {
	for at := 0; at+8 <= len(b); {
		size, name := int64(endian.BigEndian.Uint32(b[at:])), string(b[at+4:at+8])
		if name == "moov" {
			at += 8
			continue
		}
		if name == "mvhd" {
			return max(movieSeconds(b[at+8:], total), 0)
		}
		if size < 8 || size > int64(len(b)-at) {
			return 0
		}
		at += int(size)
	}
	return 0
}

func movieSeconds(b []byte, total int64) float64 {
	var scale, duration uint64
	switch {
	case len(b) >= 20 && b[0] == 0:
		scale, duration = uint64(endian.BigEndian.Uint32(b[12:])), uint64(endian.BigEndian.Uint32(b[16:]))
		if duration == 1<<32-1 {
			return 0
		}
	case len(b) >= 32 && b[0] == 1:
		scale, duration = uint64(endian.BigEndian.Uint32(b[20:])), endian.BigEndian.Uint64(b[24:])
	}
	if scale == 0 || duration == 0 {
		return 0
	}
	return max(float64(duration)/float64(scale), float64(total)/maxAudioRate)
}

// mp3Frame is the header of a frame of MPEG layer III.
type mp3Frame struct {
	bitrate int // a second
	rate    int // samples a second
	samples int
	size    int // bytes
	side    int // bytes between the header and the tag of the encoder
}

var (
	mp3Bitrates = [2][15]int{ // kbit/s, of MPEG-1 and of MPEG-2 and 2.5
		{0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320},
		{0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160},
	}
	mp3Rates = [3]int{44_100, 48_000, 32_000}
)

func parseMP3Frame(b []byte) (f mp3Frame, ok bool) {
	if len(b) < 4 || b[0] != 0xff || b[1]&0xe6 != 0xe2 { // sync, layer III
		return f, false
	}
	version, bitrate, rate := b[1]>>3&3, b[2]>>4, b[2]>>2&3 // version 3: MPEG-1, 2: MPEG-2, 0: MPEG-2.5
	if version == 1 || bitrate == 0 || bitrate == 15 || rate == 3 {
		return f, false
	}
	mono := b[3]>>6 == 3
	f.rate = mp3Rates[rate]
	switch version {
	case 3:
		f.bitrate, f.samples, f.side = mp3Bitrates[0][bitrate]*1000, 1152, 32
		if mono {
			f.side = 17
		}
	default:
		f.bitrate, f.samples, f.side = mp3Bitrates[1][bitrate]*1000, 576, 17
		if mono {
			f.side = 9
		}
		f.rate /= 2
		if version == 0 {
			f.rate /= 2
		}
	}
	f.size = f.samples/8*f.bitrate/f.rate + int(b[2]>>1&1)
	return f, true
}

// mp3Seconds divides the size by the lowest bit rate among the frames in b. If the tag of the encoder says how many
// frames there are, and the size does not contradict it, that counts instead.
func mp3Seconds(b []byte, total int64) float64 {
	start := 0
	if len(b) >= 10 && string(b[:3]) == "ID3" {
		start = 10 + (int(b[6]&0x7f)<<21 | int(b[7]&0x7f)<<14 | int(b[8]&0x7f)<<7 | int(b[9]&0x7f))
	}
	lowest, seen, first := 0, 0, mp3Frame{}
	for at := start; at < len(b); {
		f, ok := parseMP3Frame(b[at:])
		if !ok {
			if len(b)-at >= 4 && seen < 2 { // other data looks like one frame easily
				return 0
			}
			break
		}
		if seen == 0 {
			first = f
		}
		if seen == 0 || f.bitrate < lowest {
			lowest = f.bitrate
		}
		seen++
		at += f.size
	}
	if seen == 0 {
		return 0
	}
	sound := float64(max(total-int64(start), 1))
	if frames := mp3Frames(b[start:], first); frames > 0 {
		seconds := float64(frames) * float64(first.samples) / float64(first.rate)
		if rate := sound / seconds; rate >= 1000 && rate <= maxAudioRate {
			return seconds
		}
		return sound / 1000 // 8 kbit/s, the lowest rate of MP3
	}
	return sound * 8 / float64(lowest)
}

// mp3Frames returns how many frames the tag of the encoder says there are, 0 without a tag.
func mp3Frames(b []byte, f mp3Frame) uint32 {
	if at := 4 + f.side; len(b) >= at+12 {
		if tag := string(b[at : at+4]); (tag == "Xing" || tag == "Info") && b[at+7]&1 != 0 {
			return endian.BigEndian.Uint32(b[at+8:])
		}
	}
	if at := 36; len(b) >= at+18 && string(b[at:at+4]) == "VBRI" {
		return endian.BigEndian.Uint32(b[at+14:])
	}
	return 0
}
