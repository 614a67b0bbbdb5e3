package measure

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/neuronward/neuronward/proxy/measure/mediatest"
	"github.com/neuronward/neuronward/proxy/measure/sound"
	"github.com/neuronward/neuronward/proxy/workersai"
	"github.com/neuronward/neuronward/quota/price"
	"github.com/neuronward/neuronward/quota/workload"
)

// A recorded file is one whose length is known.
type recorded struct {
	name string
	file []byte
	real float64 // seconds
	odd  bool    // it is broken or lies: more than its length may be reserved
}

func recordings() []recorded {
	type m = mediatest.WAVFormat
	second44 := mediatest.Second44
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	wav := func(f m, data int) []byte {
		if f.Magic == "" {
			f.Magic = "RIFF"
		}
		return mediatest.WAVOf(f, make([]byte, data))
	}
	lie := func(b []byte, at int, with string) []byte {
		b = bytes.Clone(b)
		copy(b[at:], with)
		return b
	}
	f320, f128 := mediatest.Frames(mediatest.MP3At320, 1044, 40), mediatest.Frames(mediatest.MP3At128, 417, 400)
	f32, f8 := mediatest.Frames(mediatest.MP3At32, 104, 4000), mediatest.Frames(mediatest.MP3At8, 72, 1000)
	id3 := append([]byte(mediatest.ID3v2), make([]byte, 1000)...)
	free := func(sizes ...int) (b []byte) {
		for _, n := range sizes {
			b = append(b, mediatest.Frames(mediatest.MP3Free, n, 1)...)
		}
		return b
	}
	frees := make([]int, 400)
	for i := range frees {
		frees[i] = 500 + i%2
	}
	adts := bytes.Repeat(mediatest.ADTS(150), 400)
	vorbis := mediatest.VorbisHead + strings.Repeat("\x00", 12) + "\xb8\x01" // blocks of 256 and 2,048
	opus := mediatest.OggPackets(1, mediatest.OpusHead, mediatest.Opus20, 1000, 960)
	noGranule := mediatest.OggPackets(1, mediatest.OpusHead, mediatest.Opus120, 100, 0)
	speech := strings.Repeat("v", 120)
	webm := mediatest.WebM{Blocks: 1000}.Bytes()
	return []recorded{
		{"WAV", mediatest.WAV(10), 10, false},
		{"WAV of a stream, size 0", wav(m{Format: 1, Channels: 1, Bits: 16, Rate: 8000}, 160_000), 10, false},
		{
			"WAV of a stream, size -1",
			wav(m{Format: 1, Channels: 2, Bits: 16, Rate: 8000, Data: 1<<32 - 1}, 320_000), 10, false,
		},
		{"WAV, size below the file", wav(m{Format: 1, Channels: 1, Bits: 16, Rate: 8000, Data: 2}, 160_000), 10, false},
		{
			"WAV, size above the file",
			wav(m{Format: 1, Channels: 1, Bits: 16, Rate: 8000, Data: 1 << 30}, 160_000), 10, false,
		},
		{
			"WAV, lying byte rate",
			wav(m{Format: 1, Channels: 1, Bits: 16, Rate: 8000, ByteRate: 1 << 30}, 160_000), 10, false,
		},
		{"WAV, extensible", wav(m{Format: 0xfffe, Sub: 1, Channels: 1, Bits: 24, Rate: 8000}, 240_000), 10, false},
		{
			"WAV, extensible mu-law",
			wav(m{Format: 0xfffe, Sub: 7, Channels: 1, Bits: 16, Rate: 8000}, 80_000), 10, false,
		},
		{
			"RF64",
			wav(m{Magic: "RF64", Format: 1, Channels: 1, Bits: 16, Rate: 8000, Data: 1<<32 - 1}, 160_000), 10, false,
		},
		{"WAV, mu-law", wav(m{Format: 7, Channels: 1, Bits: 8, Rate: 8000}, 80_000), 10, false},
		{"WAV, GSM", wav(m{Format: 0x31, Channels: 1, Rate: 8000, ByteRate: 1625, Block: 65}, 16_250), 10, false},
		{
			"WAV, IMA ADPCM",
			wav(m{Format: 0x11, Channels: 1, Bits: 4, Rate: 8000, ByteRate: 4000, Block: 256}, 256*159),
			159 * 505 / 8000., false,
		},
		{
			"WAV, MS ADPCM",
			wav(m{Format: 2, Channels: 1, Bits: 4, Rate: 8000, ByteRate: 4000, Block: 256}, 256*160),
			160 * 500 / 8000., false,
		},
		{
			"WAV around MP3",
			append(wav(m{Format: 0x55, Channels: 2, Rate: 44_100, ByteRate: 1 << 20}, 0), f32...),
			4000 / second44, false,
		},
		{"WAV, truncated", mediatest.WAV(20)[:160_000], 9.99, false},
		{"AIFF", mediatest.AIFF(10), 10, false},
		{"MP3, constant", f128, 400 / second44, false},
		{"MP3, falling", join(f320, f128, f32), 4440 / second44, false},
		{"MP3, rising", join(f32, f128, f320), 4440 / second44, false},
		{"MP3, 320 then 8 kbit/s", join(f320, f8), 40/second44 + 1000/mediatest.Second8, false},
		{"MP3 with a right tag", mediatest.Xing(f128, 400), 400 / second44, false},
		{"MP3 with a tag that says less", join(mediatest.Xing(f320, 1), f32), 4040 / second44, false},
		{"MP3 with a tag that says more", mediatest.Xing(f128, 4e6), 400 / second44, false},
		{"MP3 behind ID3v2", join(id3, f128), 400 / second44, false},
		{"MP3 in front of ID3v1 and APE", join(f128, mediatest.APE(50_000), mediatest.ID3v1()), 400 / second44, false},
		{"MP3, a cut frame at its end", f32[:len(f32)-50], 4000 / second44, false},
		{
			"MP3, a few bytes between frames",
			join(f32, []byte("garbage"), f128, make([]byte, 100), f8), 4400/second44 + 1000/mediatest.Second8, false,
		},
		{"MP3 behind bytes of no frame", join(make([]byte, 700), f32), 4000 / second44, false},
		{"MP3, free format", free(frees...), 400 / second44, false},
		{
			"MP3, hidden behind heads of free format",
			join(free(500, 500), bytes.Repeat(join(free(4), f8[:72*60]), 20)), 1200 / mediatest.Second8, true,
		},
		{"MPEG layer II", mediatest.Frames(mediatest.LayerII, 576, 400), 9.6, false},
		{"MPEG layer I", mediatest.Frames(mediatest.LayerI, 416, 1000), 384 / 44.1, false},
		{"ADTS", adts, 400 * .064, false},
		{"ADTS behind ID3v2, thin", join(id3, bytes.Repeat(mediatest.ADTS(12), 500)), 500 * .064, false},
		{
			"ADTS, garbage behind each frame",
			join(adts, bytes.Repeat(join(mediatest.ADTS(12), []byte("x")), 500)), 900 * .064, true,
		},
		{"AMR", append([]byte("#!AMR\n"), mediatest.Frames(mediatest.AMRAt475, 13, 500)...), 10, false},
		{
			"AMR with pauses",
			join([]byte("#!AMR\n"), mediatest.Frames(mediatest.AMRAt475, 13, 50),
				bytes.Repeat([]byte(mediatest.AMRPause), 950)), 20, false,
		},
		{"FLAC", mediatest.FLAC(50*4096, 50, 3000), 12.8, false},
		{"FLAC of unknown length", mediatest.FLAC(0, 50, 3000), 12.8, false},
		{"FLAC that says less, silence", mediatest.FLAC(1, 500, 16), 128, false},
		{"FLAC that says more, truncated", mediatest.FLAC(100*4096, 50, 3000), 25.6, false},
		{"Ogg Opus", opus, 20, false},
		{"Ogg Opus, thin", mediatest.OggPackets(1, mediatest.OpusHead, "\x78x", 1000, 960), 20, false},
		{"Ogg Opus without granules", noGranule, 12, false},
		{
			"Ogg Opus, granules that say more",
			mediatest.OggPackets(1, mediatest.OpusHead, mediatest.Opus20, 100, 9600), 20, false,
		},
		{
			"Ogg Opus, chained",
			join(opus, mediatest.OggPackets(2, mediatest.OpusHead, mediatest.Opus20, 500, 960)), 30, false,
		},
		{"Ogg Opus, chained 20 times", bytes.Repeat(opus, 20), 400, false},
		{"Ogg Opus, truncated", opus[:len(opus)-30], 20, false},
		{"Ogg Opus, garbage behind", join(opus, []byte(strings.Repeat("junk", 50))), 20, false},
		{"Ogg Vorbis", mediatest.OggPackets(1, vorbis, speech, 200, 900), 11.25, false},
		{"Ogg Vorbis without granules", mediatest.OggPackets(1, vorbis, speech, 200, 0), 12.8, false},
		{"Ogg Speex", mediatest.OggPackets(1, mediatest.SpeexHead, "sp", 1000, 160), 20, false},
		{"Ogg Speex without granules", mediatest.OggPackets(1, mediatest.SpeexHead, "sp", 1000, 0), 20, false},
		{
			"Ogg FLAC without granules",
			mediatest.OggPackets(1, mediatest.OggFLACHead, mediatest.FLACFrame+"xx", 100, 0), 25.6, false,
		},
		{"WebM of a browser", webm, 20, false},
		{"WebM of a browser, sizes of clusters", mediatest.WebM{Blocks: 1000, Sizes: true}.Bytes(), 20, false},
		{"WebM with groups", mediatest.WebM{Blocks: 1000, Groups: true, Sizes: true}.Bytes(), 20, false},
		{"WebM with a length", mediatest.WebM{Blocks: 1000, Duration: 20_000, Sizes: true}.Bytes(), 20, false},
		{"WebM that says less", mediatest.WebM{Blocks: 1000, Duration: 100}.Bytes(), 20, false},
		{"WebM that says more", mediatest.WebM{Blocks: 100, Duration: 20_000}.Bytes(), 20, false},
		{"WebM without times", mediatest.WebM{Blocks: 1000, Stopped: true}.Bytes(), 20, false},
		{
			"WebM without times, Vorbis",
			mediatest.WebM{
				Blocks: 200, Stopped: true, Codec: "A_VORBIS", Private: "\x02\x1e\x10" + vorbis, Packet: speech,
			}.Bytes(),
			12.8, false,
		},
		{
			"WebM without times, AAC",
			mediatest.WebM{Blocks: 200, Stopped: true, Codec: "A_AAC", Packet: "x"}.Bytes(), 12.8, false,
		},
		{"WebM, truncated", webm[:len(webm)/2], 9.9, false},
		{"WebM, two in one", join(webm, webm), 40, false},
		{
			"WebM, garbage inside",
			join(webm, []byte("\x00\x00garbage"), webm[bytes.Index(webm, []byte("\x1f\x43\xb6\x75")):]), 20, true,
		},
		{"M4A", mediatest.MP4{Frames: 400}.Bytes(), 25.6, false},
		{"M4A, index behind the sound", mediatest.MP4{Frames: 400, Behind: true}.Bytes(), 25.6, false},
		{"M4A in fragments", mediatest.MP4{Frames: 400, Fragments: true}.Bytes(), 25.6, false},
		{
			"M4A in fragments with defaults",
			mediatest.MP4{Frames: 400, Fragments: true, Defaults: true}.Bytes(), 25.6, false,
		},
		{"M4A whose head says less", mediatest.MP4{Frames: 400, Lie: 1}.Bytes(), 25.6, false},
		{"M4A whose head says more", mediatest.MP4{Frames: 100, Lie: 25_600}.Bytes(), 25.6, false},
		{"M4A, all that it says says less", mediatest.MP4{Frames: 400, Lie: 1, LieTable: 1}.Bytes(), 25.6, false},
		{
			"M4A in fragments that say less",
			mediatest.MP4{Frames: 400, Fragments: true, LieTable: 1}.Bytes(), 25.6, false,
		},
		{"M4A, truncated in front of its index", mediatest.MP4{Frames: 400, Behind: true}.Bytes()[:30_000], 19, true},
		{"M4A without its type", mediatest.MP4{Frames: 400}.Bytes()[16:], 25.6, false},
		{"WAV, lying rate of samples in a tag", lie(mediatest.WAV(10), 16, "\x01"), 10, true},
		{"raw, nothing known", make([]byte, 7500), 10, false},
	}
}

