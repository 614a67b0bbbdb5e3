package workersai

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"fmt"
	"image"
	"image/jpeg"
	"image/png"
	"strings"

	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/workload"
)

// maxSide is the longest side of an image, in pixels.
const maxSide = 2048

// drawing is an image to be made.
type drawing struct {
	prompt        string
	width, height int
	steps         int
	inputs        int   // images given
	inputTiles    int64 // of 512x512, of all images given
}

// draw answers POST run for a text-to-image model: base64 in JSON, or the bytes of
// the image and no word of what it cost.
func (x *exchange) draw() *failure {
	d, f := x.readDrawing()
	if f != nil {
		return f
	}
	x.spend(x.imageNeurons(d))
	if strings.Contains(x.model.name, "stable-diffusion") {
		x.noHeader = true
		x.w.Header().Set("Content-Type", "image/png")
		var b bytes.Buffer
		if err := png.Encode(&b, x.picture(d)); err != nil {
			panic("workersai: " + err.Error()) // a picture in memory always encodes
		}
		return x.answerRaw(b.Bytes())
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, x.picture(d), nil); err != nil {
		panic("workersai: " + err.Error())
	}
	if x.rawImage() {
		x.noHeader = true
		x.w.Header().Set("Content-Type", "image/jpeg")
		return x.answerRaw(b.Bytes())
	}
	return x.answer(wrap(struct {
		Image string `json:"image"`
	}{base64.StdEncoding.EncodeToString(b.Bytes())}))
}

// rawImage reports whether the model answers with the bytes of a JPEG.
func (x *exchange) rawImage() bool {
	return strings.Contains(x.model.name, "phoenix") || strings.Contains(x.model.name, "dreamshaper")
}

func (x *exchange) readDrawing() (drawing, *failure) {
	d := drawing{}
	in, f := x.formFields()
	if f != nil {
		return d, f
	}
	var ok bool
	if d.prompt, ok, f = in.text("prompt"); f != nil {
		return d, f
	}
	if !ok {
		return d, badInput("required properties at '/' are 'prompt'")
	}
	most := x.model.price.MaxSteps
	usual := x.model.price.DefaultSteps
	if usual == 0 {
		usual = 25
	}
	if most == 0 {
		most = 50
	}
	steps, f := in.count("steps", int64(usual))
	if f != nil {
		return d, f
	}
	if steps, f = in.count("num_steps", steps); f != nil {
		return d, f
	}
	if steps > int64(most) {
		return d, badInput("'/steps' must be <= %d", most)
	}
	d.steps = int(steps)
	for _, side := range []struct {
		name  string
		usual int
		to    *int
	}{{"width", x.model.price.DefaultWidth, &d.width}, {"height", x.model.price.DefaultHeight, &d.height}} {
		n, f := in.count(side.name, int64(cmp.Or(side.usual, 1024)))
		if f != nil {
			return d, f
		}
		if n > maxSide {
			return d, badInput("'/%s' must be <= %d", side.name, maxSide)
		}
		*side.to = int(n)
	}
	parts, _, f := x.parts()
	for _, p := range parts {
		if p.file != "" {
			d.inputs++
			const unknown = 9999 // pixels: as many tiles as any picture has
			size, _, err := image.DecodeConfig(bytes.NewReader(p.data))
			if err != nil {
				size.Width, size.Height = unknown, unknown
			}
			d.inputTiles += workload.InputTiles(int64(size.Width), int64(size.Height))
		}
	}
	return d, f
}

// imageNeurons is the price of d by the table, as its notes explain it.
func (x *exchange) imageNeurons(d drawing) quota.Neurons {
	p := x.model.price
	tiles := float64((d.width+511)/512) * float64((d.height+511)/512)
	megapixels := max(float64(d.width)*float64(d.height)/(1024*1024), 1)
	area := max(float64(d.width)*float64(d.height)/(512*512), 1)
	steps, inputs, inputTiles := float64(d.steps), float64(d.inputs), float64(d.inputTiles)
	return quota.FromFloat(area*(p.Tile+p.Step*steps) +
		p.OutputTile*tiles + p.InputTile*inputTiles +
		p.OutputTileStep*tiles*steps + p.InputTileStep*inputTiles*steps +
		p.FirstMegapixel + p.NextMegapixel*(megapixels-1) + p.InputMegapixel*inputs)
}

// picture is a gradient whose colours depend on the prompt.
func (x *exchange) picture(d drawing) image.Image {
	h := x.hash(d.prompt)
	img := image.NewRGBA(image.Rect(0, 0, d.width, d.height))
	for y := range d.height {
		row := img.Pix[y*img.Stride:][:4*d.width]
		for i := range d.width {
			shade := uint8((i*128/d.width + y*127/d.height))
			row[4*i] = uint8(h) ^ shade
			row[4*i+1] = uint8(h>>8) ^ shade
			row[4*i+2] = uint8(h>>16) ^ shade
			row[4*i+3] = 255
		}
	}
	return img
}

// recognize answers for models that look at an image.
func (x *exchange) recognize() *failure {
	data, f := x.mediaField("image")
	if f != nil {
		return f
	}
	if len(data) == 0 {
		return badInput("required properties at '/' are 'image'")
	}
	x.spend(quota.FromFloat(x.model.price.Image))
	score := x.score(string(data))
	list := []label{{Label: "SIMULATED CAT", Score: 0.9 * score}, {Label: "SIMULATED DOG", Score: 0.1 * score}}
	if x.model.task == objectDetection {
		for i := range list {
			list[i].Box = &box{XMin: 10 * i, YMin: 10 * i, XMax: 100 + i, YMax: 80 + i}
		}
	}
	return x.answer(wrap(list))
}

// describe answers for models that put an image into words.
func (x *exchange) describe() *failure {
	data, f := x.mediaField("image")
	if f != nil {
		return f
	}
	if len(data) == 0 {
		return badInput("required properties at '/' are 'image'")
	}
	asked, _, f := x.in.text("prompt")
	if f != nil {
		return f
	}
	text := fmt.Sprintf("A simulated description of an image of %d bytes.", len(data))
	if asked != "" {
		text += " You asked: " + clip(asked, 400)
	}
	x.spendTokens(imageTokens+CountTokens(asked), 0, CountTokens(text))
	return x.answer(wrap(struct {
		Description string `json:"description"`
		Usage       usage  `json:"usage"`
	}{text, x.usage}))
}
