package proxy

import (
	"bytes"
	"encoding/base64"
	endian "encoding/binary"
	"fmt"
	"math"
	"net/http"
	"strings"
	"testing"

	"github.com/neuronward/neuronward/quota"
)

// oggPage is one page with a body of no more than 254 bytes.
func oggPage(serial uint32, flags byte, granule int64, body string) []byte {
	b := append([]byte("OggS\x00"), flags)
	b = endian.LittleEndian.AppendUint64(b, uint64(granule))
	b = endian.LittleEndian.AppendUint32(b, serial)
	b = append(b, make([]byte, 8)...) // number and checksum
	b = append(b, 1, byte(len(body)))
	return append(b, body...)
}

const (
	beginsStream = 2
	opusHead     = "OpusHead\x01\x01\x38\x01\x80\xbb\x00\x00\x00\x00\x00"
	vorbisHead   = "\x01vorbis\x00\x00\x00\x00\x01\x80\x3e\x00\x00" // 16 kHz
	speexHead    = "Speex   1.2                 \x01\x00\x00\x00\x50\x00\x00\x00\x40\x1f\x00\x00"
	oggFLACHead  = "\x7fFLAC\x01\x00\x00\x01fLaC\x00\x00\x00\x22\x10\x00\x10\x00\x00\x00\x00\x00\x00\x00\x03\xe8\x00"
	theoraHead   = "\x80theora\x03\x02\x01"
)

// ogg is a stream of 40 pages that ends at a granule.
func ogg(serial uint32, head string, end int64) []byte {
	b := oggPage(serial, beginsStream, 0, head)
	for i := range int64(40) {
		granule := end * (i + 1) / 40
		if i%3 == 1 {
			granule = -1 // a packet that goes on in the next page
		}
		b = append(b, oggPage(serial, 0, granule, strings.Repeat("x", 200))...)
	}
	return b
}

func TestOggSeconds(t *testing.T) {
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	opus := ogg(1, opusHead, 480_000)
	for _, c := range []struct {
		name string
		file []byte
		want float64
	}{
		{"nothing", nil, 0},
		{"Opus", opus, 10},
		{"Vorbis", ogg(1, vorbisHead, 160_000), 10},
		{"Speex", ogg(1, speexHead, 80_000), 10},
		{"FLAC", ogg(1, oggFLACHead, 160_000), 10},
		{"two files in one", join(opus, ogg(2, opusHead, 240_000)), 15},
		{"two files in one, of the same number", join(opus, ogg(1, opusHead, 240_000)), 15},
		{"sound beside pictures", join(oggPage(2, beginsStream, 0, theoraHead), opus, oggPage(2, 0, 99999999, "x")), 10},
		{"a length below what the bytes can take", ogg(1, opusHead, 40), float64(len(opus)) / mostAudioRate},
		{"a codec that is not known", ogg(1, "OpusTail", 480_000), 0},
		{"a page that is cut", opus[:len(opus)-1], 0},
		{"a head that is cut", append(bytes.Clone(opus), "OggS"...), 0},
		{"something else behind it", append(bytes.Clone(opus), strings.Repeat("TAG ", 10)...), 0},
		{"a page of no stream", join(opus, oggPage(7, 0, 1, "x")), 0},
		{"no sound", join(oggPage(2, beginsStream, 0, theoraHead)), 0},
	} {
		if got := oggSeconds(bytes.NewReader(c.file), int64(len(c.file))); math.Abs(got-c.want) > 0.001 {
			t.Errorf("%s: %v seconds, want %v", c.name, got, c.want)
		}
	}
	many := []byte{}
	for i := range uint32(mostOggStreams + 1) {
		many = append(many, ogg(i, opusHead, 4800)...)
	}
	if got := oggSeconds(bytes.NewReader(many), int64(len(many))); got != 0 {
		t.Errorf("too many streams: %v seconds", got)
	}
}

// The length of Ogg stands behind what is looked at of a recording otherwise.
func TestMeasureOgg(t *testing.T) {
	var long []byte
	for i := range uint32(10) {
		long = append(long, ogg(i, opusHead, 480_000)...)
	}
	if len(long) < 2*audioHeader {
		t.Fatal("it fits into what is looked at")
	}
	r := routeOf(t, "run/m")
	text := base64.StdEncoding.EncodeToString(long)
	for how, body := range map[string]string{
		"as it is":          string(long),
		"in base64":         `{"audio":"` + text + `"}`,
		"in base64 for URL": `{"audio":"` + base64.RawURLEncoding.EncodeToString(long) + `"}`,
		"with escapes":      `{"audio":{"body":"` + strings.ReplaceAll(text, "/", `\/`) + `"}}`,
		"in lines":          `{"audio":"` + text[:76] + `\r\n` + text[76:] + `"}`,
		"as bytes":          `{"audio":` + strings.Join(strings.Fields(fmt.Sprint(long)), ",") + `}`,
	} {
		q := measure(r, "m", quota.SpeechRecognition, []byte(body), http.Header{}, 0, nil)
		if math.Abs(q.AudioSeconds-100) > 0.001 || q.AudioBytes != 0 && how != "as it is" {
			t.Errorf("%s: %v seconds and %d bytes, want 100", how, q.AudioSeconds, q.AudioBytes)
		}
	}
	if q := measure(r, "m", quota.SpeechRecognition, nil, http.Header{}, int64(len(long)), long[:audioHeader]); q.AudioSeconds != 0 || q.AudioBytes != int64(len(long)) {
		t.Errorf("its beginning: %+v", q)
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
		got, ok := audioSeconds([]byte(c.file), c.total)
		if math.Abs(got-c.want) > 0.0001 || ok != (c.want > 0) {
			t.Errorf("%s: %v seconds (%v), want %v", c.name, got, ok, c.want)
		}
		for n := range len(c.file) { // no prefix is read past its end
			audioSeconds([]byte(c.file[:n]), c.total)
		}
	}
}
