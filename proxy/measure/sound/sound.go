package sound

import (
	"bufio"
	"bytes"
	"io"
	"math"
)

const (
	// HeadSize is how much of a recording Known and BySize look at.
	HeadSize = 16 << 10

	// MinRate is the lowest rate of stored speech, in bytes a second (6 kbit/s). It bounds what cannot be walked.
	MinRate = 750

	// maxRate is the highest rate of compressed sound, in bytes a second (320 kbit/s). It bounds what a file without
	// packets of a known length says of itself.
	maxRate = 40_000

	// maxSeconds limits what a header is believed.
	maxSeconds = 1e9

	// maxSkip is no limit.
	maxSkip = math.MaxInt64

	// maxTracks is how many tracks or logical streams are kept apart.
	maxTracks = 16
)

// Walk reads a recording to its end and returns a bound of its length. ok is false where its bytes are all that is
// known of it: they last what they take at MinRate. An error of r ends the recording.
func Walk(r io.Reader) (seconds float64, ok bool) {
	s := &stream{r: bufio.NewReaderSize(r, HeadSize)}
	s.skipID3()
	head := s.peek(HeadSize)
	switch formatOf(head) {
	case wave:
		seconds = s.wav()
	case flac:
		seconds = s.flac()
	case mp4:
		seconds = s.mp4()
	case ogg:
		seconds = s.ogg()
	case webm:
		seconds = s.webm()
	case amr:
		seconds = s.amr()
	case mpeg:
		seconds = s.frames()
	}
	if !(seconds > 0) {
		return 0, false
	}
	return min(seconds, maxSeconds), true
}

// BySize returns a bound of the length of a recording whose samples all take as many bytes, of which head is the
// beginning and total the size. ok is false for any other.
func BySize(head []byte, total int64) (seconds float64, ok bool) {
	if formatOf(head) != wave {
		return 0, false
	}
	if l := layoutOf(head); l.rate > 0 {
		return min(float64(max(total-l.start, 1))/l.rate, maxSeconds), true
	}
	return 0, false
}

// Known reports whether head is the beginning of a recording that Walk can walk.
func Known(head []byte) bool { return begins(head, "ID3") || formatOf(head) != unknown }

// NeedsWalk reports whether Walk says more of the recording that head begins than its size does.
func NeedsWalk(head []byte) bool {
	if formatOf(head) == wave {
		return layoutOf(head).mp3
	}
	return Known(head)
}

// A format is a container, or a codec that needs none.
type format uint8

const (
	unknown format = iota
	wave
	flac
	mp4
	ogg
	webm
	amr
	mpeg
)

func formatOf(head []byte) format {
	switch {
	case isWAV(head), isAIFF(head):
		return wave
	case begins(head, "fLaC"):
		return flac
	case begins(head, "OggS"):
		return ogg
	case begins(head, webmMagic):
		return webm
	case begins(head, amrMagic), begins(head, amrWideMagic):
		return amr
	case opensMP4(head):
		return mp4
	case opensFrames(head):
		return mpeg
	}
	return unknown
}

func begins(b []byte, with string) bool { return len(b) >= len(with) && string(b[:len(with)]) == with }

// A stream is a recording that is read once.
type stream struct {
	r   *bufio.Reader
	pos int64
}

// peek returns the next n bytes, or those that are left. n is at most HeadSize.
func (s *stream) peek(n int) []byte {
	b, _ := s.r.Peek(n) // what is there before an error counts
	return b
}

// skip skips n bytes, or those that are left, and reports whether there were as many.
func (s *stream) skip(n int64) bool {
	for n > 0 {
		step, err := s.r.Discard(int(min(n, math.MaxInt32)))
		s.pos += int64(step)
		n -= int64(step)
		if err != nil {
			return false
		}
	}
	return true
}

// find skips bytes up to the next that may begin with mark, at least one and at most limit, and returns how many they
// were. It returns 0 at the end.
func (s *stream) find(mark byte, limit int64) int64 {
	b := s.peek(max(2, s.r.Buffered()))
	if len(b) == 0 {
		return 0
	}
	n := len(b)
	if i := bytes.IndexByte(b[1:], mark); i >= 0 {
		n = 1 + i
	}
	n = int(min(int64(n), limit))
	s.skip(int64(n))
	return int64(n)
}

// skipID3 skips the tags in front of the sound.
func (s *stream) skipID3() {
	for {
		b := s.peek(10)
		if len(b) < 10 || string(b[:3]) != "ID3" {
			return
		}
		size := int64(b[6]&0x7f)<<21 | int64(b[7]&0x7f)<<14 | int64(b[8]&0x7f)<<7 | int64(b[9]&0x7f)
		if b[5]&0x10 != 0 { // it has a footer
			size += 10
		}
		if !s.skip(10 + size) {
			return
		}
	}
}
