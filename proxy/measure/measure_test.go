package measure

import (
	"bytes"
	"encoding/base64"
	endian "encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/neuronward/neuronward/proxy/measure/mediatest"
	"github.com/neuronward/neuronward/proxy/workersai"
	"github.com/neuronward/neuronward/proxy/workersai/simtest"
	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/price"
)

func TestMeasureJSON(t *testing.T) {
	const run, chatPath, responses, messages, embeddings = "run/@cf/a/b", "v1/chat/completions", "v1/responses", "v1/messages", "v1/embeddings"
	png := "data:image/png;base64," + mediatest.Base64Of(3000)
	less := func(body, media string) int64 { return int64(len(body) - len(media)) }
	type want = quota.Request
	for _, c := range []struct {
		name, path, body string
		task             quota.Task
		media            string // of the body, that does not become tokens; quotes included
		want             want   // but PromptBytes
	}{
		{"nothing", run, `{}`, "", "", want{}},
		{"a prompt", run, `{"prompt":"hello","max_tokens":7}`, "", "", want{MaxTokens: 7, Texts: 1, Characters: 5}},
		{"messages", chatPath, `{"model":"m","messages":[{"role":"user","content":"hello"}],"max_completion_tokens":7,"n":3}`, "", "", want{MaxTokens: 7, Answers: 3, MakeImages: 3, Texts: 1}},
		{"both limits: the larger", chatPath, `{"max_tokens":5,"max_completion_tokens":7}`, "", "", want{MaxTokens: 7}},
		{"a limit given twice: the larger", run, `{"input":{"max_tokens":9,"max_tokens":1}}`, "", "", want{MaxTokens: 9}},
		{"a limit behind an escaped name", run, `{"input":{"max_tokens":1,"\u006dax_tokens":900}}`, "", "", want{MaxTokens: 900}},
		{"a limit in a string", run, `{"max_tokens":" 500 tokens"}`, "", "", want{MaxTokens: 500}},
		{"a fraction is rounded up", run, `{"max_tokens":1.2}`, "", "", want{MaxTokens: 2}},
		{"an exponent", run, `{"max_tokens":"1e3"}`, "", "", want{MaxTokens: 1000}},
		{"a limit without an end", run, `{"max_tokens":1e999}`, "", "", want{MaxTokens: 1e12}},
		{"limits that are none", run, `{"input":{"max_tokens":0,"max_tokens":-5,"max_tokens":null,"max_tokens":"x","max_tokens":[9]}}`, "", "", want{}},
		{"a limit that Responses has", responses, `{"input":"hi","max_output_tokens":9}`, "", "", want{MaxTokens: 9, Texts: 1, Characters: 2}},
		{"a small limit under another protocol's name", responses, `{"input":"hi","max_tokens":1,"max_completion_tokens":1}`, "", "", want{MaxTokens: 2048, Texts: 1, Characters: 2}},
		{"a small limit that upstream may know or not", run, `{"prompt":"hi","max_completion_tokens":1000}`, "", "", want{MaxTokens: 2048, Texts: 1, Characters: 2}},
		{"no limit where the model's default is not known to hold", responses, `{"input":"hi"}`, "", "", want{MaxTokens: 2048, Texts: 1, Characters: 2}},
		{"no limit, in the form of Responses", run, `{"input":"hi"}`, "", "", want{MaxTokens: 2048, Texts: 1, Characters: 2}},
		{"a large limit under another protocol's name", responses, `{"input":"hi","max_output_tokens":10,"max_tokens":100000}`, "", "", want{MaxTokens: 100000, Texts: 1, Characters: 2}},
		{"a large limit under another protocol's name alone", messages, `{"max_output_tokens":100000}`, "", "", want{MaxTokens: 100000}},
		{"answers by other names", run, `{"n":2,"num_return_sequences":5,"best_of":4}`, "", "", want{Answers: 5, MakeImages: 2}},
		{"the model in the body", "run", `{"model":"m","input":{"prompt":"hello","max_tokens":7},"max_tokens":3}`, "", "", want{MaxTokens: 7, Texts: 1, Characters: 5}},
		{"an input within an input", "run", `{"model":"m","input":{"input":{"max_tokens":7},"max_output_tokens":3}}`, "", "", want{MaxTokens: 2048}},

		{"texts to embed", embeddings, `{"input":["a","b","c"]}`, "", "", want{Texts: 3}},
		{"a text to embed", run, `{"text":"abc"}`, "", "", want{Texts: 1, Characters: 3}},
		{"contexts to rank", run, `{"query":"q","contexts":[{"text":"a"},{"text":"b"}]}`, quota.TextClassification, "", want{Texts: 2}},
		{"a list and a text: the larger", run, `{"text":"x","contexts":[1,2]}`, "", "", want{Texts: 2, Characters: 2}},

		{"text to speak", run, `{"text":"é\u00e9\n😀"}`, quota.TextToSpeech, "", want{Texts: 1, Characters: 5}},
		{"texts to speak, and a short one beside them", run, `{"text":["abc","d\u00e9f",{"x":1}],"prompt":"a"}`, quota.TextToSpeech, "", want{Texts: 3, Characters: 3 + 3 + 7}},
		{"texts to speak, in the input", run, `{"input":["abc","def"],"text":"a"}`, quota.TextToSpeech, "", want{MaxTokens: 2048, Texts: 2, Characters: 6}},
		{"text in two fields: the longer", run, `{"text":"ab","prompt":"abcd"}`, quota.TextToSpeech, "", want{Texts: 1, Characters: 4}},

		{"a picture to be made", run, `{"prompt":"cat","width":512,"height":"768","num_steps":20,"steps":8,"num_images":2}`, quota.TextToImage, "", want{Width: 512, Height: 768, Steps: 20, MakeImages: 2, Texts: 1, Characters: 3}},
		{"its size in a string", run, `{"size":"1024x768","width":2000}`, quota.TextToImage, "", want{Width: 2000, Height: 768}},
		{"its size in no string", run, `{"size":"auto","image_size":5}`, quota.TextToImage, "", want{}},

		{"a picture, base64", run, `{"image":"` + mediatest.Base64Of(300) + `"}`, "", `"` + mediatest.Base64Of(300) + `"`, want{Images: 1}},
		{"a picture, bytes", run, `{"image":[1, 2,3 ]}`, "", `[1, 2,3 ]`, want{Images: 1}},
		{"a picture, by URL", run, `{"image":"https://example.com/a.png"}`, "", "", want{Images: 1}},
		{"pictures", run, `{"images":["` + png + `","` + png + `"],"mask":"` + png + `"}`, "", strings.Repeat(`"`+png+`"`, 3), want{Images: 3}},
		{"text in a picture's place", run, `{"image":"not base64, but text"}`, "", "", want{Images: 1}},
		{"a list that is not all bytes", run, `{"image":[1,"a text",2]}`, "", "", want{Images: 1}},
		{"a picture in a message", chatPath, `{"messages":[{"content":[{"type":"text","text":"what?"},{"type":"image_url","image_url":{"url":"` + png + `","detail":"low"}}]}]}`, "", `"` + png + `"`, want{Images: 1, Texts: 1}},
		{"a picture in a message, escaped", chatPath, `{"messages":[{"content":[{"image_url":{"url":"data:image\/png;base64,AAAA\/AAA"}}]}]}`, "", `"data:image\/png;base64,AAAA\/AAA"`, want{Images: 1, Texts: 1}},
		{"a picture in a Responses message", responses, `{"input":[{"content":[{"type":"input_image","image_url":"` + png + `"}]}]}`, "", `"` + png + `"`, want{MaxTokens: 2048, Images: 1, Texts: 1}},
		{"a picture in an Anthropic message", messages, `{"messages":[{"content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AAAA"}},{"type":"tool_result","content":[{"type":"image","source":{"data":"BBBB","media_type":"image/png"}}]}]}]}`, "", `"AAAA""BBBB"`, want{MaxTokens: 2048, Images: 2, Texts: 1}},
		{"an Anthropic document is text", messages, `{"messages":[{"content":[{"type":"document","source":{"type":"text","media_type":"text/plain","data":"AAAA"}}]}]}`, "", ``, want{MaxTokens: 2048, Images: 1, Texts: 1}},
		{"a data URL as text is text", chatPath, `{"messages":[{"content":[{"type":"text","text":"` + png + `"}]},{"content":"` + png + `","image_url":"` + png + `"}]}`, "", "", want{Texts: 2}},
		{"a data URL of text is text", chatPath, `{"messages":[{"content":[{"image_url":"data:text/plain;base64,AAAA"}]}]}`, "", "", want{Images: 1, Texts: 1}},
		{"a picture's name in a tool is text", chatPath, `{"tools":[{"function":{"parameters":{"image":"AAAA","content":[{"image_url":"` + png + `"}]}}}]}`, "", "", want{}},

		{"audio, bytes", run, `{"audio":[1,2,3,4]}`, quota.SpeechRecognition, `[1,2,3,4]`, want{AudioBytes: 4}},
		{"audio, base64", run, `{"audio":"` + mediatest.Base64Of(3000) + `"}`, quota.SpeechRecognition, `"` + mediatest.Base64Of(3000) + `"`, want{AudioBytes: 3000}},
		{"audio, Deepgram's", run, `{"audio":{"body":"` + mediatest.Base64Of(300) + `","contentType":"audio/ogg"}}`, quota.SpeechRecognition, `"` + mediatest.Base64Of(300) + `"`, want{AudioBytes: 300}},
		{"audio given twice counts twice", run, `{"audio":[1,2],"audio":[1,2,3]}`, quota.SpeechRecognition, `[1,2][1,2,3]`, want{AudioBytes: 5}},
		{"audio that upstream fetches", run, `{"audio":{"url":"https://example.com/a.mp3"}}`, quota.SpeechRecognition, "", want{AudioSeconds: 3600}},
		{"audio in a data URL that is no base64", run, `{"audio":"data:x"}`, quota.SpeechRecognition, "", want{AudioSeconds: 3600}},
		{"audio in a message", chatPath, `{"messages":[{"content":[{"type":"input_audio","input_audio":{"data":"AAAA","format":"wav"}}]}]}`, "", `"AAAA"`, want{AudioBytes: 3, Texts: 1}},
		{"a voice is no audio", chatPath, `{"audio":{"voice":"alloy","format":"mp3"}}`, "", "", want{}},

		{"a batch outside run is none", chatPath, `{"requests":[{"max_tokens":5}]}`, "", "", want{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.want.Task, c.want.PromptBytes = c.task, less(c.body, c.media)
			got := requestOf(protocolOf(t, c.path), c.task, []byte(c.body), http.Header{}, 0, nil)
			if !reflect.DeepEqual(got, c.want) {
				t.Errorf("%+v\nwant %+v", got, c.want)
			}
		})
	}
}

