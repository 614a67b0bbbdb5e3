package proxy

import (
	"bytes"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"strconv"
	"strings"

	"github.com/neuronward/neuronward/quota"
)

// Bounds for what a form may say beyond what was read of it.
const (
	mostSide  = 2048 // pixels: the most that the image models take
	mostSteps = 1000 // the estimator knows the model's own most
	mostGiven = 4    // pictures that an image model takes
	mostField = 256  // bytes of a field that is a number
)

// measure describes a call for the estimator before it is made: never less than
// what upstream would bill for it, as far as the call decides that. body is the
// whole of a body that is held, nil for one that streams through, whose first
// bytes are in prefix. contentLength is the length of the body; the caller puts
// the longest that it lets pass where that is not declared.
func measure(r *route, model string, task quota.Task, body []byte, header http.Header, contentLength int64, prefix []byte) quota.Request {
	if body != nil {
		contentLength, prefix = int64(len(body)), body
		s := scanner{b: body}
		s.space()
		if s.i < len(body) && body[s.i] == '{' {
			if q, err := measureJSON(r, model, task, &s); err == nil {
				return q
			}
		}
	}
	q := quota.Request{Model: model, Task: task}
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
	if audio || !picture {
		q.AudioBytes = length
		if seconds, ok := audioSeconds(prefix, length); ok {
			q.AudioSeconds = seconds
		}
	}
	if picture || !audio {
		q.Images = 1
	}
	if !audio && !picture {
		q.PromptBytes = length
	}
}

// measureForm measures a multipart form by as much of it as was read. A field of
// a picture that does not stand there may stand behind the files: unless the
// form was read whole, it is taken for the most that it can be.
func measureForm(q *quota.Request, boundary string, prefix []byte, length int64) {
	whole := int64(len(prefix)) >= length
	reader := multipart.NewReader(bytes.NewReader(prefix), boundary)
	var files, inFiles int64
	for {
		part, err := reader.NextRawPart()
		if err != nil {
			whole = whole && err == io.EOF
			break
		}
		if part.FileName() == "" {
			value, err := io.ReadAll(io.LimitReader(part, mostField))
			if err != nil {
				whole = false // cut within the field
				break
			}
			formField(q, part.FormName(), value)
			continue
		}
		head, _ := io.ReadAll(io.LimitReader(part, audioHeader)) // as far as it was read
		rest, err := io.Copy(io.Discard, part)
		whole = whole && err == nil
		inFiles += int64(len(head)) + rest
		if seconds, ok := audioSeconds(head, length); ok && files == 0 {
			q.AudioSeconds = seconds
		}
		files++
	}
	q.PromptBytes, q.AudioBytes, q.Images = length, length, files
	if files > 1 {
		q.AudioSeconds = 0 // the size bounds them all
	}
	if whole {
		q.PromptBytes = max(length-inFiles, 0)
		return
	}
	q.Images = max(files, mostGiven)
	for _, f := range []struct {
		to   *int64
		most int64
	}{{&q.Width, mostSide}, {&q.Height, mostSide}, {&q.Steps, mostSteps}} {
		if *f.to == 0 {
			*f.to = f.most
		}
	}
}

// formField measures a field of a form, which has no types.
func formField(q *quota.Request, name string, value []byte) {
	m := measurement{Request: *q, route: &route{}}
	if name == "size" || name == "image_size" {
		value = strconv.AppendQuote(nil, string(value))
	}
	m.figure(name, value)
	*q = m.Request
}

// batchID returns the request id that a body asks after, if it does nothing
// else: a batch that is polled. A body that names work to do is none.
func batchID(body []byte) string {
	s := scanner{b: body}
	s.space()
	if s.i == len(body) || body[s.i] != '{' {
		return ""
	}
	var id string
	works := false
	err := s.members(func(rawName []byte) error {
		name, err := unquote(rawName)
		if err != nil {
			return err
		}
		start := s.i
		if err := s.value(2); err != nil {
			return err
		}
		switch name {
		case "request_id":
			works = works || id != ""
			id, err = unquoteText(body[start:s.i])
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
