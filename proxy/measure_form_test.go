package proxy

import (
	"bytes"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"github.com/neuronward/neuronward/proxy/workersai"
	"github.com/neuronward/neuronward/quota"
)

func TestMeasureForm(t *testing.T) {
	form := func(files int, fields ...string) (string, []byte) {
		var b bytes.Buffer
		w := multipart.NewWriter(&b)
		for i := 0; i < len(fields); i += 2 {
			_ = w.WriteField(fields[i], fields[i+1]) // a buffer takes all
		}
		for range files {
			f, _ := w.CreateFormFile("input_image", "a.png")
			_, _ = f.Write(make([]byte, 9000))
		}
		_ = w.Close()
		return w.FormDataContentType(), b.Bytes()
	}
	get := func(kind string, body []byte, cut int) quota.Request {
		return measure(routeOf(t, "run/m"), "", quota.TextToImage, nil, http.Header{"Content-Type": {kind}}, int64(len(body)), body[:len(body)-cut])
	}
	kind, body := form(2, "prompt", "a cat", "width", "512", "height", "640", "steps", "9", "n", "2")
	q := get(kind, body, 0)
	if q.Width != 512 || q.Height != 640 || q.Steps != 9 || q.MakeImages != 2 || q.Images != 2 || q.PromptBytes > 2000 || q.PromptBytes < 100 {
		t.Errorf("whole: %+v", q)
	}
	for _, cut := range []int{5, 9500, len(body) - 10} {
		q := get(kind, body, cut)
		if !q.Assumed || q.Width != mostSide || q.Height != mostSide || q.Steps != mostSteps || q.MakeImages != mostMade || q.Images != mostGiven || q.PromptBytes != int64(len(body)) {
			t.Errorf("all but %d bytes: %+v", cut, q)
		}
	}
	kind, body = form(9)
	if q := get(kind, body, 0); q.Images != mostGiven || q.Assumed {
		t.Errorf("more pictures than are taken: %+v", q)
	}
	kind, body = form(0, "size", "300x400", "width", "900", "width", "2")
	if q := get(kind, body, 0); q.Width != 900 || q.Height != 400 {
		t.Errorf("a size, and a field given twice: %+v", q)
	}
}

// A formPart is a field, or a file if it has a file name.
type formPart struct{ name, file, content string }

func formOf(t testing.TB, parts ...formPart) (kind string, body []byte) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for _, p := range parts {
		to, err := io.Writer(nil), error(nil)
		if p.file != "" {
			to, err = w.CreateFormFile(p.name, p.file)
		} else {
			to, err = w.CreateFormField(p.name)
		}
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(to, p.content) // a buffer takes all
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return w.FormDataContentType(), b.Bytes()
}

func TestMeasureFormParts(t *testing.T) {
	small, large := string(picture(t, "png", 512, 300)), string(picture(t, "jpeg", 800, 300))
	unknown := "ftypavif" + strings.Repeat("\x00", 40_000)
	sound := string(wav(10))
	for _, c := range []struct {
		name  string
		task  quota.Task
		parts []formPart
		want  quota.Request // but PromptBytes
	}{
		{"pictures, each by its size", quota.TextToImage, []formPart{{"input_image_0", "a.png", small}, {"input_image_1", "b.jpg", large}}, quota.Request{Images: 2, Sized: 2, SizedTiles: 1 + 2}},
		{"figures behind a picture", quota.TextToImage, []formPart{{"input_image_0", "a.avif", unknown}, {"width", "", "640"}, {"steps", "", " 25\r\n"}}, quota.Request{Images: 1, Width: 640, Steps: 25}},
		{"a figure behind much space", quota.TextToImage, []formPart{{"steps", "", strings.Repeat(" ", 1000) + "25"}}, quota.Request{Steps: 25}},
		{"a picture that is no file", quota.TextToImage, []formPart{{"input_image_0", "", large}}, quota.Request{Images: 1, Sized: 1, SizedTiles: 2}},
		{"a picture by reference", quota.TextToImage, []formPart{{"image", "", "https://example.com/a.png"}}, quota.Request{Images: 1}},
		{"pictures under one name", quota.TextToImage, []formPart{{"image[]", "a", unknown[:50]}, {"image[]", "b", small}}, quota.Request{Images: 2, Sized: 1, SizedTiles: 1}},
		{"a long prompt that names figures", quota.TextToImage, []formPart{{"prompt", "", strings.Repeat("width=9999 ", 3000)}, {"height", "", "700"}}, quota.Request{Height: 700}},
		{"a file under the name of a figure", quota.TextToImage, []formPart{{"width", "a.png", small}}, quota.Request{Images: 1, Sized: 1, SizedTiles: 1}},
		{"a file that may be a picture", quota.TextToImage, []formPart{{"file", "a.avif", unknown}}, quota.Request{Images: 1, AudioBytes: 40_008}},
		{"speech", quota.SpeechRecognition, []formPart{{"audio", "a.wav", sound}}, quota.Request{Images: 1, AudioSeconds: 10, AudioBytes: int64(len(sound))}},
		{"two recordings", quota.SpeechRecognition, []formPart{{"audio", "a.wav", sound}, {"file", "b.wav", sound}}, quota.Request{Images: 2, AudioBytes: 2 * int64(len(sound))}},
	} {
		kind, body := formOf(t, c.parts...)
		got := measure(routeOf(t, "run/m"), "", c.task, body, http.Header{"Content-Type": {kind}}, 0, nil)
		if c.want.AudioSeconds > 0 && got.AudioSeconds > c.want.AudioSeconds && got.AudioSeconds < c.want.AudioSeconds+0.1 {
			got.AudioSeconds = c.want.AudioSeconds // the form around it counts
		}
		c.want.Task, c.want.PromptBytes = c.task, got.PromptBytes
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v\nwant %+v", c.name, got, c.want)
		}
		if got.PromptBytes < 50 || got.PromptBytes > 34_000 {
			t.Errorf("%s: %d bytes of prompt", c.name, got.PromptBytes)
		}
	}
}

