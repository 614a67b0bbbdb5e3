package proxy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/neuronward/neuronward/metrics"
	"github.com/neuronward/neuronward/normalize"
	"github.com/neuronward/neuronward/proxy/fairshare"
	"github.com/neuronward/neuronward/proxy/jsonscan"
	"github.com/neuronward/neuronward/proxy/measure"
	"github.com/neuronward/neuronward/quota"
)

// smallBody is the size of a pooled buffer; most calls fit into one.
const smallBody = 16 << 10

// bodies reads request bodies within two bounds: the size of one, and what all
// calls hold at once.
type bodies struct {
	max     int64
	room    *fairshare.Pool // bytes of all bodies held
	slow    patience
	metrics *metrics.Metrics
	pool    sync.Pool // *[]byte of smallBody bytes
}

// A held body is one that was read whole, because what it says decides what may
// be done with it and because it may have to be sent again.
type held struct {
	mu     sync.Mutex
	data   []byte            // nil once released
	input  []byte            // the value of "input" in data, where it is an object
	pooled *[]byte           // the pool's own, if data stands in it
	tenant *fairshare.Tenant // of bodies.room, from which room bytes are taken
	room   int64
}

// open returns a reader over the body from its beginning, which sets sent once
// something of it was taken: from then on upstream may have seen the call.
func (h *held) open(sent *atomic.Bool) io.ReadCloser { return &heldReader{h: h, sent: sent} }

// release gives the memory back. A reader that the transport has not let go of
// yet reads no more: an answer may come before the whole request was sent.
func (b *bodies) release(h *held) {
	if h == nil {
		return
	}
	h.mu.Lock()
	h.data = nil
	h.mu.Unlock()
	if h.pooled != nil {
		b.pool.Put(h.pooled)
	}
	b.room.Release(h.tenant, h.room)
}

type heldReader struct {
	h    *held
	off  int
	sent *atomic.Bool
}

var errReleased = errors.New("the call has ended")

func (r *heldReader) Read(p []byte) (int, error) {
	r.sent.Store(true)
	r.h.mu.Lock()
	defer r.h.mu.Unlock()
	if r.h.data == nil {
		return 0, errReleased
	}
	if r.off == len(r.h.data) {
		return 0, io.EOF
	}
	n := copy(p, r.h.data[r.off:])
	r.off += n
	return n, nil
}

// Close ends this reader only; the body stays for another attempt.
func (r *heldReader) Close() error { return nil }

// An upload is a body that streams through: raw audio, an image, multipart.
type upload struct {
	io.Reader
	prefix []byte // what was read ahead of it
	closer io.Closer
	left   int64
	sent   atomic.Bool                       // upstream may have seen the call
	failed atomic.Pointer[normalize.Failure] // why reading stopped, if it was not the end
}

func (u *upload) Read(p []byte) (int, error) {
	u.sent.Store(true)
	if int64(len(p)) > u.left+1 {
		p = p[:u.left+1]
	}
	n, err := u.Reader.Read(p)
	u.left -= int64(n)
	if u.left < 0 {
		f := tooLarge()
		u.failed.Store(f)
		return 0, f
	}
	// The transport closes what it does not want to send on; that is no failure of
	// the caller's.
	if err != nil && err != io.EOF && !errors.Is(err, http.ErrBodyReadAfterClose) {
		u.failed.Store(unreadable(err))
	}
	return n, err
}

func (u *upload) Close() error { return u.closer.Close() }

