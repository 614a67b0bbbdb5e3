package workersai

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/coder/websocket"

	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/workload"
)

// asksRealTime reports whether a request asks for a WebSocket.
func asksRealTime(r *http.Request) bool {
	return strings.EqualFold(r.Header.Get("Upgrade"), "websocket")
}

// findRealTime returns the route of a request for a WebSocket: that of run/{model}, and an AI Gateway's, whose query
// names the model.
func findRealTime(r *http.Request) (route, bool) {
	rest, ok := strings.CutPrefix(r.URL.Path, "/v1/")
	if parts := strings.Split(rest, "/"); ok && len(parts) == 3 && parts[2] == "workers-ai" {
		model := r.URL.Query().Get("model")
		return route{account: parts[0], gateway: parts[1], surface: surfaceNative, model: model}, model != ""
	}
	rt, ok := findRoute(r)
	return rt, ok && rt.surface == surfaceNative && rt.model != "" && rt.gateway == "" && r.Method == http.MethodGet
}

// serveRealTime answers a request for a WebSocket, to its end.
func (x *exchange) serveRealTime() *failure {
	var ok bool
	if x.route, ok = findRealTime(x.r); !ok {
		return refuse(7003)
	}
	if f := x.authenticate(); f != nil {
		return f
	}
	var err error
	if x.directive, err = parseDirective(x.r.Header.Values(SimulateHeader)); err != nil {
		return refuseText(5006, "x-simulate: %v", err)
	}
	x.asked, x.session = x.route.model, x.s.session(x.directive.session)
	if done, f := x.simulate(x.route.model); done || f != nil {
		return f
	}
	if f := x.admit(x.route.model); f != nil {
		return f
	}
	query := x.r.URL.Query()
	switch _, err := strconv.Atoi(query.Get("sample_rate")); {
	case !x.model.price.WebSocket:
		return badInput("this model does not take WebSocket connections")
	case strings.HasSuffix(x.model.name, "/flux") && (err != nil || query.Get("encoding") != "linear16"):
		return badInput("required properties are 'encoding' (linear16) and 'sample_rate'")
	}
	// Whoever asks for compression gets it, as at Deepgram.
	conn, err := websocket.Accept(x.w, x.r, &websocket.AcceptOptions{
		InsecureSkipVerify: true, CompressionMode: websocket.CompressionContextTakeover,
	})
	if err != nil {
		return nil // it is answered
	}
	defer conn.CloseNow() //nolint:errcheck // it may be closed in order by then
	conn.SetReadLimit(maxBody)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if closing := x.s.o.Closing; closing != nil {
		go func() {
			select {
			case <-closing:
				cancel()
			case <-ctx.Done():
			}
		}()
	}
	s := &liveSession{x: x, conn: conn, ctx: ctx, rate: rateOf(query)}
	s.run()
	return nil
}

// rateOf returns how many bytes of sound are a second, as of a recording without a header where that is not told.
func rateOf(query url.Values) float64 {
	rate, _ := strconv.ParseUint(query.Get("sample_rate"), 10, 32)
	channels, err := strconv.ParseUint(query.Get("channels"), 10, 16)
	if err != nil || channels == 0 {
		channels = 1
	}
	width := map[string]uint64{"linear16": 2, "mulaw": 1, "alaw": 1}[query.Get("encoding")]
	if rate *= channels * width; rate > 0 {
		return float64(rate)
	}
	return byteRate
}

// A liveSession is a WebSocket, and what is billed for it.
type liveSession struct {
	x    *exchange
	conn *websocket.Conn
	ctx  context.Context
	rate float64

	first      time.Time // when the first sound came
	bytes      int64
	characters int64
	messages   int
	unspoken   int // characters since the last Flush
	turn       int
}

// run speaks with the caller until one of both ends.
func (s *liveSession) run() {
	defer s.bill()
	speaks := s.x.model.task == workload.TextToSpeech
	if speaks {
		_ = s.send(map[string]any{"type": "Metadata", "request_id": s.x.id, "model_name": s.x.model.name})
	} else {
		_ = s.send(map[string]any{"type": "Connected", "request_id": s.x.id, "sequence_id": 0})
	}
	for {
		kind, message, err := s.conn.Read(s.ctx)
		if err != nil {
			return
		}
		s.messages++
		if d := &s.x.directive; d.stream != breakNone && s.messages > d.after {
			if d.stream == breakFail {
				_ = s.close(websocket.StatusInternalError, d.failure.text)
			}
			return
		}
		switch {
		case speaks:
			err = s.speak(kind, message)
		case kind == websocket.MessageBinary:
			err = s.hear(message)
		default:
			err = s.control(message)
		}
		if err != nil {
			return
		}
	}
}

// seconds is how long the sound is that has come.
func (s *liveSession) seconds() float64 { return float64(s.bytes) / s.rate }

