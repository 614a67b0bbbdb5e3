package normalize

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"io"
	"net/http"
	"strings"
)

// decode undoes gzip and deflate, declared or, for gzip, recognized, up to MaxErrorBody bytes. A body that was
// cut short gives what can be read of it; one that is not what its header says is taken as it is.
func decode(header http.Header, body []byte) []byte {
	encoding := strings.ToLower(strings.TrimSpace(header.Get("Content-Encoding")))
	switch {
	case bytes.HasPrefix(body, []byte{0x1f, 0x8b}):
		if r, err := gzip.NewReader(bytes.NewReader(body)); err == nil {
			return readSome(r)
		}
	case encoding == "deflate":
		if r, err := zlib.NewReader(bytes.NewReader(body)); err == nil {
			return readSome(r)
		}
		// Many send it without the header that the standard asks for. Text that is no deflate unpacks to
		// rubbish or not at all.
		out, err := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(body)), MaxErrorBody))
		if (err == nil || errors.Is(err, io.ErrUnexpectedEOF)) && readable(plain(bounded(string(out)))) {
			return out
		}
	}
	return body[:min(len(body), MaxErrorBody)]
}

// readSome returns what came before the end or the first error: half an error body still says more than none.
func readSome(r io.Reader) []byte {
	out, _ := io.ReadAll(io.LimitReader(r, MaxErrorBody))
	return out
}
