package measure

import (
	"bytes"
	"mime"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/neuronward/neuronward/normalize"
	"github.com/neuronward/neuronward/proxy/jsonscan"
	"github.com/neuronward/neuronward/quota"
)

// Request describes a call for the estimator before it is made: never less than
// what upstream would bill for it, as far as the call decides that. body is the
// whole of a body that is held, nil for one that streams through, whose first
// bytes are in prefix. contentLength is the length of the body; the caller puts
// the longest that it lets pass where that is not declared.
func Request(protocol normalize.Protocol, task quota.Task, body []byte, header http.Header, contentLength int64, prefix []byte) quota.Request {
	if body != nil {
		contentLength, prefix = int64(len(body)), body
		s := jsonscan.Scanner{Data: body}
		s.Space()
		if s.Pos < len(body) && body[s.Pos] == '{' {
			if q, err := measureJSON(protocol, task, &s); err == nil {
				return q
			}
		}
	}
	q := quota.Request{Task: task}
	contentType := header.Get("Content-Type")
	if kind, params, err := mime.ParseMediaType(contentType); err == nil && strings.HasPrefix(kind, "multipart/") {
		measureForm(&q, params["boundary"], prefix, contentLength)
		return q
	}
	measureRaw(&q, mediaType(contentType), prefix, contentLength)
	return q
}

// measureRaw measures a body that is one recording or one picture. What it can't
// be told to be, it is all of.
func measureRaw(q *quota.Request, kind string, prefix []byte, length int64) {
	audio, picture := strings.HasPrefix(kind, "audio/") || strings.HasPrefix(kind, "video/"), strings.HasPrefix(kind, "image/")
	switch q.Task {
	case quota.SpeechRecognition, quota.VoiceActivity:
		audio, picture = true, false
	case quota.ImageClassification, quota.ImageToText, quota.TextToImage:
		audio, picture = false, true
	}
	if !audio && !picture { // nobody says: perhaps its first bytes do
		_, _, picture = pictureSize(bytes.NewReader(prefix))
		audio = !picture && soundsLike(prefix, length)
	}
	if audio || !picture {
		q.AudioBytes = length
		if seconds, ok := audioSeconds(prefix, length); ok {
			q.AudioSeconds = seconds
		}
	}
	if picture || !audio {
		q.Images = 1
	}
	if !audio && !picture && isText(prefix) {
		q.PromptBytes = length // no tokenizer reads what is no text
	}
}

// soundsLike reports whether a recording begins so.
func soundsLike(prefix []byte, length int64) bool {
	for _, magic := range []string{"OggS", webmMagic, "ID3", "fLaC"} {
		if begins(prefix, magic) {
			return true
		}
	}
	_, ok := audioSeconds(prefix, length)
	return ok
}

// isText reports whether the first bytes of a body are text, the last of which
// may be a part of a character.
func isText(prefix []byte) bool {
	for cut := range min(utf8.UTFMax, len(prefix)+1) {
		if utf8.Valid(prefix[:len(prefix)-cut]) {
			return bytes.IndexByte(prefix, 0) < 0
		}
	}
	return false
}

// BatchID returns the request id that a body asks after, if it does nothing
// else: a batch that is polled. A body that names work to do is none.
func BatchID(body []byte) string {
	s := jsonscan.Scanner{Data: body}
	s.Space()
	if s.Pos == len(body) || body[s.Pos] != '{' {
		return ""
	}
	var id string
	works := false
	err := s.Members(func(rawName []byte) error {
		name, err := jsonscan.Unquote(rawName)
		if err != nil {
			return err
		}
		start := s.Pos
		if err := s.Value(2); err != nil {
			return err
		}
		switch name {
		case "request_id":
			works = works || id != ""
			id, err = unquoteText(body[start:s.Pos])
		case "model", "stream", "options", "queueRequest":
		default:
			works = true
		}
		return err
	})
	if err != nil || works {
		return ""
	}
	return id
}

// mediaType returns the lower-case type of a Content-Type, without parameters.
func mediaType(contentType string) string {
	kind, _, _ := strings.Cut(contentType, ";")
	return strings.ToLower(strings.TrimSpace(kind))
}
