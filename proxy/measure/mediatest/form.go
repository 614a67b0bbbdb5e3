package mediatest

import (
	"bytes"
	"encoding/base64"
	"io"
	"mime/multipart"
	"testing"
)

// A Part of a form is a field, or a file if it has a file name.
type Part struct{ Name, File, Content string }

// Form is a multipart form and its Content-Type.
func Form(t testing.TB, parts ...Part) (kind string, body []byte) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for _, p := range parts {
		to, err := io.Writer(nil), error(nil)
		if p.File != "" {
			to, err = w.CreateFormFile(p.Name, p.File)
		} else {
			to, err = w.CreateFormField(p.Name)
		}
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(to, p.Content) // a buffer takes all
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return w.FormDataContentType(), b.Bytes()
}

// Field is a part that is no file.
func Field(name, value string) Part { return Part{Name: name, Content: value} }

// File is a part with a file name.
func File(name, file, content string) Part { return Part{Name: name, File: file, Content: content} }

// Base64Of is n bytes as base64.
func Base64Of(n int) string { return base64.StdEncoding.EncodeToString(make([]byte, n)) }