// reserved is how many seconds the estimator reserves for.
func reserved(t *testing.T, q workload.Request) float64 {
	t.Helper()
	const model, minute = "@cf/openai/whisper", 41.14
	e := price.NewEstimator(nil, price.Bound)
	return e.Estimate(e.Resolve(model), q).Neurons.Float() / minute * 60
}

// However a recording is sent, at least its length is reserved, and not much more if it is as it should be.
func TestRecordings(t *testing.T) {
	t.Parallel()
	r := protocolOf(t, "run/m")
	for _, c := range recordings() {
		text := base64.StdEncoding.EncodeToString(c.file)
		kind, form := mediatest.Form(t, mediatest.File("audio", "a", string(c.file)))
		ways := map[string]workload.Request{
			"as it is": Media(workload.SpeechRecognition, "", inPieces(c.file), int64(len(c.file))),
			"base64":   requestOf(r, workload.SpeechRecognition, []byte(`{"audio":"`+text+`"}`)),
			"form":     requestAs(kind, r, workload.SpeechRecognition, form),
		}
		if len(c.file) < 100_000 {
			list := strings.Join(strings.Fields(fmt.Sprint(c.file)), ",")
			url := `{"audio":{"body":"data:audio/x;base64,` + text + `"}}`
			ways["data URL"] = requestOf(r, workload.SpeechRecognition, []byte(url))
			ways["bytes"] = requestOf(r, workload.SpeechRecognition, []byte(`{"audio":`+list+`}`))
		}
		most := c.real*1.1 + 1
		for way, q := range ways {
			got := reserved(t, q)
			if got < c.real-0.001 {
				t.Errorf("%s, %s: got %.2f s reserved, want at least %.2f", c.name, way, got, c.real)
			}
			if got > most+0.01 && !c.odd {
				t.Errorf("%s, %s: got %.2f s reserved, want at most %.2f", c.name, way, got, most)
			}
			if testing.Verbose() && way == "as it is" {
				t.Logf("| %s | %.1f | %.1f |", c.name, c.real, got)
			}
		}
	}
}