func TestMeasureBatch(t *testing.T) {
	r := protocolOf(t, "run/m")
	get := func(body string) quota.Request {
		return requestOf(r, quota.TextGeneration, []byte(body), http.Header{}, 0, nil)
	}
	one, two := `{"prompt":"a","max_tokens":5}`, `{"image":"AAAA","requests":[{}]}`
	got := get(`{"requests":[` + one + `, ` + two + `]}`)
	want := []quota.Request{
		{Task: quota.TextGeneration, PromptBytes: int64(len(one)), MaxTokens: 5, Texts: 1, Characters: 1},
		{Task: quota.TextGeneration, PromptBytes: int64(len(two)) - 6, Images: 1},
	}
	if !reflect.DeepEqual(got.Parts, want) || got.PromptBytes != 0 {
		t.Errorf("%+v\nwant %+v", got, want)
	}
	if got := get(`{"model":"m","input":{"requests":[` + one + `]}}`); len(got.Parts) != 1 {
		t.Errorf("in input: %+v", got)
	}
	got = get(`{"prompt":"a long prompt","max_tokens":900,"requests":[{}]}`)
	if len(got.Parts) != 2 || got.Parts[1].MaxTokens != 900 || got.Parts[1].PromptBytes < 40 {
		t.Errorf("a prompt beside a batch: %+v", got)
	}
	if got := get(`{"requests":[]}`); len(got.Parts) != 1 || got.Parts[0].PromptBytes == 0 {
		t.Errorf("an empty batch: %+v", got)
	}
	many := get(`{"requests":[` + strings.Repeat(one+",", 2999) + `{"prompt":"x","n":4}]}`)
	rest := many.Parts[len(many.Parts)-1]
	if len(many.Parts) != maxParts+1 || rest.Answers != 1999+4 || rest.MaxTokens != usualOutput || rest.PromptBytes < 2000*64 {
		t.Errorf("%d parts, the last %+v", len(many.Parts), rest)
	}
}

