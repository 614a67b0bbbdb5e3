package measure

import (
	"errors"
	"sync"

	"github.com/neuronward/neuronward/normalize"
	"github.com/neuronward/neuronward/proxy/jsonscan"
	"github.com/neuronward/neuronward/quota/workload"
)

// Options say how a JSON body is understood.
type Options struct {
	Protocol  normalize.Protocol
	Nested    bool // the parameters stand in the field "input", the model beside it
	InputOnly bool // with Nested: only the value of "input" is sent to upstream and measured, as if it were the body
	Count     bool // the tokens of the text are counted, too

	Kinds []jsonscan.Kind // of the pieces of the text, as far as they are known

	// Model is the one that the path names; "": the body does. Enough returns how many tokens of a prompt a model's
	// estimate depends on; 0: on all of them. What has more is left uncounted. nil: all is counted.
	Model  string
	Enough func(model string) int64

	FindUnlimited bool // find the calls that name no limit of output tokens
}

// JSON is what one pass over a JSON body finds.
type JSON struct {
	Model  string // "": none is named
	Stream bool   // a stream is asked for

	// Input is where the object in the field "input" lies, with Options.Nested. Both are 0 if there is none.
	InputFrom, InputTo int64

	// Limit is the limit of output tokens by which Request measures the calls that name none; 0: none.
	Limit int64

	text      jsonscan.Pieces
	found     findings
	busy      rejection
	requestID span // of the member "request_id", if it is a string and not empty
	hasWork   bool // there are members that no poll of a batch has
	places    []place
}

// Memory that is not in use: *JSON and *reader.
var jsons, readers sync.Pool //nolint:gochecknoglobals // all calls share it

// A span is a part of the text. The zero value is no part of it.
type span struct{ from, to int64 }

// Scan reads a JSON object in one pass and checks all of it. The error is a *jsonscan.FieldError for a body that is
// JSON but not acceptable; with any other the body is no JSON object.
//
// Names are compared unescaped and case-sensitively, as upstream compares them. A field that decides about the call is
// refused if it is given twice: parsers disagree on which one counts, and a price or a list of models must not rest on
// the other one.
//
// The text must stay as it is while the JSON is in use.
func Scan(text jsonscan.Pieces, o Options) (*JSON, error) {
	j, _ := jsons.Get().(*JSON)
	if j == nil {
		j = new(JSON)
	}
	j.text = text
	r := newReader(o, j)
	defer r.release()
	r.SkipBlank()
	switch {
	case r.Offset() == text.Len():
		return nil, errors.New("the body is empty")
	case r.Peek() != '{':
		return nil, errors.New("the body must be a JSON object")
	}
	top := scope{inspected: true, inspectInput: o.Nested, top: true, namesBatch: true, options: &j.busy.body}
	read := r.body
	if o.Nested && o.InputOnly {
		read = r.wrapper
	}
	if err := read(&j.found, top); err != nil {
		return nil, err
	}
	if err := r.End(); err != nil {
		return nil, err
	}
	return j, nil
}

// Release gives back the memory of a JSON, which must not be used any longer. The nil JSON has none.
func (j *JSON) Release() {
	if j != nil {
		*j = JSON{}
		jsons.Put(j)
	}
}

// Request returns the measurement for a model of the given task, "" for a model that is not known.
func (j *JSON) Request(task workload.Task) workload.Request {
	return j.found.request(task, j.text, j.Limit)
}

// Batch reports whether the body has the requests of a batch.
func (j *JSON) Batch() bool { return j.found.requests }

// Polls reports whether the body does nothing but ask for the batch of RequestID.
func (j *JSON) Polls() bool { return !j.hasWork && j.RequestID() != "" }

// RequestID returns the id of the batch that a body names, whatever else it says; "" where it names none.
func (j *JSON) RequestID() string {
	if j.requestID == (span{}) {
		return ""
	}
	id, err := jsonscan.Unquote(j.text.Bytes(j.requestID.from, j.requestID.to))
	if err != nil {
		return ""
	}
	return id
}

