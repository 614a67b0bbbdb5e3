package normalize

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"io"
	"net/http"
	"testing"
)

func TestClassifyCompressedBodies(t *testing.T) {
	body := []byte(`{"errors":[{"message":"AiError: Capacity temporarily exceeded","code":3040}],"success":false}`)
	pack := func(w io.WriteCloser, b *bytes.Buffer) []byte {
		if _, err := w.Write(body); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	var g, z, d bytes.Buffer
	raw, err := flate.NewWriter(&d, flate.DefaultCompression)
	if err != nil {
		t.Fatal(err)
	}
	gzipped, zlibbed, deflated := pack(gzip.NewWriter(&g), &g), pack(zlib.NewWriter(&z), &z), pack(raw, &d)
	for _, tt := range []struct {
		name, encoding string
		body           []byte
	}{
		{"gzip", "gzip", gzipped},
		{"gzip in capitals", " GZIP ", gzipped},
		{"gzip that nobody declared", "", gzipped},
		{"gzip cut short", "gzip", gzipped[:len(gzipped)-9]},
		{"zlib", "deflate", zlibbed},
		{"raw deflate", "deflate", deflated},
		{"plain in spite of gzip", "gzip", body},
		{"plain in spite of deflate", "deflate", body},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := Classify(400, http.Header{"Content-Encoding": {tt.encoding}}, tt.body)
			if f.Code != OutOfCapacity {
				t.Errorf("got %s, %q; want %s", f.Code, f.Upstream.Message, OutOfCapacity)
			}
		})
	}
	if f := Classify(502, http.Header{"Content-Encoding": {"br"}},
		[]byte("\x0b\x05\x80\xff\xfe\xfd\xfc")); f.Code != UpstreamUnavailable || f.Message != "" {
		t.Errorf("unreadable body: got %s, %q; want %s without a message", f.Code, f.Message, UpstreamUnavailable)
	}
}

// A small body that unpacks to gigabytes is read no further than MaxErrorBody.
func TestDecodeIsBounded(t *testing.T) {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	zeros := make([]byte, 1<<20)
	for range 20 {
		if _, err := w.Write(zeros); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if out := decode(http.Header{"Content-Encoding": {"gzip"}}, b.Bytes()); len(out) != MaxErrorBody {
		t.Errorf("got %d bytes, want %d", len(out), MaxErrorBody)
	}
	if out := decode(nil, zeros); len(out) != MaxErrorBody {
		t.Errorf("got %d bytes of a plain body, want %d", len(out), MaxErrorBody)
	}
}
