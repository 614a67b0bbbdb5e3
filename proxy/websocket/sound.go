package websocket

import (
	"encoding/json"
	"net/url"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/neuronward/neuronward/quota/workload"
)

// Sound is what a caller says of the sound that it sends.
type Sound struct {
	rate float64 // bytes a second; 0: they do not tell how long it is
}

// SoundOf reads the query of a session. Of what it says twice, that counts by which the sound is longest: upstream may
// read either.
func SoundOf(query url.Values) Sound {
	sample := lowest(query["sample_rate"], 32)
	channels := max(lowest(query["channels"], 16), 1)
	width := 0.0 // bytes of one sample
	for _, encoding := range query["encoding"] {
		switch encoding {
		case "mulaw", "alaw":
			width = 1
		case "linear16":
			if width == 0 {
				width = 2
			}
		}
	}
	return Sound{sample * channels * width}
}

// lowest returns the lowest of numbers of so many bits, 0 for none.
func lowest(values []string, bits int) (n float64) {
	for _, value := range values {
		if v, err := strconv.ParseUint(value, 10, bits); err == nil && v > 0 && (n == 0 || float64(v) < n) {
			n = float64(v)
		}
	}
	return n
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

// charactersOf returns how many characters a message may give to be spoken: those of its text, whatever its type.
func charactersOf(message []byte) int64 {
	var m struct{ Text characters }
	if json.Unmarshal(message, &m) != nil {
		return int64(utf8.RuneCount(message)) // upstream may read what this does not
	}
	return int64(m.Text)
}

// characters sums the members of one name, whatever the case of it: which of them counts is upstream's to say.
type characters int64

// UnmarshalJSON implements json.Unmarshaler.
func (n *characters) UnmarshalJSON(value []byte) error {
	var text string
	if json.Unmarshal(value, &text) != nil {
		text = string(value)
	}
	*n += characters(utf8.RuneCountInString(text))
	return nil
}

// secondsOf returns how many seconds of sound a message of upstream says to have heard: at its end, or so far.
func secondsOf(text []byte) float64 {
	var m struct {
		Type     string
		Start    float64
		Duration float64
		Window   float64 `json:"audio_window_end"`
	}
	if json.Unmarshal(text, &m) != nil {
		return 0
	}
	switch m.Type {
	case "Metadata":
		return max(m.Duration, m.Window)
	case "Results":
		return m.Start + m.Duration
	}
	return m.Window
}
