package measure

import (
	"bytes"
	"mime/multipart"
	"reflect"
	"strings"
	"testing"

	"github.com/neuronward/neuronward/proxy/measure/mediatest"
	"github.com/neuronward/neuronward/quota/workload"
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
	get := func(kind string, body []byte, cut int) workload.Request {
		return Media(workload.TextToImage, kind, pieces(body[:len(body)-cut]), int64(len(body)))
	}
	kind, body := form(2, "prompt", "a cat", "width", "512", "height", "640", "steps", "9", "n", "2")
	size := int64(len(body))
	got := get(kind, body, 0)
	want := workload.Request{
		Task: workload.TextToImage, Width: 512, Height: 640, Steps: 9, Answers: 2, MakeImages: 2,
		Images: 2,
	}
	if got.PromptBytes > 2000 || got.PromptBytes < 100 {
		t.Errorf("whole: got %d bytes of prompt, want 100 to 2,000", got.PromptBytes)
	}
	if want.PromptBytes = got.PromptBytes; !reflect.DeepEqual(got, want) {
		t.Errorf("whole: got %+v\nwant %+v", got, want)
	}
	for _, cut := range []int{5, 9500, len(body) - 10} {
		got := get(kind, body, cut)
		want := workload.Request{
			Task: workload.TextToImage, Assumed: true, Width: maxSide, Height: maxSide, Steps: maxSteps,
			Answers:    got.Answers,
			MakeImages: maxMade, Images: maxGiven, PromptBytes: size, AudioBytes: size,
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("all but %d bytes: got %+v\nwant %+v", cut, got, want)
		}
	}
	kind, body = form(9)
	if q := get(kind, body, 0); q.Images != maxGiven || q.Assumed {
		t.Errorf("more pictures than are taken: got %d, assumed %v, want %d", q.Images, q.Assumed, maxGiven)
	}
	for _, value := range []string{"", `"`, `"5"`} { // a form has no types
		kind, body = form(0, "max_tokens", value)
		if q := get(kind, body, 0); q.MaxTokens == 0 && !q.OddLimit {
			t.Errorf("a limit of %q: got %d tokens and no odd limit, want one of the two", value, q.MaxTokens)
		}
	}
	kind, body = form(0, "size", "300x400", "width", "900")
	if q := get(kind, body, 0); q.Width != 900 || q.Height != 400 {
		t.Errorf("a size and a width: got %dx%d, want 900x400", q.Width, q.Height)
	}
}

// A form that readers may understand in two ways is measured as one that was not read.
func TestMeasureAmbiguousForm(t *testing.T) {
	const kind = "multipart/form-data; boundary=x"
	field := func(header, value string) string { return "--x\r\n" + header + "\r\n\r\n" + value + "\r\n" }
	named := func(name string) string { return `Content-Disposition: form-data; name="` + name + `"` }
	plain := field(named("width"), "64")
	for _, c := range []struct {
		name, kind, body string
		assumed          bool
	}{
		{"one field", kind, plain, false},
		{"the type in capitals", "MULTIPART/Form-Data; boundary=x", plain, false},
		{"a field twice", kind, plain + field(named("width"), ""), true},
		{"two names", kind, plain + field(named("prompt")+`; name="steps"`, "9"), true},
		{"a name and its other form", kind, plain + field(named("prompt")+`; name*=utf-8''steps`, "9"), true},
		{"two dispositions", kind, plain + field(named("prompt")+"\r\n"+named("steps"), "9"), true},
		{"base64", kind, plain + field(named("steps")+"\r\nContent-Transfer-Encoding: base64", "OQ=="), true},
		{"bytes", kind, plain + field(named("steps")+"\r\nContent-Transfer-Encoding: binary", "9"), false},
		{"two boundaries", kind + "; boundary=y", plain, true},
		{
			"an empty boundary", `multipart/form-data; boundary=""`,
			"--\r\n" + named("width") + "\r\n\r\n64\r\n----\r\n", true,
		},
		{"another type in front", "image/png, " + kind, plain, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			body := []byte(c.body + "--x--\r\n")
			for _, task := range []workload.Task{"", workload.TextToImage} {
				q := Media(task, c.kind, pieces(body), int64(len(body)))
				if q.Assumed != c.assumed {
					t.Errorf("task %q: got assumed %v, want %v", task, q.Assumed, c.assumed)
				}
				width := int64(64)
				if c.assumed {
					width = maxSide
				}
				if q.Width != width {
					t.Errorf("task %q: got width %d, want %d", task, q.Width, width)
				}
			}
		})
	}
}

