package websocket

import (
	"encoding/json"
	"net/url"
	"strconv"
	"time"

	"github.com/neuronward/neuronward/quota/workload"
)

// Sound is what a caller says of the sound that it sends.
type Sound struct {
	rate float64 // bytes a second; 0: they do not tell how long it is
}

// SoundOf reads the query of a session.
func SoundOf(query url.Values) Sound {
	sample, err := strconv.ParseUint(query.Get("sample_rate"), 10, 32)
	if err != nil || sample == 0 {
		return Sound{}
	}
	channels, err := strconv.ParseUint(query.Get("channels"), 10, 16)
	if err != nil || channels == 0 {
		channels = 1
	}
	switch query.Get("encoding") {
	case "linear16":
		return Sound{float64(sample) * float64(channels) * 2}
	case "mulaw", "alaw":
		return Sound{float64(sample) * float64(channels)}
	}
	return Sound{}
}

// slowest is the least that speech is stored in, in bytes a second: no codec in use needs fewer.
const slowest = 250

// seconds is how long the sound is that has come until a time: by its bytes, by the clock since the first of them, or
// by what upstream says, whichever is the most.
func (p *passed) seconds(sound Sound, now time.Time) float64 {
	if p.first.IsZero() {
		return 0
	}
	clock := max(now.Sub(p.first), 0).Seconds()
	seconds := clock
	if sound.rate > 0 {
		seconds = max(seconds, float64(p.sound)/sound.rate)
	}
	if p.reported <= clock+float64(p.sound)/slowest { // what is longer cannot be
		seconds = max(seconds, p.reported)
	}
	return seconds
}

// soFar is what has passed until a time; s.mu is held.
func (s *Session) soFar(now time.Time) workload.Session {
	if s.speaks() {
		return workload.Session{Characters: s.passed.characters}
	}
	return workload.Session{Seconds: s.passed.seconds(s.o.Sound, now)}
}

// speaks reports whether the model makes speech out of text.
func (s *Session) speaks() bool { return s.o.Task == workload.TextToSpeech }

// charactersOf returns how many characters a message gives to be spoken.
func charactersOf(text []byte) int64 {
	var m struct {
		Type string
		Text string
	}
	if json.Unmarshal(text, &m) != nil || m.Type != "Speak" {
		return 0
	}
	n := int64(0)
	for range m.Text {
		n++
	}
	return n
}

// secondsOf returns how many seconds of sound a message of upstream says to have heard: at its end, or so far.
func secondsOf(text []byte) float64 {
	var m struct {
		Type     string
		Duration float64
		Window   float64 `json:"audio_window_end"`
	}
	if json.Unmarshal(text, &m) != nil {
		return 0
	}
	if m.Type == "Metadata" {
		return max(m.Duration, m.Window)
	}
	return m.Window
}