// read takes the request's body as far as it must be known. Exactly one of c.body
// and c.upload is set for a route that has a body.
func (p *Proxy) read(c *call, r *http.Request) error {
	if c.route.body == bodyNone && r.ContentLength == 0 {
		return nil
	}
	if r.ContentLength > p.bodies.max {
		return tooLarge()
	}
	if enc := strings.Join(r.Header["Content-Encoding"], ", "); enc != "" && !strings.EqualFold(enc, "identity") {
		return refuse(normalize.BadInput, "The request body is compressed (Content-Encoding: "+clip(enc, 32)+"). Send it uncompressed.", "content-encoding")
	}
	r.Body = &patient{
		ReadCloser: r.Body, patience: p.bodies.slow, http2: r.ProtoMajor == 2,
		deadline: http.NewResponseController(c.writer.ResponseWriter).SetReadDeadline,
	}
	if c.route.body == bodyNone {
		return skip(c, r.Body)
	}
	if err := p.hold(c, r); err != nil {
		return err
	}
	if c.body == nil {
		return nil
	}
	return p.understand(c, r)
}

// hold reads the body whole if it is JSON, by its first byte and not by its
// Content-Type (curl sends JSON as a form), or if it says at its end what it may
// cost, and leaves it to stream otherwise.
func (p *Proxy) hold(c *call, r *http.Request) error {
	b := &p.bodies
	size := r.ContentLength
	if size < 0 || size > smallBody {
		size = smallBody
	}
	h := &held{}
	if err := b.take(c, h, min(smallBody, b.max)); err != nil {
		return err
	}
	h.pooled = b.pool.Get().(*[]byte)
	data, n, err := *h.pooled, 0, error(nil)
	for int64(n) < size && err == nil && (!opensJSON(data[:n]) || binary(r.Header.Get("Content-Type"))) {
		// Of a recording or a form as much is read as says how long it is, in however many pieces it comes.
		var m int
		m, err = fill(c, r.Body, data[n:])
		n += m
	}
	if !opensJSON(data[:n]) && c.route.body == bodyAny && n > 0 && !p.tellsAtItsEnd(c, r.Header, data[:n]) {
		if err != nil && err != io.EOF {
			b.release(h)
			return unreadable(err)
		}
		// The few bytes read so far are copied: the pool gets its buffer back now.
		prefix := bytes.Clone(data[:n])
		c.upload = &upload{Reader: io.MultiReader(bytes.NewReader(prefix), r.Body), prefix: prefix, closer: r.Body, left: b.max}
		b.release(h)
		return nil
	}
	for err == nil && int64(n) <= b.max {
		if n == len(data) {
			if data, err = b.grow(c, h, data, r.ContentLength); err != nil {
				b.release(h)
				return err
			}
		}
		var m int
		m, err = fill(c, r.Body, data[n:])
		n += m
	}
	if int64(n) > b.max {
		b.release(h)
		return tooLarge()
	}
	if err != io.EOF {
		b.release(h)
		return unreadable(err)
	}
	h.data = data[:n]
	c.body = h
	return nil
}

// tellsAtItsEnd reports whether a body that is no JSON must be held to know what
// the call may cost: a form for a picture, whose figures may stand behind the
// pictures given, or Ogg, whose length stands in its last page. All else streams
// through.
func (p *Proxy) tellsAtItsEnd(c *call, header http.Header, prefix []byte) bool {
	if !c.metered {
		return false
	}
	price, known := c.price.Row, c.price.Known
	if bytes.HasPrefix(prefix, []byte("OggS")) {
		return !known || price.Task == quota.SpeechRecognition || price.Task == quota.VoiceActivity
	}
	return isForm(header.Get("Content-Type")) && (!known || price.Task == quota.TextToImage)
}

func isForm(contentType string) bool {
	const form = "multipart/"
	return len(contentType) >= len(form) && strings.EqualFold(contentType[:len(form)], form)
}

// grow moves a body that does not fit into a buffer of twice the size. What a
// caller declares is not believed before it is sent: memory is taken as it comes.
func (b *bodies) grow(c *call, h *held, data []byte, declared int64) ([]byte, error) {
	size := min(2*int64(len(data)), b.max+1)
	if declared >= int64(len(data)) {
		size = min(size, declared+1) // the read that finds the end needs a place to read into
	}
	if err := b.take(c, h, min(size, b.max)-h.room); err != nil {
		return nil, err
	}
	larger := make([]byte, size)
	copy(larger, data)
	if h.pooled != nil {
		b.pool.Put(h.pooled)
		h.pooled = nil
	}
	return larger, nil
}