func TestMeasureBatchID(t *testing.T) {
	for _, c := range []struct{ name, body, want string }{
		{"a poll", ` {"request_id":"8f0c","model":"m"}`, "8f0c"},
		{"escaped", `{"request\u005fid":"8\u0066"}`, "8f"},
		{"work beside it", `{"request_id":"8f0c","prompt":"x"}`, ""},
		{"a batch beside it", `{"request_id":"8f0c","requests":[]}`, ""},
		{"given twice", `{"request_id":"8f0c","request_id":"9"}`, ""},
		{"no string", `{"request_id":8}`, ""},
		{"a submission", `{"requests":[{"prompt":"x"}]}`, ""},
		{"no object", `[]`, ""},
		{"nothing", ``, ""},
	} {
		if got := batchIDOf([]byte(c.body)); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

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
		{"WAV, compressed", bytes.Replace(mediatest.WAV(1), []byte("fmt \x10\x00\x00\x00\x01"), []byte("fmt \x10\x00\x00\x00\x02"), 1), 0, 0},
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
			t.Errorf("%s: %v seconds (%v), want %v", c.name, got, ok, c.want)
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
		q := requestOf(r, quota.SpeechRecognition, []byte(body), http.Header{}, 0, nil)
		if want := workersai.AudioSeconds(mediatest.WAV(10)); math.Abs(q.AudioSeconds-want) > 0.001 {
			t.Errorf("%s: %v seconds, want %v", how, q.AudioSeconds, want)
		}
	}
	q := requestOf(r, quota.SpeechRecognition, []byte(`{"audio":"`+base64.StdEncoding.EncodeToString(mediatest.WAV(10))+`","audio":"`+mediatest.Base64Of(7500)+`"}`), http.Header{}, 0, nil)
	if math.Abs(q.AudioSeconds-20) > 0.001 {
		t.Errorf("a known and an unknown recording: %v seconds, want 20", q.AudioSeconds)
	}
}

