package measure

import (
	"bytes"
	"io"
	"mime/multipart"
	"net/textproto"
	"strconv"
	"strings"

	"github.com/neuronward/neuronward/normalize"
	"github.com/neuronward/neuronward/proxy/jsonscan"
	"github.com/neuronward/neuronward/proxy/measure/sound"
	"github.com/neuronward/neuronward/quota/workload"
)

// Maxima for what the unread part of a form may say.
const (
	maxSide  = 4096 // pixels: more than any image model takes
	maxSteps = 1000 // the estimator knows the maximum of the model
	maxGiven = 4    // pictures that FLUX.2 takes, by its documentation; no other model takes more
	maxMade  = 4    // pictures made at once
	maxField = 256  // bytes of a field that is a number
)

// measureForm measures a multipart form by its beginning. Unless the whole form was read and is well formed, the unread
// part may have any field of a picture, also once more: each gets its maximum.
func measureForm(q *workload.Request, boundary string, prefix jsonscan.Pieces, length int64) {
	f := form{q: q, length: length, head: make([]byte, sound.HeadSize)}
	read := prefix.Len()
	whole := read >= length && boundary != "" // without one, upstream may read another form
	reader := multipart.NewReader(prefix.Reader(0, read), boundary)
	for {
		part, err := reader.NextRawPart()
		if err == nil {
			err = f.part(part)
		}
		if err != nil {
			whole = whole && err == io.EOF && !f.unclear
			break
		}
	}
	if f.recordings > 1 || !whole {
		q.AudioSeconds = 0 // the size limits them all
	}
	if whole {
		q.PromptBytes = max(length-f.pictureBytes-f.soundBytes, 0)
		q.AudioBytes, q.Images = f.soundBytes, f.pictures+f.recordings
	} else {
		q.Images = f.pictures + f.recordings
		assumeAnything(q, length)
	}
	if q.Task == workload.TextToImage && q.Images > maxGiven { // it is not known which ones are taken
		q.Images, q.Sized, q.SizedTiles = maxGiven, 0, 0
	}
}

// assumeAnything raises a measurement to the most that a body of that length may ask for.
func assumeAnything(q *workload.Request, length int64) {
	q.Assumed = true
	q.PromptBytes, q.AudioBytes, q.Images = length, length, max(q.Images, maxGiven)
	q.Width, q.Height, q.Steps = max(q.Width, maxSide), max(q.Height, maxSide), max(q.Steps, maxSteps)
	q.MakeImages, q.Sized, q.SizedTiles = max(q.MakeImages, maxMade), 0, 0
}

// A form is what was found in the parts that were read.
type form struct {
	q            *workload.Request
	length       int64
	head         []byte // for the first bytes of a part
	pictures     int64
	pictureBytes int64
	recordings   int64 // files of no known picture format: sound, or another picture
	soundBytes   int64
	seen         repeated // fields that decide about the call
	unclear      bool     // one of them can be read in two ways
}

// part measures one part and reads it to its end. After an error, a recording is still measured by its beginning.
func (f *form) part(part *multipart.Part) error {
	n, err := 0, error(nil)
	for n < len(f.head) && err == nil {
		var m int
		m, err = part.Read(f.head[n:])
		n += m
	}
	head, rest := f.head[:n], &counted{Reader: part}
	width, height, picture := pictureSize(io.MultiReader(bytes.NewReader(head), rest))
	file := !picture && !forPicture(part.FormName()) && part.FileName() != ""
	seconds, known := 0.0, false
	if file && sound.NeedsWalk(head) {
		seconds, known = sound.Walk(io.MultiReader(bytes.NewReader(head), rest))
	}
	if err == nil {
		_, err = io.Copy(io.Discard, rest)
	}
	if err == io.EOF { // of the part, not of the form
		err = nil
	}
	all := int64(n) + rest.n
	switch name := part.FormName(); {
	case picture || forPicture(name):
		f.pictures++
		f.pictureBytes += all
		if width > 0 && height > 0 {
			f.q.Sized++
			f.q.SizedTiles += workload.InputTiles(width, height)
		}
	case file:
		if !known {
			seconds, known = sound.BySize(head, all)
		}
		if known && f.recordings == 0 {
			f.q.AudioSeconds = seconds
		}
		f.recordings++
		f.soundBytes += all
	case err == nil:
		f.unclear = f.unclear || f.seen.add([]byte(name)) != nil || ambiguous(part.Header)
		value := bytes.TrimSpace(head)
		formField(f.q, name, value[:min(len(value), maxField)])
	}
	return err
}

// ambiguous reports whether readers may differ on the name or the value of a field: two names, or an encoding.
func ambiguous(header textproto.MIMEHeader) bool {
	named := strings.ToLower(strings.Join(header["Content-Disposition"], ";"))
	encoding := strings.ToLower(header.Get("Content-Transfer-Encoding"))
	return strings.Count(" "+strings.ReplaceAll(named, ";", " "), " name") > 1 || encoding == "base64" ||
		encoding == "quoted-printable"
}

// forPicture reports whether a field takes a picture, as a file or not.
func forPicture(name string) bool {
	switch strings.TrimSuffix(name, "[]") {
	case "image", "images", "mask":
		return true
	}
	return strings.HasPrefix(name, "input_image")
}

type counted struct {
	io.Reader
	n int64
}

func (c *counted) Read(b []byte) (int, error) {
	n, err := c.Reader.Read(b)
	c.n += int64(n)
	return n, err
}

// formField measures a field of a form, which has no types.
func formField(q *workload.Request, name string, value []byte) {
	f := findings{Request: *q}
	if name == "size" || name == "image_size" {
		value = strconv.AppendQuote(nil, string(value))
	}
	f.figure(name, value, normalize.ProtocolNative)
	*q = f.Request
}
