package proxy

import (
	"errors"
	"net/http"
	"time"
)

// A writer is the caller's end of the call. It remembers what was sent and
// passes everything on.
type writer struct {
	http.ResponseWriter
	call    *call
	status  int  // 0 until the headers are sent
	interim int  // 1xx answers so far
	failed  bool // the caller's connection broke
	written int64
}

// WriteHeader notes the final status. Some 1xx answers may come before it.
func (w *writer) WriteHeader(status int) {
	if status < 200 {
		w.writeInterim(status)
		return
	}
	if w.status == 0 {
		w.status = status
		w.call.lap()
		if onceOnly(w.call.inbound) {
			w.Header()["Connection"] = []string{"close"}
		}
	}
	w.ResponseWriter.WriteHeader(status)
}

// maxInterim is how many 1xx answers one call may have: net/http reads them
// without a bound when somebody passes them on.
const maxInterim = 5

var errInterim = errors.New("more 1xx answers than a call may have")

// writeInterim passes a 1xx answer on, but for callers of HTTP/1.0, which would
// take it for the answer (RFC 9110, section 15.2).
func (w *writer) writeInterim(status int) {
	if w.interim++; w.interim > maxInterim {
		w.call.cancel(errInterim)
		return
	}
	if w.call.inbound.ProtoAtLeast(1, 1) {
		w.ResponseWriter.WriteHeader(status)
	}
}

func (w *writer) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if w.written == 0 && len(b) > 0 {
		w.call.firstByte = time.Since(w.call.began)
	}
	w.call.watch.write()
	n, err := w.ResponseWriter.Write(b)
	w.call.watch.wrote()
	w.written += int64(n)
	if err != nil && !errors.Is(err, http.ErrContentLength) && !errors.Is(err, http.ErrBodyNotAllowed) {
		w.failed = true
	}
	return n, err
}

// Unwrap lets http.ResponseController reach what this writer does not wrap:
// without it a stream would not flush.
func (w *writer) Unwrap() http.ResponseWriter { return w.ResponseWriter }