func TestMeasureRaw(t *testing.T) {
	header := func(kind string) http.Header { return http.Header{"Content-Type": {kind}} }
	for _, c := range []struct {
		name   string
		task   quota.Task
		kind   string
		prefix string
		want   quota.Request
	}{
		{"speech", quota.SpeechRecognition, "application/octet-stream", "OggS", quota.Request{AudioBytes: 5000}},
		{"speech that says it is a picture", quota.SpeechRecognition, "image/png", "OggS", quota.Request{AudioBytes: 5000}},
		{"a picture", quota.ImageClassification, "", "\x89PNG", quota.Request{Images: 1}},
		{"a picture for an unknown model", "", "image/png", "\x89PNG", quota.Request{Images: 1}},
		{"audio for an unknown model", "", "audio/mpeg", "OggS", quota.Request{AudioBytes: 5000}},
		{"a picture that nobody calls one", "", "", "\x89PNG\r\n\x1a\n", quota.Request{Images: 1}},
		{"a recording that nobody calls one", "", "application/octet-stream", "OggS\x00", quota.Request{AudioBytes: 5000}},
		{"bytes, for who knows whom", "", "application/octet-stream", "\x00\x01", quota.Request{AudioBytes: 5000, Images: 1}},
		{"text that is cut within a character", "", "text/plain", "caf\xc3", quota.Request{AudioBytes: 5000, Images: 1, PromptBytes: 5000}},
		{"who knows what, for who knows whom", "", "", "who knows", quota.Request{AudioBytes: 5000, Images: 1, PromptBytes: 5000}},
		{"a form without a boundary", "", "multipart/form-data", "x", quota.Request{Images: maxGiven, PromptBytes: 5000, AudioBytes: 5000, MakeImages: maxMade, Width: maxSide, Height: maxSide, Steps: maxSteps, Assumed: true}},
	} {
		c.want.Task = c.task
		if got := requestOf(protocolOf(t, "run/m"), c.task, nil, header(c.kind), 5000, []byte(c.prefix)); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v\nwant %+v", c.name, got, c.want)
		}
	}
	// Audio that happens to begin with a brace.
	if got := requestOf(protocolOf(t, "run/m"), quota.SpeechRecognition, []byte("{\x00\x01"), header("audio/l16"), 3, nil); got.AudioBytes != 3 {
		t.Errorf("%+v", got)
	}
}