// However audio is sent, what the simulator bills for it is measured.
func TestMeasureAudio(t *testing.T) {
	r := protocolOf(t, "run/m")
	text := base64.StdEncoding.EncodeToString(mediatest.WAV(10))
	for how, body := range map[string]string{
		"as it is":  string(mediatest.WAV(10)),
		"in base64": `{"audio":"` + text + `"}`,
		"as a URL":  `{"audio":"data:audio/wav;base64,` + text + `"}`,
		"as bytes":  `{"audio":` + strings.Join(strings.Fields(fmt.Sprint(mediatest.WAV(10))), ",") + `}`,
	} {
		q := requestOf(r, workload.SpeechRecognition, []byte(body))
		if want := workersai.AudioSeconds(mediatest.WAV(10)); math.Abs(q.AudioSeconds-want) > 0.001 {
			t.Errorf("%s: got %v seconds, want %v", how, q.AudioSeconds, want)
		}
	}
	q := requestOf(r, workload.SpeechRecognition, []byte(`{"audio":"`+text+`","audio":"`+mediatest.Base64Of(7500)+`"}`))
	if math.Abs(q.AudioSeconds-20) > 0.001 {
		t.Errorf("a known and an unknown recording: got %v seconds, want 20", q.AudioSeconds)
	}
}

// inPieces is a text in pieces as bodies come.
func inPieces(text []byte) (p [][]byte) {
	return slices.Collect(slices.Chunk(text, 16<<10))
}

// The length of Ogg stands behind what is looked at of a recording otherwise.
func TestMeasureOgg(t *testing.T) {
	var long []byte
	for i := range uint32(10) {
		long = append(long, mediatest.Ogg(i, mediatest.OpusHead, 480_000)...)
	}
	if len(long) < 2*sound.HeadSize {
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
		q := requestOf(r, workload.SpeechRecognition, []byte(body))
		if math.Abs(q.AudioSeconds-100) > 0.001 {
			t.Errorf("%s: got %v seconds, want 100", how, q.AudioSeconds)
		}
		if q.AudioBytes != 0 && how != "as it is" {
			t.Errorf("%s: got %d bytes of unknown duration, want 0", how, q.AudioBytes)
		}
	}
	q := Media(workload.SpeechRecognition, "", pieces(long[:sound.HeadSize]), int64(len(long)))
	if q.AudioSeconds != 0 || q.AudioBytes != int64(len(long)) {
		t.Errorf("its beginning: got %v seconds and %d bytes, want 0 and %d", q.AudioSeconds, q.AudioBytes, len(long))
	}
}
