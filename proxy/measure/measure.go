package measure

import (
	"bytes"
	"io"
	"mime"
	"strings"
	"unicode/utf8"

	"github.com/neuronward/neuronward/proxy/jsonscan"
	"github.com/neuronward/neuronward/quota"
)

// Media measures a body that is no JSON: a multipart form, a recording or a picture. prefix is what was read of the
// body, which may be all of it; length is the length of the whole, or the longest possible one.
func Media(task quota.Task, contentType string, prefix jsonscan.Pieces, length int64) quota.Request {
	q := quota.Request{Task: task}
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
func (j *JSON) RequestAs(contentType string, task quota.Task) quota.Request {
	q := j.Request(task)
	switch task {
	case "", quota.SpeechRecognition, quota.VoiceActivity:
		kind := strings.ToLower(contentType)
		if !isSound(kind) && !strings.Contains(kind, "application/octet-stream") {
			break
		}
		parts := q.Parts
		if len(parts) == 0 {
			parts = []quota.Request{q}
		}
		return quota.Request{Task: task, Parts: append(parts, Media(task, "audio/*", j.text, j.text.Len()))}
	}
	return q
}

func isSound(kind string) bool {
	return strings.Contains(kind, "audio/") || strings.Contains(kind, "video/")
}

// measureFile measures a body that is one recording or one picture, and as both if it is not known which one.
func measureFile(q *quota.Request, kind string, prefix jsonscan.Pieces, length int64) {
	switch q.Task {
	case quota.TextToImage: // no such model takes a file: who knows what it asks for
		assumeAnything(q, length)
		return
	case quota.TextToSpeech:
		q.Characters = length
		return
	}
	audio := isSound(kind)
	picture := strings.Contains(kind, "image/")
	switch q.Task {
	case quota.SpeechRecognition, quota.VoiceActivity:
		audio, picture = true, false
	case quota.ImageClassification, quota.ImageToText:
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
		audio = !picture && soundsLike(head, length)
	}
	if audio || !picture {
		q.AudioBytes = length
		if seconds, ok := audioSeconds(head, length, whole); ok {
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

// soundsLike reports whether prefix is the beginning of a recording.
func soundsLike(prefix []byte, length int64) bool {
	for _, magic := range []string{"OggS", webmMagic, "ID3", "fLaC"} {
		if begins(prefix, magic) {
			return true
		}
	}
	_, ok := audioSeconds(prefix, length, nil)
	return ok
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
