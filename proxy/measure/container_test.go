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
	"github.com/neuronward/neuronward/quota"
)

func TestOggSeconds(t *testing.T) {
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	opus := mediatest.Ogg(1, mediatest.OpusHead, 480_000)
	for _, c := range []struct {
		name string
		file []byte
		want float64
	}{
		{"nothing", nil, 0},
		{"Opus", opus, 10},
		{"Vorbis", mediatest.Ogg(1, mediatest.VorbisHead, 160_000), 10},
		{"Speex", mediatest.Ogg(1, mediatest.SpeexHead, 80_000), 10},
		{"FLAC", mediatest.Ogg(1, mediatest.OggFLACHead, 160_000), 10},
		{"two files in one", join(opus, mediatest.Ogg(2, mediatest.OpusHead, 240_000)), 15},
		{"two files in one, of the same number", join(opus, mediatest.Ogg(1, mediatest.OpusHead, 240_000)), 15},
		{
			"sound beside pictures",
			join(mediatest.OggPage(2, mediatest.BeginsStream, 0, mediatest.TheoraHead), opus,
				mediatest.OggPage(2, 0, 99999999, "x")), 10,
		},
		{
			"a length below what the bytes can take", mediatest.Ogg(1, mediatest.OpusHead, 40),
			float64(len(opus)) / maxAudioRate,
		},
		{"a codec that is not known", mediatest.Ogg(1, "OpusTail", 480_000), 0},
		{"a page that is cut", opus[:len(opus)-1], 0},
		{"a head that is cut", append(bytes.Clone(opus), "OggS"...), 0},
		{"something else behind it", append(bytes.Clone(opus), strings.Repeat("TAG ", 10)...), 0},
		{"a page of no stream", join(opus, mediatest.OggPage(7, 0, 1, "x")), 0},
		{"no sound", join(mediatest.OggPage(2, mediatest.BeginsStream, 0, mediatest.TheoraHead)), 0},
	} {
		if got := oggSeconds(bytes.NewReader(c.file), int64(len(c.file))); math.Abs(got-c.want) > 0.001 {
			t.Errorf("%s: got %v seconds, want %v", c.name, got, c.want)
		}
	}
	many := []byte{}
	for i := range uint32(maxOggStreams + 1) {
		many = append(many, mediatest.Ogg(i, mediatest.OpusHead, 4800)...)
	}
	if got := oggSeconds(bytes.NewReader(many), int64(len(many))); got != 0 {
		t.Errorf("too many streams: got %v seconds, want 0", got)
	}
}

// The length of Ogg stands behind what is looked at of a recording otherwise.
func TestMeasureOgg(t *testing.T) {
	var long []byte
	for i := range uint32(10) {
		long = append(long, mediatest.Ogg(i, mediatest.OpusHead, 480_000)...)
	}
	if len(long) < 2*audioHeader {
		t.Fatalf("got a file of %d bytes, want more than what is looked at", len(long))
	}
	r := protocolOf(t, "run/m")
	text := base64.StdEncoding.EncodeToString(long)
	for how, body := range map[string]string{
		"as it is":          string(long),
		"in base64":         `{"audio":"` + text + `"}`,
		"in base64 for URL": `{"audio":"` + base64.RawURLEncoding.EncodeToString(long) + `"}`,
		"with escapes":      `{"audio":{"body":"` + strings.ReplaceAll(text, "/", `\/`) + `"}}`,
		"in lines":          `{"audio":"` + text[:76] + `\r\n` + text[76:] + `"}`,
		"as bytes":          `{"audio":` + strings.Join(strings.Fields(fmt.Sprint(long)), ",") + `}`,
	} {
		q := requestOf(r, quota.SpeechRecognition, []byte(body))
		if math.Abs(q.AudioSeconds-100) > 0.001 {
			t.Errorf("%s: got %v seconds, want 100", how, q.AudioSeconds)
		}
		if q.AudioBytes != 0 && how != "as it is" {
			t.Errorf("%s: got %d bytes of unknown duration, want 0", how, q.AudioBytes)
		}
	}
	q := Media(quota.SpeechRecognition, "", pieces(long[:audioHeader]), int64(len(long)))
	if q.AudioSeconds != 0 || q.AudioBytes != int64(len(long)) {
		t.Errorf("its beginning: got %v seconds and %d bytes, want 0 and %d", q.AudioSeconds, q.AudioBytes, len(long))
	}
}

func TestWebMSeconds(t *testing.T) {
	const head = "\x1a\x45\xdf\xa3\x84\x42\x86\x81\x01"                // EBML, with a version
	const segment = "\x18\x53\x80\x67\x01\xff\xff\xff\xff\xff\xff\xff" // of a length that is not known
	const void = "\xec\x83abc"
	duration := func(v any) string {
		b := &bytes.Buffer{}
		_ = endian.Write(b, endian.BigEndian, v) // a buffer takes all
		return "\x44\x89" + string([]byte{0x80 | byte(b.Len())}) + b.String()
	}
	info := func(inner ...string) string {
		all := strings.Join(inner, "")
		return "\x15\x49\xa9\x66" + string([]byte{0x80 | byte(len(all))}) + all
	}
	double, single := duration(12_500.0), duration(float32(12_500))
	const scale = "\x2a\xd7\xb1\x83\x0f\x42\x40" // a millisecond
	for _, c := range []struct {
		name, file string
		total      int64
		want       float64
	}{
		{"a duration", head + segment + info(scale, double), 1000, 12.5},
		{"of single precision, behind something else", head + segment + void + info(single), 1000, 12.5},
		{"in microseconds", head + segment + info("\x2a\xd7\xb1\x82\x03\xe8", double), 100, 0.0125},
		{"below what the bytes can take", head + segment + info(scale, double), 4_000_000, 100},
		{"none, as browsers record it", head + segment + info(scale) + "\x1f\x43\xb6\x75\xff", 1000, 0},
		{"none in reach", head + segment + "\xec\x88abc", 1000, 0},
		{"no number", head + segment + info(duration(math.NaN())), 1000, 0},
		{"below nothing", head + segment + info(duration(-1.0)), 1000, 0},
		{"nothing but its magic", webmMagic, 1000, 0},
	} {
		got, ok := audioSeconds([]byte(c.file), c.total, nil)
		if math.Abs(got-c.want) > 0.0001 || ok != (c.want > 0) {
			t.Errorf("%s: got %v seconds, known %v, want %v", c.name, got, ok, c.want)
		}
		for n := range len(c.file) { // no prefix is read past its end
			audioSeconds([]byte(c.file[:n]), c.total, nil)
		}
	}
}
