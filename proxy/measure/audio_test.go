package measure

import (
	"bytes"
	"encoding/base64"
	endian "encoding/binary"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/neuronward/neuronward/proxy/measure/mediatest"
	"github.com/neuronward/neuronward/proxy/workersai"
	"github.com/neuronward/neuronward/quota"
)

// mp3 is frames of MPEG-1 layer III at 44.1 kHz, one for each bit rate.
func mp3(indexes ...byte) (b []byte) {
	for _, i := range indexes {
		head := []byte{0xff, 0xfb, i << 4, 0x64}
		f, _ := parseMP3Frame(head)
		b = append(b, append(head, make([]byte, f.size-4)...)...)
	}
	return b
}

func withXing(b []byte, frames uint32) []byte {
	b = bytes.Clone(b)
	copy(b[36:], "Xing\x00\x00\x00\x01")
	endian.BigEndian.PutUint32(b[44:], frames)
	return b
}

func flac(rate uint64, samples uint64) []byte {
	b := append([]byte("fLaC\x00\x00\x00\x22"), make([]byte, 34)...)
	endian.BigEndian.PutUint64(b[18:], rate<<44|0<<41|15<<36|samples)
	return b
}

func mp4(scale, duration uint32) []byte {
	b := []byte("\x00\x00\x00\x10ftypM4A \x00\x00\x00\x00\x00\x00\x00\x74moov\x00\x00\x00\x6cmvhd")
	b = append(b, make([]byte, 12)...)
	b = endian.BigEndian.AppendUint32(b, scale)
	b = endian.BigEndian.AppendUint32(b, duration)
	return append(b, make([]byte, 80)...)
}

func TestMeasureAudio(t *testing.T) {
	fast := bytes.Repeat([]byte{9}, 200) // 128 kbit/s
	lying := mediatest.WAV(10)
	endian.LittleEndian.PutUint32(lying[40:], 1<<30) // bytes a second
	short := mediatest.WAV(10)
	endian.LittleEndian.PutUint32(short[52:], 2) // bytes of sound
	tagged := append([]byte("ID3\x04\x00\x00\x00\x00\x07\x68"), make([]byte, 1000)...)
	for _, c := range []struct {
		name  string
		audio []byte
		total int64 // 0: all of it
		want  float64
	}{
		{"nothing", nil, 0, 0},
		{"what is not known", make([]byte, 5000), 0, 0},
		{"Ogg", []byte("OggS\x00\x02" + strings.Repeat("\x00", 100)), 0, 0},
		{"WAV", mediatest.WAV(10), 0, 10},
		{"WAV, its beginning", mediatest.WAV(10)[:80], int64(len(mediatest.WAV(10))), 10},
		{"WAV, declared longer than it is", mediatest.WAV(10), 16_000, 0.996},
		{"WAV that lies about its bytes a second", lying, 0, 10},
		{"WAV that lies about its size", short, 0, 10},
		{"WAV without a format", []byte("RIFF____WAVEdata\x00\x00\x00\x01"), 0, 0},
		{"WAV, compressed", bytes.Replace(mediatest.WAV(1), []byte("fmt \x10\x00\x00\x00\x01"),
			[]byte("fmt \x10\x00\x00\x00\x02"), 1), 0, 0},
		{"MP3 of one bit rate", mp3(fast...), 0, 200 * 417.0 / 16_000},
		{"MP3, its beginning", mp3(fast[:5]...), 200 * 417, 200 * 417.0 / 16_000},
		{"MP3 of several bit rates: the lowest", mp3(14, 14, 1, 14), 0, float64(len(mp3(14, 14, 1, 14))) / 4000},
		{"MP3 behind a tag", append(tagged, mp3(fast...)...), 0, 200 * 417.0 / 16_000},
		{"MP3 behind a tag that is out of reach", tagged[:100], 50_000, 0},
		{"MP3 with the number of its frames", withXing(mp3(14, 14, 14, 14), 8), 0, 8 * 1152.0 / 44_100},
		{"MP3 that lies about its frames", withXing(mp3(fast...), 1), 0, 200 * 417.0 / 1000},
		{"what looks like MP3 for two bytes", append([]byte{0xff, 0xfb, 0x90, 0x64}, make([]byte, 5000)...), 0, 0},
		{"FLAC", flac(16_000, 160_000), 1000, 10},
		{"FLAC that lies about its samples", flac(16_000, 1), 320_000, 10},
		{"FLAC of unknown length", flac(16_000, 0), 1000, 0},
		{"MP4", mp4(1000, 12_500), 0, 12.5},
		{"MP4 that lies about its length", mp4(1000, 1), 400_000, 10},
		{"MP4 in fragments", mp4(1000, 0), 0, 0},
	} {
		total := c.total
		if total == 0 {
			total = int64(len(c.audio))
		}
		got, ok := audioSeconds(c.audio, total, nil)
		if math.Abs(got-c.want) > 0.001 || ok != (c.want > 0) {
			t.Errorf("%s: got %v seconds, known %v, want %v", c.name, got, ok, c.want)
		}
		for n := range min(len(c.audio), 300) { // no prefix is read past its end
			audioSeconds(c.audio[:n], total, nil)
		}
	}
	// What the simulator bills, however the audio is sent.
	r := protocolOf(t, "run/m")
	for how, body := range map[string]string{
		"as it is":  string(mediatest.WAV(10)),
		"in base64": `{"audio":"` + base64.StdEncoding.EncodeToString(mediatest.WAV(10)) + `"}`,
		"as a URL":  `{"audio":"data:audio/wav;base64,` + base64.StdEncoding.EncodeToString(mediatest.WAV(10)) + `"}`,
		"as bytes":  `{"audio":` + strings.Join(strings.Fields(fmt.Sprint(mediatest.WAV(10))), ",") + `}`,
	} {
		q := requestOf(r, quota.SpeechRecognition, []byte(body))
		if want := workersai.AudioSeconds(mediatest.WAV(10)); math.Abs(q.AudioSeconds-want) > 0.001 {
			t.Errorf("%s: got %v seconds, want %v", how, q.AudioSeconds, want)
		}
	}
	known, unknown := base64.StdEncoding.EncodeToString(mediatest.WAV(10)), mediatest.Base64Of(7500)
	q := requestOf(r, quota.SpeechRecognition, []byte(`{"audio":"`+known+`","audio":"`+unknown+`"}`))
	if math.Abs(q.AudioSeconds-20) > 0.001 {
		t.Errorf("a known and an unknown recording: got %v seconds, want 20", q.AudioSeconds)
	}
}
