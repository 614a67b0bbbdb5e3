package sound_test

import (
	"bytes"
	endian "encoding/binary"
	"math"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/neuronward/neuronward/proxy/measure/mediatest"
	"github.com/neuronward/neuronward/proxy/measure/sound"
)

func TestWalk(t *testing.T) {
	t.Parallel()
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	opus := mediatest.Ogg(1, mediatest.OpusHead, 480_000)
	two := mediatest.WebM{Blocks: 2}.Bytes()
	mp3 := mediatest.Frames(mediatest.MP3At128, 417, 10)
	for _, c := range []struct {
		name string
		file []byte
		want float64
	}{
		{"nothing", nil, 0},
		{"what is not known", make([]byte, 5000), 0},
		{"what looks like MP3 for two bytes", append([]byte(mediatest.MP3At128), make([]byte, 5000)...), 0},
		{"one frame of MP3", mp3[:417], 1152 / 44_100.},
		{"a tag, and nothing behind it", append([]byte(mediatest.ID3v2), make([]byte, 100)...), 0},
		{"a tag, and something else behind it", append([]byte(mediatest.ID3v2), make([]byte, 5000)...), 0},
		{"a tag in front of Ogg", join([]byte(mediatest.ID3v2), make([]byte, 1000), opus), 10},
		{"a tag of APE that does not end with the file", join(mp3, mediatest.APE(500), mp3), 20*1152/44_100. + .532},
		{"WAV without a format", []byte("RIFF____WAVEdata\x00\x00\x00\x01"), 0},
		{"WAV of AAC", mediatest.WAVOf(mediatest.WAVFormat{Magic: "RIFF", Format: 0xff}, make([]byte, 99)), 0},
		{"FLAC without a frame", mediatest.FLAC(160_000, 0, 6), 10},
		{"FLAC that has more bytes than PCM", append(mediatest.FLAC(1, 0, 6), make([]byte, 320_000)...), 10},
		{"Ogg", opus, 10},
		{"Vorbis", mediatest.Ogg(1, mediatest.VorbisHead, 160_000), 10},
		{"two Oggs of one number", join(opus, mediatest.Ogg(1, mediatest.OpusHead, 240_000)), 15},
		{
			"sound beside pictures",
			join(mediatest.OggPage(2, mediatest.BeginsStream, 0, mediatest.TheoraHead), opus,
				mediatest.OggPage(2, 0, 99999999, "x")), 10,
		},
		{"a granule below its packets", mediatest.Ogg(1, mediatest.OpusHead, 40), 39 * .02},
		{
			"a granule below its bytes, of a codec that does not say more",
			mediatest.Ogg(1, mediatest.VorbisHead, 40), (40*200 + 16) / 40_000.,
		},
		{"a codec that is not known", mediatest.Ogg(1, "OpusTail", 480_000), 0},
		{"a page of no stream", join(opus, mediatest.OggPage(7, 0, 1, strings.Repeat("x", 150))), 10.2},
		{"no sound", mediatest.OggPage(2, mediatest.BeginsStream, 0, mediatest.TheoraHead), 0},
		{"more streams than are kept apart", manyStreams(), 170},
		{"WebM of one track, two blocks", two, 0.04},
		{"nothing but the head of WebM", two[:4], 0},
		{"nothing but the head of MP4", mediatest.MP4{}.Bytes()[:16], 0},
		{
			"MP4 of a codec that does not say more",
			mediatest.MP4{Frames: 400, Lie: 1, LieTable: 1, Codec: "Opus"}.Bytes(), 1,
		},
		{"MP4 of a broken box", append(mediatest.MP4{Frames: 400}.Bytes(), "\x00\x00\x00\x01mdat"...), 25.6},
	} {
		got, ok := sound.Walk(iotest.OneByteReader(bytes.NewReader(c.file)))
		if math.Abs(got-c.want) > 0.001 {
			t.Errorf("%s: Walk() = %v s, want %v", c.name, got, c.want)
		}
		if ok != (c.want > 0) {
			t.Errorf("%s: Walk() says known %v, want %v", c.name, ok, c.want > 0)
		}
		for n := range min(len(c.file), 600) { // no beginning is read past its end
			sound.Walk(bytes.NewReader(c.file[:n]))
			sound.BySize(c.file[:n], 1000)
		}
	}
}

// manyStreams is Ogg of 17 streams at once.
func manyStreams() (b []byte) {
	for i := range uint32(17) {
		b = append(b, mediatest.Ogg(i, mediatest.OpusHead, 480_000)...)
	}
	return b
}

// A length in the head of WebM counts, of whatever form.
func TestWebMDuration(t *testing.T) {
	t.Parallel()
	duration := func(v any) []byte {
		b, _ := endian.Append(nil, endian.BigEndian, v) // numbers are taken
		return mediatest.Element("\x44\x89", b)
	}
	void := mediatest.Element("\xec", []byte("abc"))
	for _, c := range []struct {
		name string
		info [][]byte
		want float64
	}{
		{"of double precision", [][]byte{duration(12_500.0)}, 12.5},
		{"of single precision, behind something else", [][]byte{void, duration(float32(12_500))}, 12.5},
		{"in microseconds", [][]byte{mediatest.Element("\x2a\xd7\xb1", []byte{3, 0xe8}), duration(12_500.0)}, 0.0125},
		{"no number", [][]byte{duration(math.NaN())}, 0},
		{"below nothing", [][]byte{duration(-1.0)}, 0},
		{"without end", [][]byte{duration(math.Inf(1))}, 1e9},
	} {
		file := append([]byte("\x1a\x45\xdf\xa3\x84\x42\x86\x81\x01"), mediatest.Element("\x18\x53\x80\x67", nil)...)
		file = append(file, mediatest.Element("\x15\x49\xa9\x66", bytes.Join(c.info, nil))...)
		if got, _ := sound.Walk(bytes.NewReader(file)); math.Abs(got-c.want) > 0.0001 {
			t.Errorf("%s: Walk() = %v s, want %v", c.name, got, c.want)
		}
	}
}

// A recording that needs no walk is bounded by its size.
func TestBySize(t *testing.T) {
	t.Parallel()
	wav := mediatest.WAV(10)
	for _, c := range []struct {
		name string
		head []byte
		want float64
	}{
		{"WAV", wav, 10},
		{"the beginning of WAV", wav[:80], 10},
		{"AIFF", mediatest.AIFF(1), 10},
		{"WAV of MP3", mediatest.WAVOf(mediatest.WAVFormat{Magic: "RIFF", Format: 0x55}, nil), 0},
		{"MP3", mediatest.Frames(mediatest.MP3At128, 417, 10), 0},
	} {
		got, ok := sound.BySize(c.head, int64(len(wav)))
		if math.Abs(got-c.want) > 0.01 {
			t.Errorf("%s: BySize() = %v s, want %v", c.name, got, c.want)
		}
		if ok != (c.want > 0) {
			t.Errorf("%s: BySize() says known %v, want %v", c.name, ok, c.want > 0)
		}
		if walk := sound.NeedsWalk(c.head); walk == ok {
			t.Errorf("%s: NeedsWalk() = %v, want %v", c.name, walk, !ok)
		}
	}
}
