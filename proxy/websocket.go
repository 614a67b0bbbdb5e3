package proxy

import (
	"bufio"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net"
	"net/http"
	"net/url"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/neuronward/neuronward/normalize"
	"github.com/neuronward/neuronward/proxy/fairshare"
	"github.com/neuronward/neuronward/proxy/guard"
	"github.com/neuronward/neuronward/proxy/headers"
	"github.com/neuronward/neuronward/proxy/websocket"
)

// A session is what is known of a call that asks to switch to WebSocket.
type session struct {
	query    string // as it goes upstream
	protocol string // that the caller is told, where upstream chooses none; "": none
	socket   *websocket.Session
	charge   *guard.Session
	place    *fairshare.Tenant // that holds its place among the sessions; nil: it has none
	report   *websocket.Report // nil: it has not ended, or never switched
}

// finishTime is how long upstream may take to finish a session that must end.
const finishTime = 3 * time.Second

// checkSession refuses a session with a model that takes none, and prepares the others.
func (p *Proxy) checkSession(c *call, r *http.Request) error {
	if c.Route == nil || !c.Route.Session {
		return nil
	}
	if !c.price.WebSocket {
		return refuse(normalize.RouteNotProxied, "The model "+c.modelText+" does not take WebSocket connections. "+
			"Those of Workers AI that do: "+strings.Join(p.realTime(), ", ")+".", "model")
	}
	query := r.URL.RawQuery
	switch outbound := p.forward.upstream.Gateway; {
	case outbound && !c.OfGateway:
		if r.URL.Query().Has("model") {
			return refuse(normalize.BadInput, "The path names the model; the query must not.", "model")
		}
		query = strings.TrimSuffix("model="+c.Model+"&"+query, "&")
	case c.OfGateway && !outbound:
		query = headers.CutQuery(query, func(name, _ string) bool { return name == "model" })
	}
	c.stream = true
	c.session = &session{query: query}
	if err := p.acquireSession(c); err != nil {
		return err
	}
	if protocols := r.Header["Sec-Websocket-Protocol"]; len(protocols) > 0 {
		offered := strings.Split(strings.Join(protocols, ","), ",")
		if headers.Protocols(offered) == "" { // all that it offers is a key: it must be told that one was chosen
			c.session.protocol = strings.TrimSpace(offered[0])
		}
	}
	c.writer.hijacked = c.session.attach
	return nil
}

// acquireSession gives a session one of as many places as there are. A session may last for long: none waits for one.
func (p *Proxy) acquireSession(c *call) error {
	r := fairshare.Request{Client: c.client, Limited: c.limited(), Amount: 1}
	if c.session.place = p.sessionPool.TryAcquire(r); c.session.place != nil {
		return nil
	}
	c.preempted(p.metrics, "overload")
	f := refuse(normalize.Overloaded, "As many sessions over WebSockets are open as this proxy has, or as your client "+
		"may have of them ({MAX_SESSIONS}).", "")
	f.Limit = &normalize.Limit{
		Name: "sessions", Used: float64(p.sessionPool.Status().Taken), Limit: float64(p.sessionPool.Size()),
		Unit: "sessions", Window: "at_once",
	}
	return f
}

func (p *Proxy) releaseSession(c *call) {
	if c.session != nil && c.session.place != nil {
		p.sessionPool.Release(c.session.place, 1)
	}
}

// realTime lists the models that take WebSocket connections.
func (p *Proxy) realTime() []string {
	table := p.estimator.Table()
	return slices.DeleteFunc(table.Models(), func(name string) bool {
		row, _ := table.Row(name)
		return !row.WebSocket
	})
}

// rewrite makes the upstream request of a session out of one that has been filtered. gateway says that it goes to an AI
// Gateway: nobody else takes the keys that TakeKeys has moved.
func (s *session) rewrite(out *http.Request, caller http.Header, gateway bool) {
	h := out.Header
	if !gateway {
		delete(h, "Cf-Aig-Authorization")
	}
	h["Connection"], h["Upgrade"] = []string{"Upgrade"}, []string{"websocket"}
	delete(h, "Sec-Websocket-Extensions") // the length of a compressed frame is not that of the sound in it
	if protocols := headers.Protocols(caller["Sec-Websocket-Protocol"]); protocols != "" {
		h["Sec-Websocket-Protocol"] = []string{protocols}
	} else {
		delete(h, "Sec-Websocket-Protocol")
	}
}

