package conns

import (
	"encoding/binary"
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

// readFrame returns the kind, stream and payload of the next frame of HTTP/2.
func readFrame(in io.Reader) (kind byte, stream uint32, payload []byte, err error) {
	var head [9]byte
	if _, err = io.ReadFull(in, head[:]); err != nil {
		return 0, 0, nil, err
	}
	payload = make([]byte, binary.BigEndian.Uint32(head[:])>>8)
	_, err = io.ReadFull(in, payload)
	return head[3], binary.BigEndian.Uint32(head[5:]), payload, err
}

// nextFrame returns the next frame of a kind, and how long it took to come.
func nextFrame(t *testing.T, in io.Reader, kind byte) (stream uint32, payload []byte, took time.Duration) {
	t.Helper()
	began := time.Now()
	for {
		k, stream, payload, err := readFrame(in)
		if err != nil {
			t.Fatalf("got %v, want a frame of kind %d", err, kind)
		}
		if k == kind {
			return stream, payload, time.Since(began)
		}
	}
}

// A caller of HTTP/2 is told that its idle connection will be closed. What it has sent until it knows is answered.
func TestIdleHTTP2EndsInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, ok, true)
		defer s.close()
		conn := s.dial("h2")
		defer conn.Close()
		if err := conn.SetReadDeadline(time.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		send := func(frames string) {
			if _, err := io.WriteString(conn, frames); err != nil {
				t.Errorf("frames: got %v, want them sent", err)
			}
		}
		const headers, settings, goAway = 1, 4, 7
		go send(preface + frame(settings, 0, 0, "") + frame(headers, 5, 1, getRoot))
		nextFrame(t, conn, headers)
		_, payload, took := nextFrame(t, conn, goAway)
		if took < maxIdle || took > maxIdle+2*expireEvery {
			t.Errorf("GOAWAY came after %v, want %v", took, maxIdle)
		}
		if last, code := binary.BigEndian.Uint32(payload), binary.BigEndian.Uint32(payload[4:]); last != 1<<31-1 {
			t.Errorf("the last stream of GOAWAY: got %d, want %d", last, 1<<31-1)
		} else if code != 0 {
			t.Errorf("the code of GOAWAY: got %d, want 0", code)
		}
		time.Sleep(expireEvery)
		go send(frame(headers, 5, 3, getRoot))
		if stream, _, _ := nextFrame(t, conn, headers); stream != 3 {
			t.Errorf("got an answer to stream %d, want 3", stream)
		}
		began := time.Now()
		for {
			if _, _, _, err := readFrame(conn); err != nil {
				break
			}
		}
		if took := time.Since(began); took < goAwayTime || took > goAwayTime+2*expireEvery {
			t.Errorf("the connection was closed %v after its last request, want %v", took, goAwayTime)
		}
	})
}

// An answer over HTTP/2 that its caller leaves no room for ends in time, and no other one on its connection.
func TestAnswersWithoutRoomEnd(t *testing.T) {
	for name, handler := range map[string]http.HandlerFunc{"failure": failing, "success": ok} {
		synctest.Test(t, func(t *testing.T) {
			s := serve(t, handler, true)
			defer s.close()
			conn := s.dial("h2")
			defer conn.Close()
			if err := conn.SetReadDeadline(time.Now().Add(time.Hour)); err != nil {
				t.Fatal(err)
			}
			const headers, reset, settings = 1, 3, 4
			go func() {
				noRoom := frame(settings, 0, 0, "\x00\x04\x00\x00\x00\x00")
				_, _ = io.WriteString(conn, preface+noRoom+frame(headers, 5, 1, getRoot))
			}()
			stream, _, took := nextFrame(t, conn, reset)
			if took != finishIn {
				t.Errorf("%s: its stream was reset after %v, want %v", name, took, finishIn)
			}
			if stream != 1 {
				t.Errorf("%s: got a reset of stream %d, want 1", name, stream)
			}
		})
	}
}
