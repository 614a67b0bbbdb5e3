package bodybuffer

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"

	"github.com/neuronward/neuronward/proxy/jsonscan"
)

// counted is a Room without end that counts what is taken of it, up to a limit.
type counted struct{ taken, limit int64 }

var errFull = errors.New("no room")

func (c *counted) Acquire(n, held int64) error {
	if held != c.taken || c.limit > 0 && held+n > c.limit {
		return errFull
	}
	c.taken += n
	return nil
}

func (c *counted) Release(n int64) { c.taken -= n }

// textOf is a text of that many bytes.
func textOf(size int) string { return strings.Repeat("0123456789abcdef-", size/17+1)[:size] }

// read reads a text as the body of a call.
func read(p *Pool, room Room, declared int64, src io.Reader) (*Body, error) {
	b := p.NewBody(room, declared)
	head, err := b.Grow()
	if err != nil {
		return nil, err
	}
	n, err := src.Read(head)
	if err = b.ReadRest(src, int64(n), err); err != nil {
		b.Release()
		return nil, err
	}
	return b, nil
}

// A body is what came, whatever its length, and leaves no room taken.
func TestBodiesAreWhole(t *testing.T) {
	t.Parallel()
	const maxBody = 400_000 // no multiple of a piece
	p := NewPool(maxBody)
	for _, size := range []int{
		1, 20, smallPiece - 1, smallPiece, smallPiece + 1, 2 * smallPiece, provenSize - 1, provenSize, provenSize + 1,
		provenSize + smallPiece, provenSize + smallPiece + 1, provenSize + largePiece, provenSize + largePiece + 1,
		maxBody - 1, maxBody,
	} {
		for _, declared := range []int64{-1, int64(size)} {
			room, text := &counted{}, textOf(size)
			b, err := read(p, room, declared, iotest.HalfReader(strings.NewReader(text)))
			if err != nil {
				t.Fatalf("%d bytes, declared %d: got error %v, want none", size, declared, err)
			}
			for i, kind := range b.Kinds() {
				if want := jsonscan.KindOf(b.Text()[i]); kind != want || kind == jsonscan.Mixed {
					t.Errorf("%d bytes: got the kind %d of piece %d, want %d", size, kind, i, want)
				}
			}
			if got, want := len(b.Kinds()), len(b.Text())-1; got < want {
				t.Errorf("%d bytes: got the kinds of %d pieces, want %d", size, got, want)
			}
			got, err := io.ReadAll(b.Open(new(atomic.Bool)))
			if string(got) != text || err != nil {
				t.Errorf("%d bytes, declared %d: got %d bytes %.40q, error %v, want %d bytes %.40q, no error", size,
					declared, len(got), got, err, len(text), text)
			}
			b.Release()
			if room.taken != 0 {
				t.Errorf("%d bytes, declared %d: got %d bytes of room still taken, want 0", size, declared, room.taken)
			}
		}
	}
}

func TestReadRestErrors(t *testing.T) {
	t.Parallel()
	const maxBody = 100_000
	errBroken := errors.New("broken")
	for _, c := range []struct {
		name     string
		declared int64
		limit    int64 // of room
		src      io.Reader
		want     error
	}{
		{name: "too large", declared: -1, src: strings.NewReader(textOf(maxBody + 1)), want: ErrTooLarge},
		{name: "longer than 30", declared: 30, src: strings.NewReader(textOf(31)), want: ErrLonger},
		{
			name: "longer than a piece", declared: smallPiece, src: strings.NewReader(textOf(smallPiece + 1)),
			want: ErrLonger,
		},
		{
			name: "broken", declared: -1, want: errBroken,
			src: io.MultiReader(strings.NewReader(textOf(40_000)), iotest.ErrReader(errBroken)),
		},
		{name: "no room", declared: -1, limit: 40_000, src: strings.NewReader(textOf(50_000)), want: errFull},
	} {
		room := &counted{limit: c.limit}
		if _, err := read(NewPool(maxBody), room, c.declared, c.src); !errors.Is(err, c.want) {
			t.Errorf("%s: got error %v, want %v", c.name, err, c.want)
		}
		if room.taken != 0 {
			t.Errorf("%s: got %d bytes of room still taken, want 0", c.name, room.taken)
		}
	}
}

