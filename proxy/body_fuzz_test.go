package proxy

import (
	"bytes"
	"context"
	"io"
	"net/http/httptest"
	"reflect"
	"testing"

	"github.com/neuronward/neuronward/proxy/jsonscan"
	"github.com/neuronward/neuronward/proxy/measure"
	"github.com/neuronward/neuronward/proxy/measure/mediatest"
	"github.com/neuronward/neuronward/proxy/routing"
	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/memstore"
	"github.com/neuronward/neuronward/quota/price"
	"github.com/neuronward/neuronward/quota/workload"
)

// In whatever pieces a body comes, and whether its length is declared, it is
// measured alike; and what is seen of a form by its beginning is no less.
func FuzzMeasurePieces(f *testing.F) {
	formBody := "--x\r\nContent-Disposition: form-data; name=\"input_image_0\"; filename=\"a\"\r\n\r\n\x89PNG\r\n" +
		"\x1a\n____IHDR\x00\x00\x02\x00\x00\x00\x01\x00\r\n" +
		"--x\r\nContent-Disposition: form-data; name=\"width\"\r\n\r\n1500\r\n--x\r\nContent-Disposition: " +
		"form-data; name=\"steps\"\r\n\r\n7\r\n--x--\r\n"
	for _, seed := range []string{
		formBody, `{"prompt":"x","max_tokens":5}`, `{"audio":[1,2,3]}`, string(mediatest.Ogg(1, mediatest.OpusHead,
			48_000)), string(mediatest.WAV(0.1)), "  \r\n--x", "", " ", "\xff",
	} {
		for kind := range uint8(16) {
			f.Add([]byte(seed), uint16(0), kind)
			f.Add([]byte(seed), uint16(100), kind)
		}
	}
	ledger, err := quota.New(f.Context(), quota.Options{Store: memstore.New(nil), Limit: neuron})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = ledger.Close(context.Background()) }) // nothing was reserved
	c := testConfig(io.Discard)
	estimator := price.NewEstimator(nil, price.Bound)
	c.Ledger, c.Estimator = ledger, estimator
	p, err := New(c)
	if err != nil {
		f.Fatal(err)
	}
	models := []string{"@cf/black-forest-labs/flux-2-dev", "@cf/openai/whisper", "@cf/new/model", testModel}
	kinds := []string{"multipart/form-data; boundary=x", "audio/ogg", "", "application/json"}
	f.Fuzz(func(t *testing.T, b []byte, size uint16, which uint8) {
		model, kind := models[which%4], kinds[which/4%4]
		r := httptest.NewRequest("POST", "/", nil)
		r.Header.Set("Content-Type", kind)
		measured := func(body io.Reader, length int64) (workload.Request, error) {
			x := callTo(p, r, routing.Destination{Route: routeOf(t, "run/m"), Model: model})
			r.Body, r.ContentLength = io.NopCloser(body), length
			x.intake = intake{bodies: &p.bodies, call: x, src: r.Body}
			if err := p.bodies.buffer(x, r); err != nil {
				return workload.Request{}, err
			}
			if x.body != nil {
				defer x.body.Release()
			}
			r.ContentLength = int64(len(b)) // what is not declared may be as long as any body, and is measured so
			return p.bodies.measured(x), nil
		}
		whole, wholeErr := measured(bytes.NewReader(b), int64(len(b)))
		for _, length := range []int64{-1, int64(len(b))} {
			inPieces, err := measured(&pieces{text: string(b), sizes: []byte{byte(size)}, err: io.EOF}, length)
			if !reflect.DeepEqual(inPieces, whole) || (err == nil) != (wholeErr == nil) {
				t.Fatalf("%q to %s as %s in pieces of %d: got %+v (error %v), want as whole %+v (error %v)", b, model,
					kind, size%256+1, inPieces, err, whole, wholeErr)
			}
		}
		if wholeErr != nil || !isForm(kind) || whole.Assumed || opensJSON(b) {
			return
		}
		part := measure.Media(whole.Task, kind, jsonscan.Pieces{b[:len(b)-min(len(b), int(size))]}, int64(len(b)))
		whole.MakeImages, part.MakeImages = 1, 1 // the number of them has no bound
		if got, least := estimator.Estimate(estimator.Resolve(model),
			part).Neurons,
			estimator.Estimate(estimator.Resolve(model), whole).Neurons; whole.Task == workload.TextToImage &&
			got < least {
			t.Fatalf("%q without its last %d bytes: got %v, want %v of the whole or more", b, size, got, least)
		}
	})
}
