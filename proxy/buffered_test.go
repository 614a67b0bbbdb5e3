package proxy

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
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

// A body reaches upstream as it came, whatever its length, and leaves no room taken.
func TestBufferedBodiesArriveWhole(t *testing.T) {
	const maxBody = 400_000 // no multiple of a piece
	b := newBench(t, echo, func(c *Config) { c.MaxBody, c.MaxHeld = maxBody, maxBody })
	for _, size := range []int{
		20, smallPiece - 1, smallPiece, smallPiece + 1, 2 * smallPiece, provenSize - 1, provenSize, provenSize + 1,
		provenSize + smallPiece, provenSize + smallPiece + 1, provenSize + largePiece, provenSize + largePiece + 1,
		maxBody - 1, maxBody,
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
	for range 200 {
		if b.value("neuronward_requests_in_flight") == 0 {
			break
		}
		time.Sleep(time.Millisecond)
	}
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

// Room is taken before memory is, at each moment of reading a body, and by the memory rather than by the bytes in it.
func TestRoomCoversMemory(t *testing.T) {
	for _, declared := range []bool{true, false} {
		for _, size := range []int{1, 20_000, 70_000, 300_001} {
			p, err := New(testConfig(io.Discard))
			if err != nil {
				t.Fatal(err)
			}
			b := &p.bodies
			r := httptest.NewRequest("POST", "/", nil)
			length := int64(-1)
			if declared {
				length = int64(size)
			}
			r.ContentLength = length
			c := callTo(p, r, destination{route: routeOf(t, "v1/chat/completions")})
			h := &bufferedBody{}
			for int64(size) > h.capacity {
				if _, err := b.grow(c, h, length); err != nil {
					t.Fatal(err)
				}
				memory := int64(0)
				for _, piece := range h.text {
					memory += int64(cap(piece))
				}
				if taken := b.room.Status().Taken; memory > h.room || memory != h.capacity || taken != h.room {
					t.Errorf("%d bytes, declared %v: got %d bytes of memory, counted as %d, in room for %d, taken "+
						"%d, want all of it counted, room for it or more, and that room taken", size, declared, memory,
						h.capacity, h.room, taken)
				}
			}
			b.fit(h, int64(size))
			if got := h.text.Len(); got != int64(size) {
				t.Errorf("got a body of %d bytes, want %d", got, size)
			}
			if h.room != h.capacity {
				t.Errorf("%d bytes, declared %v: got room for %d bytes, want the %d of its memory", size, declared,
					h.room, h.capacity)
			}
			b.release(h)
			if taken := b.room.Status().Taken; taken != 0 {
				t.Errorf("%d bytes, declared %v: got %d bytes taken after the release, want 0", size, declared, taken)
			}
		}
	}
}

// A transport may still read a body when the call has ended.
func TestReleasedBodyIsNotRead(t *testing.T) {
	p, err := New(testConfig(io.Discard))
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest("POST", "/", strings.NewReader(promptOf(100_000, 0)))
	c := callTo(p, r, destination{route: routeOf(t, "run/m")})
	if err := p.bodies.buffer(c, r); err != nil {
		t.Fatal(err)
	}
	c.body.from, c.body.to = 11, 90_000
	var sent atomic.Bool
	whole, rest := c.body.open(&sent), c.body.open(&sent)
	if sent.Load() {
		t.Error("got sent before anything was read, want not sent")
	}
	want := promptOf(100_000, 0)[11:90_000]
	if got, err := io.ReadAll(whole); string(got) != want || err != nil || !sent.Load() {
		t.Errorf("got %d bytes (the wanted text: %v), error %v, sent %v, want %d bytes (true), nil, true", len(got),
			string(got) == want, err, sent.Load(), len(want))
	}
	if _, err := rest.Read(make([]byte, 9)); err != nil {
		t.Errorf("before the release: got %v, want nil", err)
	}
	p.bodies.release(c.body)
	if n, err := rest.Read(make([]byte, 9)); n != 0 || !errors.Is(err, errReleased) {
		t.Errorf("after the release: got %d bytes, %v, want 0, %v", n, err, errReleased)
	}
}

// A body that lies about its length is none.
func TestBodyLongerThanDeclared(t *testing.T) {
	p, err := New(testConfig(io.Discard))
	if err != nil {
		t.Fatal(err)
	}
	for _, declared := range []int64{30, smallPiece, 100_000} {
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