func TestMeasureFormParts(t *testing.T) {
	small, large := string(mediatest.Picture(t, "png", 512, 300)), string(mediatest.Picture(t, "jpeg", 800, 300))
	unknown := "ftypavif" + strings.Repeat("\x00", 40_000)
	sound := string(mediatest.WAV(10))
	for _, c := range []struct {
		name  string
		task  workload.Task
		parts []mediatest.Part
		want  workload.Request // but PromptBytes
	}{
		{
			"pictures, each by its size", workload.TextToImage,
			[]mediatest.Part{
				mediatest.File("input_image_0", "a.png", small),
				mediatest.File("input_image_1", "b.jpg", large),
			},
			workload.Request{Images: 2, Sized: 2, SizedTiles: 1 + 2},
		},
		{
			"figures behind a picture", workload.TextToImage,
			[]mediatest.Part{
				mediatest.File("input_image_0", "a.avif", unknown), mediatest.Field("width", "640"),
				mediatest.Field("steps", " 25\r\n"),
			},
			workload.Request{Images: 1, Width: 640, Steps: 25},
		},
		{
			"a figure behind much space", workload.TextToImage,
			[]mediatest.Part{mediatest.Field("steps", strings.Repeat(" ", 1000)+"25")},
			workload.Request{Steps: 25},
		},
		{
			"a picture that is no file", workload.TextToImage,
			[]mediatest.Part{mediatest.Field("input_image_0", large)},
			workload.Request{Images: 1, Sized: 1, SizedTiles: 2},
		},
		{
			"a picture by reference", workload.TextToImage,
			[]mediatest.Part{mediatest.Field("image", "https://example.com/a.png")},
			workload.Request{Images: 1},
		},
		{
			"pictures under one name", workload.TextToImage,
			[]mediatest.Part{mediatest.File("image[]", "a", unknown[:50]), mediatest.File("image[]", "b", small)},
			workload.Request{Images: 2, Sized: 1, SizedTiles: 1},
		},
		{
			"a long prompt that names figures", workload.TextToImage,
			[]mediatest.Part{
				mediatest.Field("prompt", strings.Repeat("width=9999 ", 3000)),
				mediatest.Field("height", "700"),
			},
			workload.Request{Height: 700},
		},
		{
			"a file under the name of a figure", workload.TextToImage,
			[]mediatest.Part{mediatest.File("width", "a.png", small)},
			workload.Request{Images: 1, Sized: 1, SizedTiles: 1},
		},
		{
			"a file that may be a picture", workload.TextToImage,
			[]mediatest.Part{mediatest.File("file", "a.avif", unknown)},
			workload.Request{Images: 1, AudioBytes: 40_008},
		},
		{
			"speech", workload.SpeechRecognition,
			[]mediatest.Part{mediatest.File("audio", "a.wav", sound)},
			workload.Request{Images: 1, AudioSeconds: 10, AudioBytes: int64(len(sound))},
		},
		{
			"two recordings", workload.SpeechRecognition,
			[]mediatest.Part{mediatest.File("audio", "a.wav", sound), mediatest.File("file", "b.wav", sound)},
			workload.Request{Images: 2, AudioBytes: 2 * int64(len(sound))},
		},
	} {
		kind, body := mediatest.Form(t, c.parts...)
		got := requestAs(kind, protocolOf(t, "run/m"), c.task, body)
		if c.want.AudioSeconds > 0 && got.AudioSeconds > c.want.AudioSeconds &&
			got.AudioSeconds < c.want.AudioSeconds+0.1 {
			got.AudioSeconds = c.want.AudioSeconds // the form around it counts
		}
		c.want.Task, c.want.PromptBytes = c.task, got.PromptBytes
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: got %+v\nwant %+v", c.name, got, c.want)
		}
		if got.PromptBytes < 50 || got.PromptBytes > 34_000 {
			t.Errorf("%s: got %d bytes of prompt, want 50 to 34,000", c.name, got.PromptBytes)
		}
	}
}
