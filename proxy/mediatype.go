package proxy

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"strings"

	"github.com/neuronward/neuronward/proxy/headers"
)

// mediaType returns the lower-case type of a Content-Type, without parameters.
func mediaType(contentType string) string {
	kind, _, _ := strings.Cut(contentType, ";")
	return strings.ToLower(strings.TrimSpace(kind))
}

// opaque reports whether an answer of this type cannot be a failure with a status of success: images, speech and other
// raw bytes.
func opaque(kind string) bool {
	return kind == "application/octet-stream" || strings.HasPrefix(kind, "image/") ||
		strings.HasPrefix(kind, "audio/") || strings.HasPrefix(kind, "video/")
}

func encoded(h http.Header) bool {
	e := headers.First(h, "Content-Encoding")
	return e != "" && !strings.EqualFold(e, "identity")
}

// decoded returns the beginning of an answer without its compression. Upstream is asked not to compress; what stands in
// front of it may do so all the same.
func decoded(h http.Header, b []byte) []byte {
	if !strings.EqualFold(headers.First(h, "Content-Encoding"), "gzip") {
		return b
	}
	r, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		return b
	}
	text, _ := io.ReadAll(io.LimitReader(r, bufferSize)) // it may well be cut short
	return text
}
