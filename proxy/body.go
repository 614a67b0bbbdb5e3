package proxy

import (
	"bytes"
	"cmp"
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/neuronward/neuronward/normalize"
	"github.com/neuronward/neuronward/proxy/bodybuffer"
	"github.com/neuronward/neuronward/proxy/jsonscan"
	"github.com/neuronward/neuronward/proxy/measure"
	"github.com/neuronward/neuronward/proxy/routing"
	"github.com/neuronward/neuronward/proxy/timelimit"
	"github.com/neuronward/neuronward/quota/workload"
)

// read reads the request's body as far as it must be known, and returns the model that it names where its route has the
// model there. Exactly one of c.body and c.upload is set for a route that has a body.
func (b *bodies) read(c *call, r *http.Request) (model string, err error) {
	if c.Route.Body == routing.BodyNone && r.ContentLength == 0 {
		return "", nil
	}
	if r.ContentLength > b.max {
		return "", tooLarge()
	}
	if enc := strings.Join(r.Header["Content-Encoding"], ", "); enc != "" && !strings.EqualFold(enc, "identity") {
		return "", refuse(normalize.BadInput, "The request body is compressed (Content-Encoding: "+clip(enc, 32)+
			"). Send it uncompressed.", "content-encoding")
	}
	c.unread.Limit(c.writer.ResponseWriter, r, b.slowest)
	c.intake = intake{bodies: b, call: c, src: r.Body}
	if c.Route.Body == routing.BodyNone {
		return "", drainBody(&c.intake)
	}
	if err := b.buffer(c, r); err != nil || c.body == nil {
		return "", err
	}
	return b.understand(c, r)
}

// maxUnread bounds the body of a call that needs none, in bytes.
const maxUnread = 16 << 10

// drainBody reads the body of a call that needs none: net/http would wait for it before the answer, for as long as the
// caller likes.
func drainBody(src io.Reader) error {
	switch _, err := io.CopyN(io.Discard, src, maxUnread); err {
	case nil:
		return tooLarge()
	case io.EOF:
		return nil
	default:
		return err
	}
}

// buffer reads the body whole if it is JSON, by its first byte and not by its Content-Type (curl sends JSON as a form),
// or if only its end says what the call may cost. Otherwise it leaves the body to stream through, and reads only its
// beginning.
func (b *bodies) buffer(c *call, r *http.Request) error {
	body := b.pool.NewBody(&c.intake, r.ContentLength)
	head, err := body.Grow()
	if err != nil {
		return err
	}
	// Of a recording or a form as much is read as says how long it is, in however many pieces it comes.
	want, n := len(head), 0
	if r.ContentLength >= 0 {
		want = int(min(r.ContentLength, int64(want)))
	}
	for n < want && err == nil && (!opensJSON(head[:n]) || binary(r.Header.Get("Content-Type"))) {
		var m int
		m, err = c.intake.Read(head[n:])
		n += m
	}
	_, begun := jsonscan.FirstByte(head[:n])
	blank := n == len(head) && !begun // JSON may follow
	other := c.Route.Body == routing.BodyAny && n > 0 && !blank && !opensJSON(head[:n])
	if other && !c.measuredByEnd(r.Header, head[:n]) {
		defer body.Release()
		switch {
		case c.takesJSONOnly():
			return notJSON("models of this task take nothing else")
		case jsonscan.UTF16(head[:n]):
			return notJSON("it is UTF-16; send UTF-8")
		}
		if c.queued {
			return refuse(normalize.BadInput, "A batch is a JSON object with the field \"requests\".", "requests")
		}
		if err != nil && err != io.EOF {
			return err
		}
		// The few bytes read so far are copied: the pool gets its buffer back now.
		prefix := bytes.Clone(head[:n])
		c.upload = &upload{
			Reader: io.MultiReader(bytes.NewReader(prefix), r.Body), prefix: prefix, closer: r.Body, left: b.max,
		}
		return nil
	}
	switch err = body.ReadRest(&c.intake, int64(n), err); err {
	case nil:
		c.body = body
		return nil
	case bodybuffer.ErrTooLarge:
		err = tooLarge()
	case bodybuffer.ErrLonger:
		err = unreadable(err)
	}
	body.Release()
	return err
}

