package workersai

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/neuronward/neuronward/quota"
)

// byteRate is what audio without a header of its own is taken to have, in bytes a
// second (128 kbit/s).
const byteRate = 16_000

// AudioSeconds returns how long the simulator takes audio to be: by the header of
// a WAV file, else by its size at 128 kbit/s.
func AudioSeconds(audio []byte) float64 {
	if len(audio) < 12 || string(audio[:4]) != "RIFF" || string(audio[8:12]) != "WAVE" {
		return float64(len(audio)) / byteRate
	}
	var rate uint32
	for rest := audio[12:]; len(rest) >= 8; {
		name, size := string(rest[:4]), binary.LittleEndian.Uint32(rest[4:8])
		rest = rest[8:]
		switch {
		case name == "fmt " && len(rest) >= 12:
			rate = binary.LittleEndian.Uint32(rest[8:12])
		case name == "data" && rate > 0:
			return float64(min(uint64(size), uint64(len(rest)))) / float64(rate)
		}
		skip := uint64(size) + uint64(size&1)
		if skip > uint64(len(rest)) {
			break
		}
		rest = rest[skip:]
	}
	return float64(len(audio)) / byteRate
}

// readAudio returns the audio of a call and its length in seconds.
func (x *exchange) readAudio() ([]byte, float64, *failure) {
	name := "audio"
	if form, ok, _ := x.form(); ok && form["audio"].data == nil {
		name = "file"
	}
	audio, f := x.mediaField(name)
	if f != nil {
		return nil, 0, f
	}
	if len(audio) == 0 {
		return nil, 0, badInput("required properties at '/' are 'audio'")
	}
	return audio, AudioSeconds(audio), nil
}

type transcription struct {
	Info     transcriptionInfo `json:"transcription_info"`
	Text     string            `json:"text"`
	Words    int               `json:"word_count"`
	Segments []segment         `json:"segments"`
	VTT      string            `json:"vtt"`
}

type transcriptionInfo struct {
	Language    string  `json:"language"`
	Probability float64 `json:"language_probability"`
	Duration    float64 `json:"duration"`
	AfterVAD    float64 `json:"duration_after_vad"`
}

type segment struct {
	Start float64 `json:"start"`
	End   float64 `json:"end"`
	Text  string  `json:"text"`
}

// transcribe answers for speech recognition, in Whisper's or Deepgram's form.
func (x *exchange) transcribe() *failure {
	if x.model.price.AudioMinute == 0 && x.model.price.AudioMinuteLive > 0 {
		return badInput("this model is for WebSocket connections")
	}
	audio, seconds, f := x.readAudio()
	if f != nil {
		return f
	}
	x.spend(x.audioNeurons(seconds))
	text := fmt.Sprintf("This is a simulated transcript of %.2f seconds of audio.", seconds)
	if strings.Contains(x.model.name, "/deepgram/") {
		type alternative struct {
			Confidence float64 `json:"confidence"`
			Transcript string  `json:"transcript"`
		}
		type channel struct {
			Alternatives []alternative `json:"alternatives"`
		}
		var result struct {
			Metadata struct {
				Duration float64 `json:"duration"`
				Channels int     `json:"channels"`
			} `json:"metadata"`
			Results struct {
				Channels []channel `json:"channels"`
			} `json:"results"`
		}
		result.Metadata.Duration, result.Metadata.Channels = seconds, 1
		result.Results.Channels = []channel{{[]alternative{{x.score(string(audio)), text}}}}
		return x.answer(wrap(result))
	}
	language := "en"
	if in, f := x.formFields(); f == nil {
		said, _, _ := in.text("language")
		language = cmp.Or(said, language)
	}
	return x.answer(wrap(transcription{
		Info: transcriptionInfo{Language: language, Probability: 1, Duration: seconds, AfterVAD: seconds},
		Text: text, Words: len(strings.Fields(text)), Segments: []segment{{0, seconds, text}},
		VTT: fmt.Sprintf("WEBVTT\n\n00.000 --> %06.3f\n%s\n", seconds, text),
	}))
}

// listen answers for voice activity: whether the speaker has finished.
func (x *exchange) listen() *failure {
	audio, seconds, f := x.readAudio()
	if f != nil {
		return f
	}
	x.spend(x.audioNeurons(seconds))
	p := x.score(string(audio))
	return x.answer(wrap(struct {
		Complete    bool    `json:"is_complete"`
		Probability float64 `json:"probability"`
	}{p >= 0.5, p}))
}

// speak answers for text to speech: audio itself, or base64 in JSON for MeloTTS.
// What is heard is a silence as long as the text.
func (x *exchange) speak() *failure {
	field := "text"
	if strings.Contains(x.model.name, "melotts") {
		field = "prompt"
	}
	in, f := x.required(field)
	if f != nil {
		return f
	}
	characters := utf8.RuneCountInString(in[0])
	seconds := max(min(float64(characters)/15, 600), 0.1)
	if field == "prompt" {
		x.spend(x.audioNeurons(seconds))
		return x.answer(wrap(struct {
			Audio string `json:"audio"`
		}{base64.StdEncoding.EncodeToString(silentWAV(seconds))}))
	}
	x.spend(quota.FromFloat(x.model.price.CharactersPerK * float64(characters) / 1000))
	encoding, _, f := x.in.text("encoding")
	if f != nil {
		return f
	}
	container, _, f := x.in.text("container")
	if f != nil {
		return f
	}
	if encoding == "linear16" || container == "wav" {
		x.w.Header().Set("Content-Type", "audio/wav")
		return x.answerRaw(silentWAV(seconds))
	}
	x.w.Header().Set("Content-Type", "audio/mpeg")
	return x.answerRaw(silentMP3(seconds))
}

// silentWAV is silence as 8 kHz 8-bit mono PCM.
func silentWAV(seconds float64) []byte {
	const rate = 8000
	n := uint32(seconds * rate)
	b := append([]byte("RIFF"), binary.LittleEndian.AppendUint32(nil, 36+n)...)
	b = append(b, "WAVEfmt "...)
	b = binary.LittleEndian.AppendUint32(b, 16)
	b = binary.LittleEndian.AppendUint16(b, 1) // PCM
	b = binary.LittleEndian.AppendUint16(b, 1) // one channel
	b = binary.LittleEndian.AppendUint32(b, rate)
	b = binary.LittleEndian.AppendUint32(b, rate) // bytes a second
	b = binary.LittleEndian.AppendUint16(b, 1)
	b = binary.LittleEndian.AppendUint16(b, 8)
	b = append(b, "data"...)
	b = binary.LittleEndian.AppendUint32(b, n)
	return append(b, bytes.Repeat([]byte{0x80}, int(n))...)
}

// silentMP3 is silence as MPEG-1 layer III frames of 128 kbit/s at 44.1 kHz, 26.12
// ms each.
func silentMP3(seconds float64) []byte {
	frame := make([]byte, 417)
	copy(frame, []byte{0xff, 0xfb, 0x90, 0x64})
	return bytes.Repeat(frame, int(seconds*44100/1152)+1)
}
