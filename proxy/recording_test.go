package proxy

import (
	"bytes"
	"math"
	"net/http/httptest"
	"testing"

	"github.com/neuronward/neuronward/proxy/measure/mediatest"
	"github.com/neuronward/neuronward/proxy/routing"
	"github.com/neuronward/neuronward/proxy/workersai"
	"github.com/neuronward/neuronward/quota"
)

// A recording whose bit rate falls is counted by all of its frames, whatever its type is called and whether its length
// is declared.
func TestARecordingIsWalkedBeforeItIsSent(t *testing.T) {
	t.Parallel()
	file := append(mediatest.Frames(mediatest.MP3At320, 1044, 40), mediatest.Frames(mediatest.MP3At8, 72, 1000)...)
	const seconds = 40/mediatest.Second44 + 1000/mediatest.Second8
	for _, kind := range []string{"", "audio/mpeg", "application/x-www-form-urlencoded"} {
		for _, length := range []int64{-1, int64(len(file))} {
			r := httptest.NewRequest("POST", "http://localhost/ai/run/@cf/openai/whisper", bytes.NewReader(file))
			r.Header.Set("Content-Type", kind)
			r.ContentLength = length
			g := newGuarded(t, quota.Options{Limit: 10_000 * neuron}, workersai.Options{})
			c := callTo(g.proxy, r, routing.Destination{Route: routeOf(t, "run/m"), Model: "@cf/openai/whisper"})
			if _, err := g.proxy.bodies.read(c, r); err != nil {
				t.Fatalf("%q, length %d: read() = %v, want no error", kind, length, err)
			}
			if c.body == nil {
				t.Fatalf("%q, length %d: got a body that streams through, want one that is held", kind, length)
			}
			if got := g.proxy.bodies.measured(c).AudioSeconds; math.Abs(got-seconds) > 0.001 {
				t.Errorf("%q, length %d: measured() = %v s, want %v", kind, length, got, seconds)
			}
			c.body.Release()
			g.close()
		}
	}
}
