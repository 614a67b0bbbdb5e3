package proxy

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/neuronward/neuronward/proxy/measure/mediatest"
	"github.com/neuronward/neuronward/proxy/routing"
	"github.com/neuronward/neuronward/proxy/workersai"
	"github.com/neuronward/neuronward/quota"
)

// An ordinary call of FLUX.2 with a picture passes on the free plan, however it
// is sent, and costs what upstream says.
func TestAFormForAPictureIsKnownWhole(t *testing.T) {
	const model = "/run/@cf/black-forest-labs/flux-2-dev"
	noisy := string(mediatest.Picture(t, "png", 512, 512)) + strings.Repeat("\x01", 100_000)
	kind, body := mediatest.Form(t, mediatest.Field("prompt", "a cat"),
		mediatest.File("input_image_0", "cat.png", noisy), mediatest.Field("width", "1024"),
		mediatest.Field("height", "768"), mediatest.Field("steps", "25"))
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
			if w.Code != 200 {
				t.Errorf("chunked %v: got %d %.300s, want 200", chunked, w.Code, w.Body)
			}
			if s.Account.Used.Float() != want || g.sim.Billed() != s.Account.Used {
				t.Errorf("chunked %v: got %v used, %v billed, want %v", chunked, s.Account.Used, g.sim.Billed(), want)
			}
		})
	}
}

func TestWhatIsMeasuredByItsEnd(t *testing.T) {
	const (
		form    = "Multipart/form-data; boundary=x"
		flux    = "@cf/black-forest-labs/flux-2-dev"
		whisper = "@cf/openai/whisper"
		llama   = testModel
		unknown = "@cf/new/model"
	)
	mp3 := string(mediatest.Frames(mediatest.MP3At128, 417, 2))
	for _, c := range []struct {
		name, path, account, kind, prefix string
		want                              bool
	}{
		{"a form for a picture", "run/" + flux, "", form, "--x", true},
		{"a form for an unknown model", "run/" + unknown, "", form, "--x", true},
		{"a form for speech", "run/" + whisper, "", form, "--x", true},
		{"a form for a model that hears nothing", "run/" + llama, "", form, "--x", false},
		{"a form on another account", "run/" + flux, "other", form, "--x", false},
		{"a form for Markdown", "tomarkdown", "", form, "--x", false},
		{"a picture", "run/" + flux, "", "image/png", "\x89PNG", false},
		{"Ogg for speech", "run/" + whisper, "", "audio/ogg", "OggS\x00", true},
		{"Ogg for an unknown model", "run/" + unknown, "", "", "OggS\x00", true},
		{"Ogg for a model that hears nothing", "run/" + llama, "", "audio/ogg", "OggS\x00", false},
		{"MP3 for speech", "run/" + whisper, "", "", mp3, true},
		{"MP3 on another account", "run/" + whisper, "other", "", mp3, false},
		{"sound of samples of one size", "run/" + whisper, "", "audio/wav", string(mediatest.WAV(1)), false},
		{"sound that is not known", "run/" + whisper, "", "audio/x", "sound", false},
	} {
		g := newGuarded(t, quota.Options{Limit: neuron}, workersai.Options{})
		d := routing.Destination{
			Route: routeOf(t, c.path), Account: c.account, Model: strings.TrimPrefix(c.path, "run/"),
		}
		x := callTo(g.proxy, httptest.NewRequest("POST", "/", nil), d)
		if got := x.measuredByEnd(http.Header{"Content-Type": {c.kind}}, []byte(c.prefix)); got != c.want {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
		g.close()
	}
}

// Where upstream does not say what a picture cost, what was assumed of it is no
// price.
func TestAnAssumedPictureIsSettledAsAnEstimate(t *testing.T) {
	small := string(mediatest.Picture(t, "png", 512, 512))
	for _, c := range []struct {
		name, model       string
		parts             []mediatest.Part
		cut               int
		priced, estimated float64
	}{
		{
			"all is said", "flux-2-klein-4b",
			[]mediatest.Part{
				mediatest.File("input_image_0", "a.png", small), mediatest.Field("width", "512"),
				mediatest.Field("height", "512"),
			},
			0, 26.05 + 5.37, 0,
		},
		{
			"the rest is documented", "flux-2-klein-4b",
			[]mediatest.Part{mediatest.Field("prompt", "a cat")},
			0,
			4 * 26.05, 0,
		},
		{
			"a picture of unknown size", "flux-2-klein-4b",
			[]mediatest.Part{mediatest.File("input_image_0", "a.avif", "pixels")},
			0, 0, 4*26.05 + 4*5.37,
		},
		{
			"steps that nobody says", "flux-2-dev",
			[]mediatest.Part{mediatest.Field("prompt", "a cat")},
			0, 0,
			4 * 37.5 * 50,
		},
		{
			"a form without its end", "flux-2-klein-4b",
			[]mediatest.Part{mediatest.Field("width", "512"), mediatest.Field("height", "512")},
			10, 0, 4*64*26.05 +
				4*4*5.37,
		},
	} {
		g := newGuarded(t, quota.Options{Limit: 10_000 * neuron}, workersai.Options{}, func(c *Config) {
			c.Transport = inMemory{answerJSON(200,
				`{"result":{"image":"AAAA"},"success":true,"errors":[],"messages":[]}`)}
		})
		kind, body := mediatest.Form(t, c.parts...)
		w := g.post("/run/@cf/black-forest-labs/"+c.model, string(body[:len(body)-c.cut]), "Content-Type", kind)
		records := g.close().Records
		if w.Code != 200 || len(records) != 1 {
			t.Fatalf("%s: got %d %s, %+v, want 200 and 1 record", c.name, w.Code, w.Body, records)
		}
		if r := records[0]; r.Priced != quota.FromFloat(c.priced) || r.Estimated != quota.FromFloat(c.estimated) {
			t.Errorf("%s: got %v priced and %v estimated, want %v and %v", c.name, r.Priced, r.Estimated, c.priced,
				c.estimated)
		}
	}
}