// take takes n more bytes of room for a body, and waits for them.
func (b *bodies) take(c *call, h *held, n int64) error {
	r := fairshare.Request{Client: c.client, Limited: c.shares(), Amount: n, Held: h.room}
	if tenant := b.room.TryAcquire(r); tenant != nil {
		h.tenant = tenant
		h.room += n
		return nil
	}
	c.lap()
	result := b.room.Acquire(c.ctx, r)
	c.resume()
	switch result.Outcome {
	case fairshare.Granted:
		h.tenant = result.Tenant
		h.room += n
		return nil
	case fairshare.Canceled:
		return context.Cause(c.ctx)
	}
	b.metrics.Preempted("overload", metrics.ModeEnforce)
	what := "The request bodies held at once have reached this proxy's limit of"
	if result.OverShare {
		what = "The request bodies of your client have used up its share of what this proxy holds at once,"
	}
	return refuse(normalize.Overloaded, fmt.Sprintf("%s %s ({MAX_HELD}).", what, bytesText(b.room.Size())), "")
}

// firstByte returns the first byte that is no JSON space, 0 if there is none.
func firstByte(b []byte) byte {
	for _, c := range b {
		switch c {
		case ' ', '\t', '\n', '\r':
		default:
			return c
		}
	}
	return 0
}

func opensJSON(b []byte) bool {
	first := firstByte(b)
	return first == '{' || first == '['
}

// understand inspects a held body and completes what the path said of the call.
func (p *Proxy) understand(c *call, r *http.Request) error {
	found, err := inspect(c.body.data, c.route.nested)
	if err != nil {
		if wrong, ok := errors.AsType[*jsonscan.FieldError](err); ok {
			return refuse(normalize.BadInput, wrong.Text, wrong.Field)
		}
		if c.route.body == bodyAny && binary(r.Header.Get("Content-Type")) {
			return nil // a recording may begin with any byte
		}
		return refuse(normalize.IncompleteRequest, "Request is missing headers or body: the body is not a JSON object ("+err.Error()+").", "")
	}
	c.stream = found.Stream
	if c.queued {
		c.poll = measure.BatchID(c.body.data)
	}
	if found.inputEnd > 0 {
		c.body.input = c.body.data[found.input:found.inputEnd]
	}
	if c.route.model != modelInBody {
		return nil
	}
	if found.Model == "" {
		return refuse(normalize.IncompleteRequest, `Request is missing headers or body: the field "model" is missing.`, "model")
	}
	d := c.destination
	d.model = found.Model
	p.setTarget(c, d)
	return nil
}

// binary reports whether a Content-Type says that the body is no JSON whatever
// its first byte.
func binary(contentType string) bool {
	for _, prefix := range []string{"audio/", "image/", "video/", "application/octet-stream", "multipart/"} {
		if len(contentType) >= len(prefix) && strings.EqualFold(contentType[:len(prefix)], prefix) {
			return true
		}
	}
	return false
}

func tooLarge() *normalize.Failure {
	return refuse(normalize.RequestTooLarge, "", "")
}

// unreadable says that the caller's body broke off, stood still, or was malformed
// on the wire.
func unreadable(err error) *normalize.Failure {
	why := "the body could not be read to its end."
	if slow, ok := errors.AsType[*errSlow](err); ok {
		why = slow.how + "."
	}
	f := refuse(normalize.IncompleteRequest, "Request is missing headers or body: "+why, "")
	f.Err = err
	return f
}

// bytesText is a size for people, in the units of the configuration.
func bytesText(n int64) string {
	for _, u := range []struct {
		size int64
		name string
	}{{1 << 30, "GiB"}, {1 << 20, "MiB"}, {1 << 10, "KiB"}} {
		if n >= u.size && n%u.size == 0 {
			return strconv.FormatInt(n/u.size, 10) + " " + u.name
		}
	}
	return strconv.FormatInt(n, 10) + " bytes"
}
