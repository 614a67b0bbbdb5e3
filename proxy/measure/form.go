package measure

import (
	"bytes"
	"io"
	"mime/multipart"
	"strconv"
	"strings"

	"github.com/neuronward/neuronward/normalize"
	"github.com/neuronward/neuronward/proxy/jsonscan"
	"github.com/neuronward/neuronward/quota"
)

// Bounds for what a form may say beyond what was read of it.
const (
	maxSide  = 4096 // pixels: more than any image model takes
	maxSteps = 1000 // the estimator knows the model's own most
	maxGiven = 4    // pictures that FLUX.2 takes, by its documentation, and no other model takes more
	maxMade  = 4    // pictures made at once
	maxField = 256  // bytes of a field that is a number
)

// measureForm measures a multipart form by as much of it as was read. Unless
// that is all, and in order, the figures of a picture may stand behind it, or
// stand there again: they are taken for the most that they can be.
func measureForm(q *quota.Request, boundary string, prefix jsonscan.Pieces, length int64) {
	f := form{q: q, length: length, head: make([]byte, audioHeader)}
	read := prefix.Len()
	whole := read >= length
	reader := multipart.NewReader(prefix.Reader(0, read), boundary)
	for {
		part, err := reader.NextRawPart()
		if err == nil {
			err = f.part(part)
		}
		if err != nil {
			whole = whole && err == io.EOF
			break
		}
	}
	if f.recordings > 1 {
		q.AudioSeconds = 0 // the size bounds them all
	}
	if whole {
		q.PromptBytes = max(length-f.pictureBytes-f.soundBytes, 0)
		q.AudioBytes, q.Images = f.soundBytes, f.pictures+f.recordings
	} else {
		q.Assumed = true
		q.PromptBytes, q.AudioBytes, q.Images = length, length, max(f.pictures+f.recordings, maxGiven)
		q.Width, q.Height, q.Steps = max(q.Width, maxSide), max(q.Height, maxSide), max(q.Steps, maxSteps)
		q.MakeImages, q.Sized, q.SizedTiles = max(q.MakeImages, maxMade), 0, 0
	}
	if q.Task == quota.TextToImage && q.Images > maxGiven { // nobody knows which ones are taken
		q.Images, q.Sized, q.SizedTiles = maxGiven, 0, 0
	}
}

// A form is what was found in the parts so far.
type form struct {
	q            *quota.Request
	length       int64
	head         []byte // for the first bytes of a part
	pictures     int64
	pictureBytes int64
	recordings   int64 // files that are no picture that is known: sound, or another picture
	soundBytes   int64
}

// part measures one part and reads it to its end. The error is why that could
// not be reached; a recording is measured by its beginning even so.
func (f *form) part(part *multipart.Part) error {
	n, err := 0, error(nil)
	for n < len(f.head) && err == nil {
		var m int
		m, err = part.Read(f.head[n:])
		n += m
	}
	head, rest := f.head[:n], &counted{Reader: part}
	width, height, picture := pictureSize(io.MultiReader(bytes.NewReader(head), rest))
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
			f.q.SizedTiles += quota.InputTiles(width, height)
		}
	case part.FileName() != "":
		if seconds, ok := audioSeconds(head, f.length, nil); ok && f.recordings == 0 {
			f.q.AudioSeconds = seconds
		}
		f.recordings++
		f.soundBytes += all
	case err == nil:
		value := bytes.TrimSpace(head)
		formField(f.q, name, value[:min(len(value), maxField)])
	}
	return err
}

// forPicture reports whether a field is one that takes a picture, be it sent as
// a file or not.
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
func formField(q *quota.Request, name string, value []byte) {
	f := findings{Request: *q}
	if name == "size" || name == "image_size" {
		value = strconv.AppendQuote(nil, string(value))
	}
	f.figure(name, value, normalize.ProtocolNative)
	*q = f.Request
}