// Room is taken before memory is, at each moment of reading a body, and by the memory rather than by the bytes in it.
func TestRoomCoversMemory(t *testing.T) {
	t.Parallel()
	for _, declared := range []bool{true, false} {
		for _, size := range []int{1, 20_000, 70_000, 300_001} {
			length, room := int64(-1), &counted{}
			if declared {
				length = int64(size)
			}
			b := NewPool(1<<20).NewBody(room, length)
			for int64(size) > b.capacity {
				if _, err := b.Grow(); err != nil {
					t.Fatal(err)
				}
				memory := int64(0)
				for _, piece := range b.text {
					memory += int64(cap(piece))
				}
				if memory > b.held {
					t.Errorf("%d bytes, declared %v: got %d bytes of memory in room for %d, want room for it or more",
						size, declared, memory, b.held)
				}
				if memory != b.capacity {
					t.Errorf("%d bytes, declared %v: got %d bytes of memory counted as %d, want all of it counted",
						size, declared, memory, b.capacity)
				}
				if room.taken != b.held {
					t.Errorf("%d bytes, declared %v: got %d bytes of room taken, want %d", size, declared, room.taken,
						b.held)
				}
			}
			b.fit(int64(size))
			if got := b.text.Len(); got != int64(size) {
				t.Errorf("got a body of %d bytes, want %d", got, size)
			}
			if b.held != b.capacity {
				t.Errorf("%d bytes, declared %v: got room for %d bytes, want the %d of its memory", size, declared,
					b.held, b.capacity)
			}
			b.Release()
			if room.taken != 0 {
				t.Errorf("%d bytes, declared %v: got %d bytes taken after the release, want 0", size, declared,
					room.taken)
			}
		}
	}
}