// bill counts the session as one call: by the larger of its sound and its time, or by its characters.
func (s *liveSession) bill() {
	neurons := float64(s.characters) / 1000 * s.x.model.price.CharactersPerK
	if !s.first.IsZero() {
		price := s.x.model.price.AudioMinuteLive
		if price == 0 {
			price = s.x.model.price.AudioMinute
		}
		neurons += max(s.seconds(), time.Since(s.first).Seconds()) / 60 * price
	}
	s.x.spend(quota.FromFloat(neurons))
	s.x.settle()
}

func (s *liveSession) send(v any) error {
	return s.conn.Write(s.ctx, websocket.MessageText, compact(v))
}

// close ends the session in order, and always returns an error.
func (s *liveSession) close(code websocket.StatusCode, reason string) error {
	s.bill()
	_ = s.conn.Close(code, reason) // the caller may have gone
	return context.Canceled
}

// wrong ends the session for a message that the model does not know.
func (s *liveSession) wrong(message []byte, want string) error {
	var m struct{ Type string }
	_ = json.Unmarshal(message, &m)
	text := fmt.Sprintf("unknown variant `%s`, expected %s", m.Type, want)
	_ = s.send(map[string]any{"type": "Error", "code": "DATA-0000", "description": text})
	return s.close(websocket.StatusPolicyViolation, "DATA-0000")
}

// hear takes sound.
func (s *liveSession) hear(sound []byte) error {
	from := s.seconds()
	if s.first.IsZero() {
		s.first = time.Now()
	}
	s.bytes += int64(len(sound))
	switch {
	case s.x.model.task == workload.VoiceActivity:
		p := s.x.score(string(sound))
		return s.send(map[string]any{"is_complete": p >= 0.5, "probability": p})
	case s.flux():
		event := "Update"
		if s.turn == 0 {
			event, s.turn = "StartOfTurn", 1
		}
		return s.sendTurn(event)
	}
	return s.sendResults(from, false)
}

func (s *liveSession) flux() bool { return strings.HasSuffix(s.x.model.name, "/flux") }

func (s *liveSession) transcript() string {
	return fmt.Sprintf("This is a simulated transcript of %.2f seconds of sound.", s.seconds())
}

// sendTurn sends an event of flux.
func (s *liveSession) sendTurn(event string) error {
	var words []map[string]any
	for word := range strings.FieldsSeq(s.transcript()) {
		words = append(words, map[string]any{"word": word, "confidence": 0.9})
	}
	return s.send(map[string]any{
		"type": "TurnInfo", "request_id": s.x.id, "sequence_id": s.messages, "event": event, "turn_index": 0,
		"audio_window_start": 0, "audio_window_end": math.Round(s.seconds()*1000) / 1000,
		"transcript": s.transcript(), "words": words, "end_of_turn_confidence": 0.5,
	})
}

// sendResults sends what nova-3 has understood.
func (s *liveSession) sendResults(from float64, final bool) error {
	return s.send(map[string]any{
		"type": "Results", "channel_index": []int{0, 1}, "start": from, "duration": s.seconds() - from,
		"is_final": final, "speech_final": final,
		"channel": map[string]any{"alternatives": []map[string]any{
			{"transcript": s.transcript(), "confidence": 0.9, "words": []any{}},
		}},
	})
}

// control takes the one text that speech recognition knows.
func (s *liveSession) control(message []byte) error {
	var m struct{ Type string }
	if json.Unmarshal(message, &m) != nil || m.Type != "CloseStream" || s.x.model.task != workload.SpeechRecognition {
		return s.wrong(message, "`CloseStream`")
	}
	if s.flux() {
		if s.turn > 0 {
			_ = s.sendTurn("EndOfTurn")
		}
	} else {
		_ = s.sendResults(s.seconds(), true)
		_ = s.send(map[string]any{
			"type": "Metadata", "request_id": s.x.id, "duration": s.seconds(), "channels": 1,
		})
	}
	return s.close(websocket.StatusNormalClosure, "")
}

// speak takes what is to be spoken. What is heard is a silence as long as the text.
func (s *liveSession) speak(kind websocket.MessageType, message []byte) error {
	var m struct{ Type, Text string }
	if kind != websocket.MessageText || json.Unmarshal(message, &m) != nil {
		return s.wrong(message, "a JSON text")
	}
	switch m.Type {
	case "Speak":
		n := utf8.RuneCountInString(m.Text)
		s.characters += int64(n)
		s.unspoken += n
		return nil
	case "Flush":
		for ; s.unspoken > 0; s.unspoken -= min(s.unspoken, 15) {
			silence := make([]byte, 24_000*2*min(s.unspoken, 15)/15)
			if err := s.conn.Write(s.ctx, websocket.MessageBinary, silence); err != nil {
				return err
			}
		}
		return s.send(map[string]any{"type": "Flushed", "sequence_id": s.messages})
	case "Clear":
		s.unspoken = 0
		return s.send(map[string]any{"type": "Cleared", "sequence_id": s.messages})
	case "Close":
		return s.close(websocket.StatusNormalClosure, "")
	}
	return s.wrong(message, "one of `Speak`, `Flush`, `Clear`, `Close`")
}