// An ordinary call of FLUX.2 with a picture passes on the free plan, however it
// is sent, and costs what upstream says.
func TestAFormForAPictureIsKnownWhole(t *testing.T) {
	const model = "/run/@cf/black-forest-labs/flux-2-dev"
	noisy := string(picture(t, "png", 512, 512)) + strings.Repeat("\x01", 100_000)
	kind, body := formOf(t, formPart{"prompt", "", "a cat"}, formPart{"input_image_0", "cat.png", noisy}, formPart{"width", "", "1024"}, formPart{"height", "", "768"}, formPart{"steps", "", "25"})
	for _, chunked := range []bool{false, true} {
		virtually(t, func(t *testing.T) {
			g := newGuarded(t, quota.Options{Limit: 10_000 * neuron}, workersai.Options{})
			r := httptest.NewRequest("POST", "http://localhost"+model, bytes.NewReader(body))
			r.Header.Set("Content-Type", kind)
			if chunked {
				r.ContentLength = -1
			}
			w := httptest.NewRecorder()
			g.proxy.ServeHTTP(w, r)
			s := g.close()
			const want = (4*37.5 + 18.75) * 25
			if w.Code != 200 || s.Account.Used.Float() != want || g.sim.Billed() != s.Account.Used {
				t.Errorf("chunked %v: %d, used %v, billed %v, want %v: %.300s", chunked, w.Code, s.Account.Used, g.sim.Billed(), want, w.Body)
			}
		})
	}
}

func TestWhatTellsAtItsEnd(t *testing.T) {
	const form, flux, whisper, llama, unknown = "Multipart/form-data; boundary=x", "@cf/black-forest-labs/flux-2-dev", "@cf/openai/whisper", testModel, "@cf/new/model"
	for _, c := range []struct {
		name, path, account, kind, prefix string
		want                              bool
	}{
		{"a form for a picture", "run/" + flux, "", form, "--x", true},
		{"a form for an unknown model", "run/" + unknown, "", form, "--x", true},
		{"a form for speech", "run/" + whisper, "", form, "--x", false},
		{"a form on another account", "run/" + flux, "other", form, "--x", false},
		{"a form for Markdown", "tomarkdown", "", form, "--x", false},
		{"a picture", "run/" + flux, "", "image/png", "\x89PNG", false},
		{"Ogg for speech", "run/" + whisper, "", "audio/ogg", "OggS\x00", true},
		{"Ogg for an unknown model", "run/" + unknown, "", "", "OggS\x00", true},
		{"Ogg for a model that hears nothing", "run/" + llama, "", "audio/ogg", "OggS\x00", false},
		{"other sound", "run/" + whisper, "", "audio/wav", "RIFF", false},
	} {
		g := newGuarded(t, quota.Options{Limit: neuron}, workersai.Options{})
		x := &call{destination: destination{route: routeOf(t, c.path), account: g.proxy.account, model: strings.TrimPrefix(c.path, "run/")}}
		if c.account != "" {
			x.account = c.account
		}
		if got := g.proxy.tellsAtItsEnd(x, http.Header{"Content-Type": {c.kind}}, []byte(c.prefix)); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
		g.close()
	}
}

// Where upstream does not say what a picture cost, what was assumed of it is no
// price.
func TestAnAssumedPictureIsSettledAsAnEstimate(t *testing.T) {
	small := string(picture(t, "png", 512, 512))
	for _, c := range []struct {
		name, model       string
		parts             []formPart
		cut               int
		priced, estimated float64
	}{
		{"all is said", "flux-2-klein-4b", []formPart{{"input_image_0", "a.png", small}, {"width", "", "512"}, {"height", "", "512"}}, 0, 26.05 + 5.37, 0},
		{"the rest is documented", "flux-2-klein-4b", []formPart{{"prompt", "", "a cat"}}, 0, 4 * 26.05, 0},
		{"a picture of unknown size", "flux-2-klein-4b", []formPart{{"input_image_0", "a.avif", "pixels"}}, 0, 0, 4*26.05 + 4*5.37},
		{"steps that nobody says", "flux-2-dev", []formPart{{"prompt", "", "a cat"}}, 0, 0, 4 * 37.5 * 50},
		{"a form without its end", "flux-2-klein-4b", []formPart{{"width", "", "512"}, {"height", "", "512"}}, 10, 0, 4*64*26.05 + 4*4*5.37},
	} {
		g := newGuarded(t, quota.Options{Limit: 10_000 * neuron}, workersai.Options{}, func(c *Config) {
			c.Transport = inMemory{answerJSON(200, `{"result":{"image":"AAAA"},"success":true,"errors":[],"messages":[]}`)}
		})
		kind, body := formOf(t, c.parts...)
		w := g.post("/run/@cf/black-forest-labs/"+c.model, string(body[:len(body)-c.cut]), "Content-Type", kind)
		records := g.close().Records
		if w.Code != 200 || len(records) != 1 {
			t.Fatalf("%s: %d %s, %+v", c.name, w.Code, w.Body, records)
		}
		if r := records[0]; r.Priced != quota.FromFloat(c.priced) || r.Estimated != quota.FromFloat(c.estimated) {
			t.Errorf("%s: %v priced and %v estimated, want %v and %v", c.name, r.Priced, r.Estimated, c.priced, c.estimated)
		}
	}
}