// A transport may still read a body when the call has ended.
func TestReleasedBodyIsNotRead(t *testing.T) {
	t.Parallel()
	text := textOf(100_000)
	b, err := read(NewPool(1<<20), &counted{}, -1, strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	b.Cut(11, 90_000)
	if got := b.Size(); got != 90_000-11 {
		t.Errorf("Size() = %d, want %d", got, 90_000-11)
	}
	var sent atomic.Bool
	whole, rest := b.Open(&sent), b.Open(&sent)
	if sent.Load() {
		t.Error("got sent before anything was read, want not sent")
	}
	want := text[11:90_000]
	if got, err := io.ReadAll(whole); !bytes.Equal(got, []byte(want)) || err != nil {
		t.Errorf("got %d bytes %.40q, error %v, want %d bytes %.40q, no error", len(got), got, err, len(want), want)
	}
	if !sent.Load() {
		t.Error("got not sent after the body was read, want sent")
	}
	if _, err := rest.Read(make([]byte, 9)); err != nil {
		t.Errorf("before the release: got %v, want nil", err)
	}
	b.Release()
	if n, err := rest.Read(make([]byte, 9)); n != 0 || !errors.Is(err, errReleased) {
		t.Errorf("after the release: got %d bytes, %v, want 0, %v", n, err, errReleased)
	}
}

// An edited body is sent so by each reader, and its text stays what came.
func TestEditedBody(t *testing.T) {
	t.Parallel()
	text := textOf(3*smallPiece + 500)
	room := &counted{}
	b, err := read(NewPool(1<<20), room, -1, strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	const cut = 10
	b.Cut(cut, int64(len(text)))
	b.Edit([]jsonscan.Edit{
		{From: cut, To: cut, Text: []byte("first")}, {From: smallPiece - 5, To: smallPiece + 5, Text: []byte("second")},
	})
	want := "first" + text[cut:smallPiece-5] + "second" + text[smallPiece+5:]
	if got := b.Size(); got != int64(len(want)) {
		t.Errorf("got a size of %d, want %d", got, len(want))
	}
	for attempt := range 2 {
		if got, err := io.ReadAll(b.Open(new(atomic.Bool))); string(got) != want || err != nil {
			t.Errorf("attempt %d: got %d bytes %.40q, error %v, want %d bytes %.40q, none", attempt, len(got), got, err,
				len(want), want)
		}
	}
	var sent []byte
	for piece := range b.Sent() {
		sent = append(sent, piece...)
	}
	if string(sent) != want {
		t.Errorf("got %d bytes %.40q sent, want %d bytes %.40q", len(sent), sent, len(want), want)
	}
	if got := b.Text().Bytes(0, b.Text().Len()); string(got) != text {
		t.Errorf("got a text of %d bytes %.40q, want %d bytes %.40q", len(got), got, len(text), text)
	}
	late := b.Open(new(atomic.Bool))
	b.Release()
	if got, err := io.ReadAll(late); len(got) != 0 || !errors.Is(err, errReleased) {
		t.Errorf("after the end: got %d bytes, error %v, want 0, %v", len(got), err, errReleased)
	}
	if room.taken != 0 {
		t.Errorf("got %d bytes of room still taken, want 0", room.taken)
	}
}

// A body that upstream has had to its end gives its memory back before the call ends, one that it has not had keeps it.
func TestReleaseSent(t *testing.T) {
	t.Parallel()
	room, text := &counted{}, textOf(3*smallPiece+5)
	b, err := read(NewPool(400_000), room, -1, strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	upstream := b.Open(new(atomic.Bool))
	half := make([]byte, len(text)/2)
	if _, err := io.ReadFull(upstream, half); err != nil {
		t.Fatal(err)
	}
	b.ReleaseSent()
	if room.taken == 0 || b.Text() == nil {
		t.Errorf("half sent: got %d bytes of room taken, want what the body has", room.taken)
	}
	rest := make([]byte, len(text)-len(half))
	if _, err := io.ReadFull(upstream, rest); err != nil || string(half)+string(rest) != text {
		t.Errorf("got %q and error %v, want the text and no error", half, err)
	}
	b.ReleaseSent()
	if room.taken != 0 || b.Text() != nil {
		t.Errorf("sent: got %d bytes of room taken, want 0", room.taken)
	}
	if n, err := upstream.Read(rest); n != 0 || err != io.EOF {
		t.Errorf("behind the end: got %d bytes and error %v, want none and io.EOF", n, err)
	}
	b.Release()
	if room.taken != 0 {
		t.Errorf("released twice: got %d bytes of room taken, want 0", room.taken)
	}
}

// An attempt that has failed may have sent all of a body. The next one may have an answer before it has.
func TestReleaseSentOfAnotherAttempt(t *testing.T) {
	t.Parallel()
	room, text := &counted{}, textOf(3*smallPiece+5)
	b, err := read(NewPool(400_000), room, -1, strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	failed, sent := b.OpenFirst()
	half := make([]byte, len(text)/2)
	if _, err := io.ReadFull(failed, half); err != nil {
		t.Fatal(err)
	}
	second := b.Open(sent)
	if _, err := io.Copy(io.Discard, failed); err != nil { // the transport may still be sending it
		t.Fatal(err)
	}
	b.ReleaseSent()
	if got, err := io.ReadAll(second); string(got) != text || err != nil {
		t.Errorf("the second attempt sends %d bytes and has error %v, want all %d", len(got), err, len(text))
	}
	b.ReleaseSent()
	if room.taken != 0 {
		t.Errorf("sent: got %d bytes of room taken, want 0", room.taken)
	}
}

// A reader of which nothing went out takes back its own mark alone: what an attempt before it sent stays sent.
func TestUnsent(t *testing.T) {
	b, err := read(NewPool(1<<20), &counted{}, -1, strings.NewReader("abc"))
	if err != nil {
		t.Fatal(err)
	}
	first, sent := b.OpenFirst()
	for _, c := range []struct {
		name   string
		reader io.Reader
		unsent bool
		want   bool
	}{
		{"the first, of which nothing went out", first, true, false},
		{"the next", b.Open(sent), false, true},
		{"another one, of which nothing went out", b.Open(sent), true, true},
	} {
		if _, err := io.ReadAll(c.reader); err != nil || !sent.Load() {
			t.Errorf("%s: read: error %v, sent %v, want none, true", c.name, err, sent.Load())
		}
		if c.unsent {
			c.reader.(interface{ Unsent() }).Unsent()
		}
		if got := sent.Load(); got != c.want {
			t.Errorf("%s: sent %v, want %v", c.name, got, c.want)
		}
	}
}