// A reader reads one body.
type reader struct {
	jsonscan.Scanner
	Options
	j       *JSON
	counter counter            // of the object that is measured
	tap     func(piece []byte) // count, of this reader
}

// newReader returns a reader of what j has as its text.
func newReader(o Options, j *JSON) *reader {
	r, _ := readers.Get().(*reader)
	if r == nil {
		r = new(reader)
		r.tap = r.count
	}
	r.Scanner, r.Options, r.j = jsonscan.New(j.text), o, j
	r.Scanner.Kinds = o.Kinds
	if o.Count {
		r.Tap = r.tap
	}
	return r
}

// release gives back the memory of r, which keeps nothing of the text.
func (r *reader) release() {
	*r = reader{tap: r.tap}
	readers.Put(r)
}

func (r *reader) native() bool { return r.Protocol == normalize.ProtocolNative }

// A scope says what the fields of an object mean.
type scope struct {
	inspected    bool  // its "model" and "stream" count
	inspectInput bool  // that holds for its "input", too
	top          bool  // it is the body
	namesBatch   bool  // its "request_id" names a batch
	options      *bool // gets "rejectIfBusy" of its "options"; nil: nobody asks
}

// body reads the object that is the body and measures it.
func (r *reader) body(f *findings, at scope) error {
	start := r.Offset()
	r.Flush()
	outer := r.counter
	r.counter = newCounter(r.Options, f.inBatch)
	err := r.object(f, at)
	r.Flush()
	f.PromptTokens = r.counter.tokens()
	r.counter = outer
	f.finish(r.Offset()-start, r.Protocol)
	r.noteUnlimited(f)
	return err
}

// wrapper reads a body of which only the object in "input" is sent to upstream and measured.
func (r *reader) wrapper(f *findings, at scope) error {
	seen := repeated(0)
	return r.Object(func(name []byte) error {
		if err := seen.add(name); err != nil {
			return err
		}
		switch string(name) {
		case "model":
			return r.model()
		case "stream":
			return r.stream()
		case "request_id":
			r.j.hasWork = true // it is not sent: the call is no poll
			return r.batchID()
		case "input":
			if r.Peek() == '{' {
				return r.within(func() error {
					return r.body(f, scope{inspected: true, top: true, namesBatch: true, options: at.options})
				})
			}
		}
		return r.Skip()
	})
}

// within reads the object in "input" and notes where it lies. Its parameters may nest as deep as those of a body
// without "input".
func (r *reader) within(read func() error) error {
	r.j.InputFrom = r.Offset()
	r.Depth--
	err := read()
	r.Depth++
	r.j.InputTo = r.Offset()
	return err
}

// model reads the name of the model.
func (r *reader) model() error {
	start, isString := r.Offset(), r.Peek() == '"'
	if err := r.Skip(); err != nil {
		return err
	}
	if !isString {
		return &jsonscan.FieldError{
			Field: "model", Text: `The field "model" must be a string such as "@cf/meta/llama-3.1-8b-instruct-fp8".`,
		}
	}
	model, err := jsonscan.Unquote(r.Since(start))
	if err != nil {
		return err
	}
	if r.j.Model != "" && r.j.Model != model {
		return &jsonscan.FieldError{
			Field: "model", Text: `The body names two models, in "model" and in "input"; name one.`,
		}
	}
	r.j.Model = model
	return nil
}

// stream reads whether a stream is asked for. A value of another type is left for upstream to refuse, in its own words.
func (r *reader) stream() error {
	r.j.Stream = r.j.Stream || r.Peek() == 't'
	return r.Skip()
}

// batchID reads the id of a batch.
func (r *reader) batchID() error {
	start, first := r.Offset(), r.Peek()
	if err := r.Skip(); err != nil {
		return err
	}
	switch end := r.Offset(); {
	case r.native() && first != '"' && first != 'n':
		return &jsonscan.FieldError{Field: "request_id", Text: `The field "request_id" must be a string.`}
	case r.j.requestID != (span{}):
		return givenTwice("request_id")
	case first == '"' && end-start > 2:
		r.j.requestID = span{start, end}
	}
	return nil
}