// What upstream bills is never above the estimate of what was measured.
func TestMeasureBounds(t *testing.T) {
	var call workersai.Call
	sim := workersai.New(workersai.Options{OnCall: func(c workersai.Call) { call = c }})
	estimator := price.NewEstimator(nil, price.Bound)
	long := strings.Repeat("neurons and what they cost ", 200)
	for _, c := range []struct{ path, body string }{
		{"run/@cf/meta/llama-3.1-8b-instruct-fp8", `{"prompt":"` + long + `","max_tokens":300}`},
		{"run/@cf/meta/llama-3.1-8b-instruct-fp8", `{"messages":[{"role":"user","content":"a b c d e f"}],"max_output_tokens":1}`},
		{"v1/chat/completions", `{"model":"@cf/qwen/qwen3-30b-a3b-fp8","messages":[{"role":"user","content":[{"type":"text","text":"hi"},{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}}]}],"max_tokens":1}`},
		{"v1/responses", `{"model":"@cf/qwen/qwen3-30b-a3b-fp8","input":"` + long + `","max_output_tokens":1}`},
		{"v1/embeddings", `{"model":"@cf/baai/bge-m3","input":["` + long + `","b"]}`},
		{"run/@cf/baai/bge-reranker-base", `{"query":"a","contexts":[{"text":"` + long + `"}]}`},
		{"run/@cf/meta/m2m100-1.2b", `{"text":"` + long + `","target_lang":"fr"}`},
		{"run/@cf/black-forest-labs/flux-1-schnell", `{"prompt":"cat","steps":8}`},
		{"run/@cf/leonardo/phoenix-1.0", `{"prompt":"cat","width":1100,"height":1500,"num_steps":40}`},
		{"run/@cf/black-forest-labs/flux-2-klein-9b", `{"prompt":"cat","width":1500}`},
		{"run/@cf/leonardo/phoenix-1.0", `{"prompt":"cat","width":2048,"height":2048,"num_steps":50}`},
		{"run/@cf/leonardo/lucid-origin", `{"prompt":"cat"}`},
		{"run/@cf/black-forest-labs/flux-2-dev", `{"prompt":"cat"}`},
		{"run/@cf/deepgram/aura-1", `{"text":"` + long + `"}`},
		{"run/@cf/myshell-ai/melotts", `{"prompt":"` + long + `"}`},
		{"run/@cf/openai/whisper", `{"audio":"` + base64.StdEncoding.EncodeToString(mediatest.WAV(30)) + `"}`},
		{"run/@cf/deepgram/nova-3", `{"audio":{"body":"` + mediatest.Base64Of(100_000) + `"}}`},
		{"run/@cf/microsoft/resnet-50", `{"image":[1,2,3]}`},
		{"run/@cf/moondream/moondream3.1-9B-A2B", `{"image":"AAAA","prompt":"` + long + `"}`},
		{"run/@cf/meta/llama-3.1-8b-instruct-fp8?queueRequest=true", `{"requests":[{"prompt":"` + long + `","max_tokens":9},{"prompt":"b"}]}`},
	} {
		t.Run(c.path, func(t *testing.T) {
			call = workersai.Call{}
			simtest.Call(t, sim, c.path, c.body)
			path, _, _ := strings.Cut(c.path, "?")
			q := requestOf(protocolOf(t, path), call.Task, []byte(c.body), http.Header{}, 0, nil)
			e := estimator.Estimate(estimator.Resolve(call.Model), q)
			if call.Neurons == 0 || e.Neurons < call.Neurons {
				t.Errorf("%v estimated, %v billed: %+v", int64(e.Neurons), int64(call.Neurons), q)
			}
		})
	}
}

