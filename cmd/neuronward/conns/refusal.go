package conns

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"maps"
	"net/http"
	"strconv"
	"time"

	"github.com/neuronward/neuronward/cmd/neuronward/config"
	"github.com/neuronward/neuronward/normalize"
)

// A refusal is the answer to a request that is not valid HTTP.
type refusal struct {
	status          int
	message, action string
}

var (
	headersLate = refusal{
		http.StatusRequestTimeout, fmt.Sprintf("The request's headers did not come within %v.", firstRequest),
		"Send the whole request at once; the proxy has passed nothing of it on.",
	}
	headersLarge = refusal{
		http.StatusRequestHeaderFieldsTooLarge,
		fmt.Sprintf("The request line and the headers are larger than %d KiB together.", MaxHeader>>10),
		"Send a shorter URL, and fewer or shorter headers: a long text belongs into the body.",
	}
	headersMany = refusal{
		http.StatusRequestHeaderFieldsTooLarge, fmt.Sprintf("The headers have more than %d lines.", maxLines),
		"Send fewer headers; the proxy has passed nothing of the request on.",
	}
	tlsExpected = refusal{
		http.StatusBadRequest, "This listener speaks TLS, and the request came without it.",
		"Call this address by https://.",
	}
	http2InTheClear = refusal{
		http.StatusHTTPVersionNotSupported, "Without TLS this listener speaks HTTP/1.1 alone, and HTTP/2 came.",
		"Call it by HTTP/1.1, or give it a certificate ({TLS_CERT}).",
	}
)

// refusalOf reads an answer that net/http has made by itself. Its words are fixed: nothing of the request is in them.
func refusalOf(answer []byte) refusal {
	line, _, _ := bytes.Cut(answer, []byte("\r\n"))
	code, reason, _ := bytes.Cut(bytes.TrimPrefix(line, []byte("HTTP/1.1 ")), []byte(" "))
	status, err := strconv.Atoi(string(code))
	if err != nil || http.StatusText(status) == "" {
		status = http.StatusBadRequest
	}
	r := refusal{status: status, action: "Send the call as any HTTP library does; the proxy has passed nothing of " +
		"it on."}
	switch status {
	case http.StatusRequestHeaderFieldsTooLarge:
		return headersLarge
	case http.StatusExpectationFailed:
		r.message = "The header Expect asks for something else than 100-continue."
	case http.StatusNotImplemented:
		r.message = "The header Transfer-Encoding says something else than chunked."
	case http.StatusHTTPVersionNotSupported:
		r.message = "The request is of a version of HTTP that this listener does not speak."
	default:
		r.message = "This is not a valid HTTP request."
		if _, detail, ok := bytes.Cut(reason, []byte(": ")); ok {
			r.message = "This is not a valid HTTP request: " + string(detail) + "."
		}
	}
	return r
}

// writeRefusal answers a request that could not be read.
func (h *http1) writeRefusal(r refusal) (int, error) {
	h.refused.Store(true)
	f, header := h.of.from.failure(r)
	var out bytes.Buffer
	fmt.Fprintf(&out, "HTTP/1.1 %d %s\r\n", r.status, http.StatusText(r.status))
	body := f.Append(nil)
	header.Set("Connection", "close")
	header.Set("Content-Length", strconv.Itoa(len(body)))
	header.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	_ = header.Write(&out) // a buffer takes everything
	out.WriteString("\r\n")
	out.Write(body)
	return h.Conn.Write(out.Bytes())
}

// refuse answers a request that net/http could read and that is none all the same.
func (l *Listener) refuse(w http.ResponseWriter, r refusal) {
	f, header := l.failure(r)
	maps.Copy(w.Header(), header)
	if r == http2InTheClear {
		w.Header().Set("Connection", "close")
	}
	body := f.Append(nil)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(r.status)
	_, _ = w.Write(body) // the caller may have gone
}

// OnRefusal has f called with the failure of each request that is not valid HTTP, from now on. f must not block.
func (l *Listener) OnRefusal(f func(*normalize.Failure)) { l.refused.Store(&f) }

// failure returns the failure of a request that could not be read, with the headers of its answer. It counts
// and logs it.
func (l *Listener) failure(r refusal) (*normalize.Failure, http.Header) {
	var id [16]byte
	_, _ = rand.Read(id[:]) // it never fails
	f := &normalize.Failure{
		Code: normalize.BadInput, Status: r.status, Message: r.message, Action: r.action,
		Origin: normalize.OriginGuard, MatchedBy: normalize.MatchedRequest, RequestID: hex.EncodeToString(id[:]),
	}
	f.NameSettings(config.SettingName)
	header := http.Header{}
	f.SetHeader(header, 0)
	if told := l.refused.Load(); told != nil {
		(*told)(f)
	}
	if l.refusalLines.Allow() {
		l.log.Info("a request is not valid HTTP", "request_id", f.RequestID, "status", r.status, "message", f.Message)
	}
	return f, header
}