// switched makes a session of an answer to a handshake.
func (in *inspector) switched(c *call, res *http.Response) *normalize.Failure {
	up, ok := res.Body.(io.ReadWriteCloser)
	if res.StatusCode != http.StatusSwitchingProtocols || !ok {
		return unable(normalize.StreamInterrupted, fmt.Sprintf(
			"Workers AI answered a WebSocket handshake with the status %d, not 101.", res.StatusCode), nil)
	}
	c.watch.Stop()
	h := res.Header
	h["Connection"], h["Upgrade"] = []string{"Upgrade"}, []string{"websocket"}
	delete(h, "Sec-Websocket-Extensions")
	in.accepted(c, h)
	c.writer.own.CopyTo(h)
	s := c.session
	if s.protocol != "" && len(h["Sec-Websocket-Protocol"]) == 0 {
		h["Sec-Websocket-Protocol"] = []string{s.protocol}
	}
	o := websocket.Options{
		Task: c.price.Task, Sound: websocket.SoundOf(queryOf(s.query)), Ahead: guard.Ahead(),
		Idle: c.watch.Limits.Idle, Stalled: c.watch.Limits.Stalled, Total: in.sessionTimeout, Finish: finishTime,
		OnPanic: func(v any) {
			in.log.Error("a bug in this proxy: panic in a session",
				"request_id", c.requestID, "panic", c.redact(fmt.Sprint(v)), "stack", string(debug.Stack()))
		},
	}
	if s.charge = c.charge.Session(); s.charge != nil {
		o.Charge = s.charge
	}
	s.socket = websocket.New(up, o)
	res.Body = s.socket
	in.sessions.Add(s.socket)
	return nil
}

func queryOf(raw string) url.Values {
	query, _ := url.ParseQuery(raw) // what cannot be read says nothing
	return query
}

// attach begins the session with the connection of its caller.
func (s *session) attach(caller net.Conn) { s.socket.Attach(caller) }

// Hijack is what http.ResponseController calls, and httputil.ReverseProxy when upstream has switched protocols.
func (w *writer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(w.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	w.call.own.stop()
	w.status, w.firstByte = http.StatusSwitchingProtocols, time.Since(w.call.began)
	w.hijacked(conn)
	return conn, rw, nil
}

// delivered ends the answer and reports whether the caller has it whole.
func (c *call) delivered() bool {
	if c.session != nil && c.session.socket != nil {
		c.endSession()
		return c.failure == nil && !c.writer.failed
	}
	return c.writer.flush(c.attempt.streaming()) && c.failure == nil
}

// endSession ends a session that has switched, if it has not ended.
func (c *call) endSession() {
	s := c.session
	if s.report != nil {
		return
	}
	report := s.socket.End()
	s.report = &report
	c.writer.failed = c.writer.failed || report.CallerGone
	c.writer.written += report.Bytes[websocket.FromUpstream]
	switch code := report.Closed[websocket.FromUpstream]; {
	case report.Ending != nil:
		c.fail(report.Ending.Failure)
	case code >= websocket.CloseInternal && code < 1015:
		c.fail(unable(normalize.StreamInterrupted, fmt.Sprintf(
			"Workers AI closed the session with the code %d.", code), nil))
	}
}

// sessionAttrs appends what the log line of a call says of a session.
func (c *call) sessionAttrs(attrs []slog.Attr) []slog.Attr {
	if c.session == nil || c.session.report == nil {
		return attrs
	}
	r := c.session.report
	attrs = append(attrs,
		slog.Int64("messages_in", r.Messages[websocket.FromCaller]),
		slog.Int64("messages_out", r.Messages[websocket.FromUpstream]),
		slog.Int64("bytes_in", r.Bytes[websocket.FromCaller]),
		slog.Int64("bytes_out", r.Bytes[websocket.FromUpstream]),
	)
	if r.Passed.Characters > 0 {
		attrs = append(attrs, slog.Int64("characters", r.Passed.Characters))
	} else {
		attrs = append(attrs, slog.Float64("sound_seconds", math.Round(r.Passed.Seconds*1000)/1000))
	}
	for _, closed := range []struct {
		by   string
		code int
	}{
		{"closed_by_caller", r.Closed[websocket.FromCaller]}, {"closed_by_upstream", r.Closed[websocket.FromUpstream]},
	} {
		if closed.code > 0 {
			attrs = append(attrs, slog.Int(closed.by, closed.code))
		}
	}
	if r.Ending != nil {
		attrs = append(attrs, slog.Int("closed_here", r.Ending.Code))
	}
	return attrs
}

// settleSession books what a session cost. One that never switched cost nothing.
func (c *call) settleSession() {
	s := c.session
	if s.socket == nil {
		c.charge.Release()
		return
	}
	c.endSession()
	c.settlement = s.charge.Settle(s.report.Passed)
}

// Drain refuses new calls from now on and ends the sessions over WebSockets.
func (p *Proxy) Drain() {
	p.lifecycle.Drain()
	p.sessions.Finish(func() *normalize.Failure { return refuse(normalize.ShuttingDown, "", "") })
}
