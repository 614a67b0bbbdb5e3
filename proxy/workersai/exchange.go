package workersai

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/neuronward/neuronward/quota"
)

// exchange is one request and what becomes of it.
type exchange struct {
	s   *Simulator
	w   http.ResponseWriter
	r   *http.Request
	now time.Time
	id  string // cf-ai-req-id
	ray string

	route     route
	directive directive
	scripted  Answer
	session   *session
	asked     string // the model that was asked for
	model     model
	body      []byte
	in        fields // the body as an object, with the input of POST run unwrapped; nil if it is none
	streams   bool

	reached  bool  // a model has worked on it
	reply    reply // of a text model
	settled  bool
	usage    usage
	neurons  quota.Neurons
	noHeader bool // cf-ai-neurons is not sent
	failed   bool // it was made to fail, and billed
	logged   bool // in the log of its session
}

func (s *Simulator) begin(w http.ResponseWriter, r *http.Request) *exchange {
	id, ray := s.newIDs()
	h := w.Header()
	h.Set("Server", "cloudflare")
	h.Set("cf-ray", ray)
	return &exchange{s: s, w: w, r: r, now: s.o.Now(), id: id, ray: ray, session: &s.common}
}

// serve answers the request, or returns why not.
func (x *exchange) serve() *failure {
	if asksRealTime(x.r) {
		return x.serveRealTime()
	}
	rt, ok := findRoute(x.r)
	x.route = rt
	if !ok {
		f := refuse(7003)
		w, _ := findWire(7000)
		f.also = []wire{w}
		return f
	}
	if !rt.allows(x.r.Method) {
		f := refuse(7001)
		f.allow = strings.ReplaceAll(rt.methods, " ", ", ")
		return f
	}
	if f := x.authenticate(); f != nil {
		return f
	}
	var err error
	if x.directive, err = parseDirective(x.r.Header.Values(SimulateHeader)); err != nil {
		return refuseText(5006, "x-simulate: %v", err)
	}
	if x.directive.differs != nil {
		x.w = differingWriter{x.w, x}
	}
	if f := x.readBody(); f != nil {
		return f
	}
	name, f := x.modelName()
	if f != nil {
		return f
	}
	x.asked = name
	if f := x.script(name); f != nil {
		return f
	}
	x.session = x.s.session(x.directive.session)
	if x.directive.resetDay {
		x.session.day.reset()
		if x.directive.session == "" {
			x.s.spent.reset()
		}
	}
	if done, f := x.simulate(name); done || f != nil {
		return f
	}
	if rt.read != "" {
		return x.serveRead()
	}
	if f := x.admit(name); f != nil {
		return f
	}
	return x.infer()
}

// authenticate checks what the caller shows.
func (x *exchange) authenticate() *failure {
	if want := x.s.o.GatewayToken; want != "" && x.route.gateway != "" &&
		x.r.Header.Get("cf-aig-authorization") != "Bearer "+want {
		return refuse(2009)
	}
	if want := x.s.o.Token; want != "" {
		got := x.r.Header.Get("Authorization")
		switch scheme, token, _ := strings.Cut(got, " "); {
		case got == "":
			return refuse(9106)
		case !strings.EqualFold(scheme, "Bearer") || token == "":
			return refuse(6003)
		case token == x.s.o.AnalyticsToken && (x.route.read == "graphql" || x.route.read == "tokens/verify"):
		case token != want && x.route.read == "tokens/verify":
			return invalidToken()
		case token != want:
			return refuse(10000)
		}
	}
	if want := x.s.o.Account; want != "" && x.route.account != want && !x.route.everywhere {
		f := refuse(10000)
		f.status = http.StatusForbidden
		return f
	}
	return nil
}

// byteOrderMark may stand before JSON: Workers AI skips it, as every decoder of
// UTF-8 text in browsers does.
const byteOrderMark = "\ufeff"

// readBody reads the body whole and, if it is a JSON object whatever its
// Content-Type says, its fields.
func (x *exchange) readBody() *failure {
	var err error
	x.body, err = io.ReadAll(http.MaxBytesReader(x.w, x.r.Body, x.s.o.MaxBody))
	if tooLong := (*http.MaxBytesError)(nil); errors.As(err, &tooLong) {
		return refuse(3006)
	}
	if err != nil {
		return refuse(3003)
	}
	trimmed := bytes.TrimLeft(bytes.TrimPrefix(x.body, []byte(byteOrderMark)), " \t\r\n")
	if len(trimmed) == 0 || trimmed[0] != '{' {
		return nil
	}
	if err := json.Unmarshal(trimmed, &x.in); err != nil {
		return refuseText(5006, "Bad input: SyntaxError: %v", err)
	}
	return nil
}

