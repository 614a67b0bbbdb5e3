package workersai

import (
	"cmp"
	"encoding/json"
	"net/http"
	"slices"
	"sync"
)

const (
	maxSessions    = 64 // the one that was used longest ago goes first
	maxSessionName = 100
	maxLogged      = 200     // calls of a session that are remembered, the last ones
	maxLoggedBody  = 8 << 10 // bytes of the body of each
)

// session is a part of the account that is alone with its calls: x-simulate names
// it, and what calls without a name have in common is one as well.
type session struct {
	day   allocation
	pace  pace
	times tally

	mu    sync.Mutex
	calls []Call
}

func (s *Simulator) newSession() *session {
	v := &session{}
	v.day.limit, v.pace.limits = s.common.day.limit, s.o.PerMinute
	return v
}

// sessions are those that have names.
type sessions struct {
	mu     sync.Mutex
	byName map[string]*session
	order  []string // the one used last comes last
}

// session returns the one of this name, "" for the common one. It is made where there is none.
func (s *Simulator) session(name string) *session {
	if name == "" {
		return &s.common
	}
	v := &s.sessions
	v.mu.Lock()
	defer v.mu.Unlock()
	if i := slices.Index(v.order, name); i >= 0 {
		v.order = append(slices.Delete(v.order, i, i+1), name)
		return v.byName[name]
	}
	if len(v.order) >= maxSessions {
		delete(v.byName, v.order[0])
		v.order = v.order[1:]
	}
	if v.byName == nil {
		v.byName = make(map[string]*session)
	}
	v.byName[name], v.order = s.newSession(), append(v.order, name)
	return v.byName[name]
}

// SessionCalls returns the calls of a session of x-simulate, those that failed as
// well, in the order in which they were answered: the last 200. A session that has
// not been used for long has none.
func (s *Simulator) SessionCalls(name string) []Call {
	s.sessions.mu.Lock()
	v := s.sessions.byName[name]
	s.sessions.mu.Unlock()
	if v == nil {
		return nil
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	return slices.Clone(v.calls)
}

// log remembers the call, once, with the number of the failure that it is answered with, 0 for none.
func (x *exchange) log(code int) {
	if x.directive.session == "" || x.logged || x.route.surface == surfaceNone {
		return
	}
	x.logged = true
	call := x.call()
	call.Code = code
	call.Body = clip(string(x.body[:min(len(x.body), maxLoggedBody+1)]), maxLoggedBody)
	v := x.session
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.calls) >= maxLogged {
		v.calls = slices.Delete(v.calls, 0, 1)
	}
	v.calls = append(v.calls, call)
}

// call is what the call has come to so far, but for its body.
func (x *exchange) call() Call {
	return Call{
		Model: cmp.Or(x.model.name, x.asked), Task: x.model.task, Path: x.r.URL.EscapedPath(), Stream: x.streams,
		Aborted: x.r.Context().Err() != nil, Failed: x.failed,
		Input: x.usage.Prompt, Cached: x.usage.Details.Cached, Output: x.usage.Completion, Neurons: x.neurons,
		Session: x.directive.session, Traceparent: x.r.Header.Get("Traceparent"),
	}
}

// loggedCall is a Call as the log of a session shows it.
type loggedCall struct {
	Model   string          `json:"model"`
	Task    string          `json:"task"`
	Path    string          `json:"path"`
	Stream  bool            `json:"stream"`
	Aborted bool            `json:"aborted"`
	Code    int             `json:"code"` // of the failure; 0: none
	Input   int64           `json:"input_tokens"`
	Cached  int64           `json:"cached_tokens"`
	Output  int64           `json:"output_tokens"`
	Neurons float64         `json:"neurons"`
	Body    json.RawMessage `json:"body"` // a text where it is no JSON, or was too long

	Traceparent string `json:"traceparent,omitempty"`
}

// CallsPath is where the log of a session's calls can be read:
// GET /__simulate/calls?session=NAME. It needs no token.
const CallsPath = "/__simulate/calls"

// serveCalls answers CallsPath.
func (s *Simulator) serveCalls(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	name := r.URL.Query().Get("session")
	if r.Method != http.MethodGet || name == "" {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write([]byte(`{"error":{"message":"GET ` + CallsPath + `?session=NAME"}}` + "\n"))
		return
	}
	calls := []loggedCall{}
	for _, c := range s.SessionCalls(name) {
		body := json.RawMessage(c.Body)
		if !json.Valid(body) {
			body = compact(c.Body)
		}
		calls = append(calls, loggedCall{
			Model: c.Model, Task: string(c.Task), Path: c.Path, Stream: c.Stream, Aborted: c.Aborted, Code: c.Code,
			Input: c.Input, Cached: c.Cached, Output: c.Output, Neurons: c.Neurons.Float(), Body: body,
			Traceparent: c.Traceparent,
		})
	}
	_, _ = w.Write(append(compact(struct {
		Session string       `json:"session"`
		Calls   []loggedCall `json:"calls"`
	}{name, calls}), '\n'))
}
