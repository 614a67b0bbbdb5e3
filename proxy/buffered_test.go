package proxy

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// echo is an upstream that answers with what it was sent, as the text of a model.
var echo = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil || int64(len(body)) != r.ContentLength {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(body)
})

// promptOf is a JSON body of that many bytes whose text depends on seed.
func promptOf(size int, seed byte) string {
	const head, tail = `{"prompt":"`, `"}`
	text := make([]byte, size-len(head)-len(tail))
	for i := range text {
		text[i] = 'a' + (byte(i>>8)+byte(i)+seed)%26
	}
	return head + string(text) + tail
}

// A body reaches upstream unchanged, whatever its length, and leaves no room taken.
func TestBufferedBodiesArriveWhole(t *testing.T) {
	const maxBody = 400_000 // no multiple of a piece
	b := newBench(t, echo, func(c *Config) { c.MaxBody, c.MaxHeld = maxBody, maxBody })
	const small, large = 16 << 10, 64 << 10 // pieces
	for _, size := range []int{
		20, small - 1, small, small + 1, 2 * small, large - 1, large, large + 1, large + small, large + small + 1,
		2 * large, 2*large + 1, maxBody - 1, maxBody,
	} {
		for _, chunked := range []bool{false, true} {
			body := promptOf(size, byte(size))
			var from io.Reader = strings.NewReader(body)
			if chunked {
				from = io.MultiReader(from)
			}
			res, err := http.Post(b.url+"/run/"+testModel, "application/json", from)
			if err != nil {
				t.Fatal(err)
			}
			got, _ := io.ReadAll(res.Body)
			res.Body.Close()
			if res.StatusCode != 200 || string(got) != body {
				t.Errorf("%d bytes, chunked %v: got %d and %d bytes %.80q, want 200 and %d bytes %.80q", size, chunked,
					res.StatusCode, len(got), got, len(body), body)
			}
			if taken := b.roomTaken(); taken != 0 {
				t.Errorf("%d bytes, chunked %v: got %d bytes of room still taken, want 0", size, chunked, taken)
			}
		}
	}
	for _, chunked := range []bool{false, true} {
		var from io.Reader = strings.NewReader(promptOf(maxBody+1, 0))
		if chunked {
			from = io.MultiReader(from)
		}
		res, err := http.Post(b.url+"/run/"+testModel, "application/json", from)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != http.StatusRequestEntityTooLarge {
			t.Errorf("a byte more than allowed, chunked %v: got %d, want 413", chunked, res.StatusCode)
		}
	}
}

// roomTaken is how much room of bodies is taken once the calls that were answered have ended.
func (b *bench) roomTaken() int64 {
	b.serving.Wait()
	return b.proxy.bodies.room.Status().Taken
}

// Pieces go from one body to the next: none does while somebody reads it.
func TestBufferedBodiesDoNotMix(t *testing.T) {
	b := newBench(t, echo)
	var all sync.WaitGroup
	for caller := range byte(8) {
		all.Go(func() {
			for i := range 20 {
				body := promptOf(1000+(i*37_777)%200_000, caller)
				res, got := b.do("POST", "/run/"+testModel, body)
				if res.StatusCode != 200 || string(got) != body {
					t.Errorf("caller %d: got %d and %d bytes, want 200 and %d", caller, res.StatusCode, len(got),
						len(body))
				}
			}
		})
	}
	all.Wait()
}

// A body that has sent its first bytes gets room for all that it declared, or waits for that: bodies that hold a part
// each and wait for more would wait for each other.
func TestBodiesDoNotBlockEachOther(t *testing.T) {
	const size = 3 << 20
	b := newBench(t, echo, func(c *Config) { c.MaxBody, c.MaxHeld, c.HeldWait = 4<<20, 4<<20, time.Minute })
	var all sync.WaitGroup
	for caller := range byte(8) {
		all.Go(func() {
			if res, _ := b.do("POST", "/run/"+testModel, promptOf(size, caller)); res.StatusCode != 200 {
				t.Errorf("caller %d: got %d, want 200", caller, res.StatusCode)
			}
		})
	}
	all.Wait()
}

// A body that lies about its length is none.
func TestBodyLongerThanDeclared(t *testing.T) {
	p, err := New(testConfig(io.Discard))
	if err != nil {
		t.Fatal(err)
	}
	for _, declared := range []int64{30, 16 << 10, 100_000} {
		r := httptest.NewRequest("POST", "http://localhost/run/"+testModel, nil)
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader(promptOf(200_000, 0))), declared
		w := httptest.NewRecorder()
		p.ServeHTTP(w, r)
		if want := []byte(`"incomplete_request"`); !bytes.Contains(w.Body.Bytes(), want) {
			t.Errorf("declared as %d: got %d %.200s, want %s", declared, w.Code, w.Body, want)
		}
		if taken := p.bodies.room.Status().Taken; taken != 0 {
			t.Errorf("declared as %d: got %d bytes of room taken, want 0", declared, taken)
		}
	}
}