// modelName returns the model that the path or the body names, "" for reads.
func (x *exchange) modelName() (string, *failure) {
	if x.route.surface == surfaceNone {
		return "", nil
	}
	if len(x.body) == 0 {
		return "", refuse(3003)
	}
	if x.route.model != "" {
		return x.route.model, nil
	}
	if x.in == nil {
		return "", badInput("Type mismatch of '/', '%s' not in 'object'", kindOf(x.body))
	}
	name, ok, f := x.in.text("model")
	if f != nil {
		return "", f
	}
	if !ok || name == "" {
		return "", badInput("required properties at '/' are 'model'")
	}
	if x.route.compat {
		name = strings.TrimPrefix(name, "workers-ai/")
	}
	if x.route.surface == surfaceNative {
		input, f := x.in.object("input")
		if f != nil {
			return "", f
		}
		if input != nil {
			x.in = input
		}
	}
	return name, nil
}

// admit refuses what Workers AI would refuse before a model is asked.
func (x *exchange) admit(name string) *failure {
	m, ok := x.s.models[name]
	if !ok {
		return refuseText(5007, "No such model: No such model %s or task", name)
	}
	x.model = m
	if target := m.price.AliasedTo; target != "" {
		x.model = x.s.models[target]
	} else if m.price.Deprecated(x.now) {
		return refuseText(5028, "Model has been deprecated: %s was deprecated on %s. Please use an alternative model.",
			name, m.price.DeprecatedOn)
	}
	switch {
	case x.model.price.RequiresWorkersPaid && x.s.o.Plan == PlanFree:
		return refuse(5035)
	case x.queued() && x.in.has("request_id"):
		return nil // asking for a result is no call
	case !x.session.pace.admit(x.now, x.model.name, x.model.task):
		return refuse(3021)
	case x.session.day.spent(x.now):
		return refuse(4006)
	}
	return nil
}

// spend bills the call. It may be called again as a stream goes on.
func (x *exchange) spend(n quota.Neurons) {
	x.reached, x.neurons = true, n
}

// settle counts the call once, before its last bytes are sent, so that whoever
// has read the whole answer sees it counted.
func (x *exchange) settle() {
	if !x.reached || x.settled {
		return
	}
	x.settled = true
	s := x.s
	aborted := x.r.Context().Err() != nil
	if aborted && x.streams {
		x.billCancelled()
	}
	s.calls.Add(1)
	s.billed.Add(int64(x.neurons))
	x.session.day.add(x.now, x.neurons)
	x.figure(aborted && x.streams)
	if s.o.OnCall != nil {
		s.o.OnCall(x.call())
	}
	x.log(0)
}

// answer writes v as the answer of a model.
func (x *exchange) answer(v any) *failure {
	x.w.Header().Set("Content-Type", "application/json")
	return x.answerRaw(compact(v))
}

// answerRaw writes the answer of a model whose Content-Type is set.
func (x *exchange) answerRaw(body []byte) *failure {
	x.settle()
	h := x.w.Header()
	h.Set("cf-ai-req-id", x.id)
	if neurons := x.header(); neurons != "" && !x.noHeader {
		h.Set("cf-ai-neurons", neurons)
	}
	body = x.tell(body)
	switch x.directive.stream {
	case breakCut, breakHalf:
		h.Set("Content-Length", strconv.Itoa(len(body)))
		x.w.WriteHeader(http.StatusOK)
		_, _ = x.w.Write(body[:len(body)/2])
		_ = http.NewResponseController(x.w).Flush()
		panic(http.ErrAbortHandler)
	}
	x.write(http.StatusOK, body)
	return nil
}

func (x *exchange) write(status int, body []byte) {
	x.w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	x.w.WriteHeader(status)
	_, _ = x.w.Write(body) // a caller who has gone needs no answer
}

// newIDs returns a request id and a ray, different in each call and the same
// from run to run.
func (s *Simulator) newIDs() (id, ray string) {
	n := s.ids.Add(1)
	a, b, c := mix(s.o.Seed, n), mix(s.o.Seed, n+1<<40), mix(s.o.Seed, n+2<<40)
	id = fmt.Sprintf("%08x-%04x-4%03x-%04x-%012x", uint32(a), uint16(a>>32), uint16(a>>48)&0xfff,
		uint16(b)&0x3fff|0x8000, b>>16)
	return id, fmt.Sprintf("%016x-SIM", c)
}

// mix is a well-spread hash of two numbers (splitmix64).
func mix(seed, n uint64) uint64 {
	z := seed + n*0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}
