package workersai

import (
	"encoding/json"
	"net/http"
	"strconv"
)

// doneMark is the data of the last event of an OpenAI or native stream.
var doneMark = []byte("[DONE]")

// stream writes server-sent events and breaks where x-simulate says so. Its
// methods report whether the stream goes on.
type stream struct {
	x    *exchange
	rc   *http.ResponseController
	sent int
	buf  []byte
}

func (x *exchange) openStream() *stream {
	h := x.w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-cache")
	h.Set("cf-ai-req-id", x.id)
	if neurons := x.header(); neurons != "" {
		h.Set("cf-ai-neurons", neurons)
	}
	x.w.WriteHeader(http.StatusOK)
	return &stream{x: x, rc: http.NewResponseController(x.w)}
}

// event sends one event of v; name is its event: line, "" sends none.
func (st *stream) event(name string, v any) bool {
	return st.send(name, compact(v))
}

// send is event with data as it stands.
func (st *stream) send(name string, data []byte) bool {
	data = st.x.tell(data)
	if d := &st.x.directive; d.stream != breakNone && st.sent >= d.after {
		st.interrupt(name, data)
		return false
	}
	if st.sent > 0 && !st.x.wait(st.x.perToken()) {
		return false
	}
	st.buf = appendEvent(st.buf[:0], name, data)
	if !st.flush(st.buf) {
		return false
	}
	st.sent++
	return true
}

// done ends an OpenAI or native stream.
func (st *stream) done() {
	st.end("", doneMark)
}

// last ends a stream with an event of its protocol.
func (st *stream) last(name string, v any) {
	st.end(name, compact(v))
}

// end sends the last event, without waiting. A break that has not come yet comes
// now, so that a stream with a break never looks complete.
func (st *stream) end(name string, data []byte) {
	data = st.x.tell(data)
	if st.x.directive.stream != breakNone {
		st.interrupt(name, data)
		return
	}
	st.x.settle()
	st.flush(appendEvent(nil, name, data))
}

// flush writes b and pushes it out. A caller who has gone ends the stream.
func (st *stream) flush(b []byte) bool {
	if _, err := st.x.w.Write(b); err != nil {
		return false
	}
	_ = st.rc.Flush() // a recorder has nothing to flush
	return st.x.r.Context().Err() == nil
}

// interrupt breaks the stream before the event of data.
func (st *stream) interrupt(name string, data []byte) {
	x := st.x
	if x.directive.stream == breakFail && st.sent == 0 && !x.s.o.Billing.Failed {
		x.spendTokens(0, 0, 0) // it was refused before anything was made
	}
	if x.directive.stream == breakFail {
		x.log(x.directive.failure.number)
	}
	x.settle()
	switch x.directive.stream {
	case breakFail:
		x.failEvent(st)
		return
	case breakEnd:
		return
	case breakHalf:
		half := appendEvent(nil, name, data)
		st.flush(half[:len(half)/2])
	case breakIdle:
		_ = st.rc.Flush()
		x.hang()
	}
	_ = st.rc.Flush()
	panic(http.ErrAbortHandler)
}

// failEvent sends the failure of x-simulate as an event.
func (x *exchange) failEvent(st *stream) {
	f := &x.directive.failure
	form, name := f.shape, ""
	if form == shapeUsual {
		form = shapeV4
		switch {
		case x.route.surface == surfaceMessages:
			form = shapeAnthropic
		case x.route.gateway != "":
			form = shapeFlat
		}
	}
	switch {
	case form == shapeAnthropic:
		name = "error"
	case x.route.surface == surfaceResponses && f.shape == shapeUsual:
		code := strconv.Itoa(f.number)
		st.flush(appendEvent(nil, "error", compact(responsesError{
			Type: "error", Code: &code, Message: "AiError: AiError: " + x.says(f.wire) + " (" + x.id + ")",
			Sequence: st.sent,
		})))
		return
	}
	st.flush(appendEvent(nil, name, x.failureBody(f, form)))
	if form == shapeNested { // as captured
		st.flush([]byte("data: [DONE]\n\n"))
	}
}

func appendEvent(dst []byte, name string, data []byte) []byte {
	if name != "" {
		dst = append(append(append(dst, "event: "...), name...), '\n')
	}
	dst = append(dst, "data: "...)
	for _, c := range data { // an HTML body has lines
		if dst = append(dst, c); c == '\n' {
			dst = append(dst, "data: "...)
		}
	}
	return append(dst, "\n\n"...)
}

// responsesError is the error event of a Responses stream.
type responsesError struct {
	Type     string          `json:"type"`
	Code     *string         `json:"code"`
	Message  string          `json:"message"`
	Param    json.RawMessage `json:"param"`
	Sequence int             `json:"sequence_number"`
}
