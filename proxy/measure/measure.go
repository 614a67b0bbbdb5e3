package measure

import (
	"bytes"
	"io"
	"mime"
	"strings"
	"unicode/utf8"

	"github.com/neuronward/neuronward/proxy/jsonscan"
	"github.com/neuronward/neuronward/proxy/measure/sound"
	"github.com/neuronward/neuronward/quota/workload"
)

// Media measures a body that is no JSON: a multipart form, a recording or a picture. prefix is what was read of the
// body, which may be all of it; length is the length of the whole, or the longest possible one.
func Media(task workload.Task, contentType string, prefix jsonscan.Pieces, length int64) workload.Request {
	q := workload.Request{Task: task}
	// A header that names several types, or two boundaries, may be read as any of them.
	kind := strings.ToLower(contentType)
	if strings.Contains(kind, "multipart/") {
		_, params, _ := mime.ParseMediaType(contentType) // no boundary if it is broken
		measureForm(&q, params["boundary"], prefix, length)
	} else {
		measureFile(&q, kind, prefix, length)
	}
	return q
}

// RequestAs is Request for a body that was sent with a Content-Type. Where that says that it is a recording, upstream
// may take it for one, though it is JSON: both count.
func (j *JSON) RequestAs(contentType string, task workload.Task) workload.Request {
	q := j.Request(task)
	switch task {
	case "", workload.SpeechRecognition, workload.VoiceActivity:
		kind := strings.ToLower(contentType)
		if !isSound(kind) && !strings.Contains(kind, "application/octet-stream") {
			break
		}
		parts := q.Parts
		if len(parts) == 0 {
			parts = []workload.Request{q}
		}
		return workload.Request{Task: task, Parts: append(parts, Media(task, "audio/*", j.text, j.text.Len()))}
	}
	return q
}

func isSound(kind string) bool {
	return strings.Contains(kind, "audio/") || strings.Contains(kind, "video/")
}

// measureFile measures a body that is one recording or one picture, and as both if it is not known which one.
func measureFile(q *workload.Request, kind string, prefix jsonscan.Pieces, length int64) {
	switch q.Task {
	case workload.TextToImage: // no such model takes a file: who knows what it asks for
		assumeAnything(q, length)
		return
	case workload.TextToSpeech:
		q.Characters, q.SpokenSeconds = length, float64(length)/digitsASecond
		return
	}
	audio := isSound(kind)
	picture := strings.Contains(kind, "image/")
	switch q.Task {
	case workload.SpeechRecognition, workload.VoiceActivity:
		audio, picture = true, false
	case workload.ImageClassification, workload.ImageToText:
		audio, picture = false, true
	}
	var head []byte
	if len(prefix) > 0 {
		head = prefix[0]
	}
	whole := func() io.Reader { return prefix.Reader(0, length) }
	if prefix.Len() < length {
		whole = nil
	}
	if !audio && !picture { // perhaps the first bytes tell
		_, _, picture = pictureSize(prefix.Reader(0, prefix.Len()))
		audio = !picture && sound.Known(head)
	}
	if audio || !picture {
		q.AudioBytes = length
		if seconds, ok := soundSeconds(head, length, whole); ok {
			q.AudioSeconds = seconds
		}
	}
	if picture || !audio {
		q.Images = 1
	}
	if !audio && !picture && isText(head) {
		q.PromptBytes = length // data that is no text has no tokens
	}
}

// NeedsWhole reports whether a recording must be there whole to know how long it is. prefix is its beginning.
func NeedsWhole(prefix []byte) bool { return sound.NeedsWalk(prefix) }

// soundSeconds bounds the length of a recording of total bytes that head begins. open opens all of it, and is nil if it
// is not there. ok is false if nothing but its size bounds it.
func soundSeconds(head []byte, total int64, open func() io.Reader) (seconds float64, ok bool) {
	if seconds, ok := sound.BySize(head, total); ok {
		return seconds, true
	}
	if open == nil || !sound.NeedsWalk(head) {
		return 0, false
	}
	return sound.Walk(open())
}

// isText reports whether the first bytes of a body are text. Its last character may be incomplete.
func isText(prefix []byte) bool {
	for cut := range min(utf8.UTFMax, len(prefix)+1) {
		if utf8.Valid(prefix[:len(prefix)-cut]) {
			return bytes.IndexByte(prefix, 0) < 0
		}
	}
	return false
}
