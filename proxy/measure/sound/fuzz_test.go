package sound_test

import (
	"bytes"
	"io"
	"testing"

	"github.com/neuronward/neuronward/proxy/measure/mediatest"
	"github.com/neuronward/neuronward/proxy/measure/sound"
)

// A counter counts how often it is read: a walk that went back, or read on at the end without end, would show.
type counter struct {
	io.Reader
	reads int
}

func (c *counter) Read(b []byte) (int, error) {
	c.reads++
	return c.Reader.Read(b)
}

// Whatever the bytes, a walk ends, soon, with a number; and a recording does not get shorter by more frames.
func FuzzWalk(f *testing.F) {
	growing := []func(n int) []byte{
		func(n int) []byte { return mediatest.Frames(mediatest.MP3At128, 417, n) },
		func(n int) []byte { return bytes.Repeat(mediatest.ADTS(40), n) },
		func(n int) []byte {
			return append([]byte("#!AMR\n"), mediatest.Frames(mediatest.AMRAt475, 13, n)...)
		},
		func(n int) []byte { return mediatest.FLAC(0, n, 50) },
		func(n int) []byte { return mediatest.OggPackets(1, mediatest.OpusHead, mediatest.Opus20, n, 960) },
		func(n int) []byte { return mediatest.WebM{Blocks: n}.Bytes() },
		func(n int) []byte { return mediatest.MP4{Frames: n, Fragments: true}.Bytes() },
		mediatest.AIFFOf,
	}
	for i, file := range growing {
		f.Add(file(3), uint8(i), uint16(3), uint16(1))
		f.Add(file(60), uint8(i), uint16(60), uint16(0))
	}
	f.Add(mediatest.MP4{Frames: 3, Behind: true}.Bytes(), uint8(0), uint16(1), uint16(1))
	f.Add(mediatest.WebM{Blocks: 3, Groups: true, Sizes: true, Duration: 60}.Bytes(), uint8(0), uint16(1), uint16(1))
	f.Add(mediatest.Frames(mediatest.MP3Free, 500, 3), uint8(0), uint16(1), uint16(1))
	f.Add(append(mediatest.Frames(mediatest.LayerI, 416, 2), mediatest.APE(9)...), uint8(0), uint16(1), uint16(1))
	f.Add(mediatest.Ogg(1, mediatest.SpeexHead, 100), uint8(0), uint16(1), uint16(1))
	f.Add(mediatest.Ogg(1, mediatest.OggFLACHead, 100), uint8(0), uint16(1), uint16(1))
	f.Fuzz(func(t *testing.T, b []byte, which uint8, n, more uint16) {
		c := &counter{Reader: bytes.NewReader(b)}
		seconds, ok := sound.Walk(c)
		if !(seconds >= 0 && seconds <= 1e9) {
			t.Errorf("Walk(%q) = %v s, want 0 to 1e9", b, seconds)
		}
		if ok != (seconds > 0) {
			t.Errorf("Walk(%q) = %v s, known %v, want what is known to be above 0", b, seconds, ok)
		}
		if limit := 2*len(b) + 100; c.reads > limit {
			t.Errorf("Walk(%q) read %d times, want at most %d", b, c.reads, limit)
		}
		file := growing[int(which)%len(growing)]
		less, _ := sound.Walk(bytes.NewReader(file(int(n%500) + 2)))
		if most, _ := sound.Walk(bytes.NewReader(file(int(n%500+more%500) + 2))); most < less {
			t.Errorf("kind %d: Walk() = %v s of %d frames and %v s of %d more, want no less", which, less, n%500, most,
				more%500)
		}
		// Behind a recording, bytes of no frame may only add to it.
		if most, _ := sound.Walk(bytes.NewReader(append(file(int(n%500)+2), b...))); most < less-0.001 {
			t.Errorf("kind %d: Walk() = %v s of %d frames and %v s with %q behind, want no less", which, less, n%500,
				most, b)
		}
	})
}