// Whatever the body, measure returns, and nothing that it found is negative.
func FuzzMeasure(f *testing.F) {
	for _, seed := range []string{
		`{"model":"m","input":{"prompt":"x","max_tokens":"5"},"requests":[{"n":2}]}`,
		`{"messages":[{"content":[{"image_url":{"url":"data:image/png;base64,AA"}},{"source":{"data":"AA"}}]}]}`,
		`{"audio":{"body":[1,2]},"image":[[1],"x",{"url":"y"}],"size":"1x2","width":1e999}`,
		"RIFF____WAVEfmt \x10\x00\x00\x00\x01\x00", "fLaC\x00", "ID3\x04\x00\x00\x00\x00\x00\x01", "\x00\x00\x00\x08ftyp\x00\x00\x00\x08moov",
		"--x\r\nContent-Disposition: form-data; name=\"width\"\r\n\r\n5\r\n--x--",
	} {
		f.Add([]byte(seed))
	}
	native, chatRoute := protocolOf(f, "run/m"), protocolOf(f, "v1/chat/completions")
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, q := range []quota.Request{
			requestOf(native, quota.SpeechRecognition, b, http.Header{}, 0, nil),
			requestOf(chatRoute, "", b, http.Header{}, 0, nil),
			requestOf(native, "", nil, http.Header{"Content-Type": {"multipart/form-data; boundary=x"}}, 1<<20, b),
			requestOf(native, quota.SpeechRecognition, nil, http.Header{}, 1<<20, b),
		} {
			for _, p := range append(q.Parts, q) {
				if p.PromptBytes < 0 || p.MaxTokens < 0 || p.Answers < 0 || p.Images < 0 || p.Width < 0 || p.Steps < 0 || p.AudioBytes < 0 || !(p.AudioSeconds >= 0) {
					t.Errorf("%q: %+v", b, p)
				}
			}
		}
		batchIDOf(b)
	})
}

func BenchmarkMeasure(b *testing.B) {
	messages := make([]map[string]string, 10)
	for i := range messages {
		messages[i] = map[string]string{"role": "user", "content": strings.Repeat("some words ", 50)}
	}
	text, err := json.Marshal(map[string]any{"model": "m", "messages": messages, "max_tokens": 100})
	if err != nil {
		b.Fatal(err)
	}
	for name, body := range map[string][]byte{
		"chat":        text,
		"audio, 1 MB": []byte(`{"audio":"` + mediatest.Base64Of(1<<20) + `"}`),
		"bytes, 1 MB": []byte(`{"image":[` + strings.Repeat("255,", 1<<20) + `0]}`),
	} {
		b.Run(name, func(b *testing.B) {
			r := protocolOf(b, "v1/chat/completions")
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				requestOf(r, "", body, nil, 0, nil)
			}
		})
	}
}