// measuredByEnd reports whether a body that is no JSON must be buffered to know what the call may cost: a form, whose
// figures and sound may stand behind something else, or a recording that says how long it is nowhere but in its frames.
// All else streams through.
func (c *call) measuredByEnd(header http.Header, prefix []byte) bool {
	if !c.metered || jsonscan.UTF16(prefix) {
		return false
	}
	price, known := c.price.Row, c.price.Known
	heard := !known || price.Task == workload.SpeechRecognition || price.Task == workload.VoiceActivity
	if isForm(header.Get("Content-Type")) {
		return heard || price.Task == workload.TextToImage
	}
	return heard && measure.NeedsWhole(prefix)
}

func isForm(contentType string) bool {
	const form = "multipart/"
	return len(contentType) >= len(form) && strings.EqualFold(contentType[:len(form)], form)
}

// opensJSON reports whether a body begins as JSON does. A byte order mark and space in front do not count.
func opensJSON(b []byte) bool {
	first, _ := jsonscan.FirstByte(b)
	return first == '{' || first == '['
}

// takesJSONOnly reports whether the model of the call reads text: what is no JSON is none of its calls. The
// models that are not known, and those of sound and pictures, take other bodies as well.
func (c *call) takesJSONOnly() bool {
	switch cmp.Or(c.price.Task, c.Route.Task) {
	case workload.TextGeneration, workload.TextEmbeddings, workload.TextClassification, workload.Translation,
		"summarization",
		"reranking", "text-reranking":
		return true
	}
	return false
}

// understand scans a buffered body and completes what the path said of the call.
func (b *bodies) understand(c *call, r *http.Request) (model string, err error) {
	found, err := measure.Scan(c.body.Text(), measure.Options{
		Protocol: c.Route.Protocol, Nested: c.Route.Nested, InputOnly: c.Route.Nested && b.gateway,
		Count: b.count, FindUnlimited: b.limits, Model: c.price.Name, Enough: b.enough, Kinds: c.body.Kinds(),
	})
	if err != nil {
		if wrong, ok := errors.AsType[*jsonscan.FieldError](err); ok {
			return "", refuse(normalize.BadInput, wrong.Text, wrong.Field)
		}
		text := c.body.Text()
		recording := binary(r.Header.Get("Content-Type")) || len(text) > 0 && measure.NeedsWhole(text[0])
		takesAny := c.Route.Body == routing.BodyAny && !c.takesJSONOnly() && !c.queued
		if takesAny && recording && !jsonscan.OpensObject(text) {
			return "", nil // it may begin with any byte
		}
		return "", notJSON(err.Error())
	}
	c.json, c.stream = found, found.Stream
	if c.Route.Native() {
		c.batchID = found.RequestID()
		if c.queued && found.Polls() {
			c.poll = c.batchID
		}
	}
	if c.Route.Model != routing.ModelInBody {
		return "", nil
	}
	if found.Model == "" {
		return "", refuse(normalize.IncompleteRequest,
			`Request is missing headers or body: the field "model" is missing.`, "model")
	}
	return found.Model, nil
}

func notJSON(why string) *normalize.Failure {
	return refuse(normalize.IncompleteRequest,
		"Request is missing headers or body: the body is not a JSON object ("+why+").", "")
}

// measured describes the call for the estimator.
func (b *bodies) measured(c *call) workload.Request {
	if c.json != nil {
		return c.json.RequestAs(contentType(c.inbound.Header), c.price.Task)
	}
	length := c.inbound.ContentLength
	var prefix jsonscan.Pieces
	switch {
	case c.body != nil:
		prefix, length = c.body.Text(), c.body.Size()
	case c.upload != nil:
		prefix = jsonscan.Pieces{c.upload.prefix}
	}
	if length < 0 {
		length = b.max
	}
	return measure.Media(c.price.Task, contentType(c.inbound.Header), prefix, length)
}

// contentType returns all that a request says of its body's type: upstream may go by any of it.
func contentType(h http.Header) string { return strings.Join(h["Content-Type"], ", ") }

// binary reports whether a Content-Type says that the body is no JSON whatever its first byte.
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

// unreadable says that the caller's body ended early, came too slowly, or was malformed on the wire.
func unreadable(err error) *normalize.Failure {
	why := "the body could not be read to its end."
	if slow, ok := errors.AsType[*timelimit.SlowError](err); ok {
		why = "nothing more of the body came for " + durationText(slow.Pause) + "."
		if slow.Behind {
			why = "the body came too slowly, at less than " + bytesText(slow.Rate) + " a second."
		}
	}
	f := refuse(normalize.IncompleteRequest, "Request is missing headers or body: "+why, "")
	f.Err = err
	return f
}
