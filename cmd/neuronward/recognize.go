package main

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httputil"
	"net/textproto"
	"strconv"
	"strings"

	"github.com/neuronward/neuronward/normalize"
	"github.com/neuronward/neuronward/normalize/sse"
)

// maxInput is how much of standard input is read: an error body, and headers before it.
const maxInput = normalize.MaxErrorBody + 64<<10

// A finding is what a pasted failure was recognized as.
type finding struct {
	ReadAs     string              `json:"read_as"` // what the input was taken for
	Name       string              `json:"name"`
	Number     int                 `json:"number"`
	Status     int                 `json:"status"` // what an app would get
	MatchedBy  normalize.MatchedBy `json:"matched_by"`
	Message    string              `json:"message"`
	Recognized bool                `json:"recognized"` // false: an unknown number, or nothing fitted
	Retryable  bool                `json:"retryable"`
	Entry      entryJSON           `json:"entry"`

	entry *normalize.Entry
}

// recognize says which failure text is; the error says why it is none.
func recognize(text []byte) (*finding, error) {
	if len(bytes.TrimSpace(text)) == 0 {
		return nil, errors.New("standard input is empty; give it a body, or a whole response as curl -i prints it")
	}
	a, err := readAnswer(text)
	if err != nil {
		return nil, err
	}
	if f, ok := normalize.Parse(a.body); ok {
		return newFinding(f, "an envelope of neuronward"), nil
	}
	if f := firstFailure(a.body); f != nil {
		return newFinding(f, "an event of a stream"), nil
	}
	switch {
	case a.status == 0:
		// The status is made up, so the body itself must say what it is.
		failure := normalize.Classify(http.StatusInternalServerError, a.header, a.body)
		f := newFinding(failure, "a body without a status line")
		if f.MatchedBy == normalize.MatchedStatus && f.Number == f.entry.Number {
			return nil, errors.New("nothing in this body says what failed; " +
				"give the status line and headers too, as curl -i prints them")
		}
		return f, nil
	case a.status < http.StatusBadRequest && !normalize.IsFailure(a.body):
		return nil, errors.New("HTTP " + strconv.Itoa(a.status) + " with this body is no failure")
	}
	failure := normalize.Classify(a.status, a.header, a.body)
	return newFinding(failure, "an HTTP response, status "+strconv.Itoa(a.status)), nil
}

func newFinding(f *normalize.Failure, readAs string) *finding {
	e, r := f.Code.Entry(), f.Resolved()
	return &finding{
		ReadAs: readAs, Name: e.Slug, Number: r.Number, Status: r.Status, MatchedBy: r.MatchedBy,
		Message: r.Message, Recognized: !f.Unclassified, Retryable: f.Retryable(), Entry: newEntryJSON(e), entry: e,
	}
}

// knownBy says in words how the failure was recognized.
func (f *finding) knownBy() string {
	words := map[normalize.MatchedBy]string{
		normalize.MatchedCode:      "its code",
		normalize.MatchedAlias:     "its code, another number for " + strconv.Itoa(f.entry.Number),
		normalize.MatchedText:      "its text, which decides before the code",
		normalize.MatchedStatus:    "its HTTP status alone",
		normalize.MatchedTransport: "how the connection failed",
		normalize.MatchedBudget:    "a budget of neuronward",
		normalize.MatchedRate:      "a rate of neuronward",
		normalize.MatchedRequest:   "the request, which neuronward refused",
		normalize.MatchedLatched:   "what Cloudflare said of an earlier call",
	}[f.MatchedBy]
	if words == "" {
		return string(f.MatchedBy)
	}
	return string(f.MatchedBy) + ": " + words
}

// firstFailure returns the first event in body that is a failure, nil when body is no event stream or has none.
func firstFailure(body []byte) *normalize.Failure {
	body = bytes.TrimSpace(body)
	if !sse.IsStream(body) {
		return nil
	}
	for len(body) > 0 {
		var event []byte
		event, body = sse.Cut(body)
		if f := normalize.ClassifyEvent(event); f != nil {
			return f
		}
	}
	return nil
}

// An answer is what was read from standard input. Without a status line the status is 0.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// readAnswer splits text into status line, headers and body. It is more lenient than http.ReadResponse, since what
// people paste went through a terminal and a client: the version may be HTTP/2, interim responses may come before the
// real one, and the body is no longer chunked though a header says so.
func readAnswer(text []byte) (answer, error) {
	text = bytes.TrimLeft(text, " \t\r\n")
	if !bytes.HasPrefix(text, []byte("HTTP/")) {
		header := http.Header{}
		if b := bytes.TrimSpace(text); b[0] == '{' || b[0] == '[' {
			header.Set("Content-Type", "application/json")
		}
		return answer{header: header, body: text}, nil
	}
	for {
		r := bufio.NewReader(bytes.NewReader(text))
		tp := textproto.NewReader(r)
		line, err := tp.ReadLine()
		fields := strings.Fields(line)
		if err != nil || len(fields) < 2 {
			return answer{}, errors.New("the status line cannot be read; it looks like HTTP/1.1 429 Too Many Requests")
		}
		status, err := strconv.Atoi(fields[1])
		if err != nil || status < 100 || status > 999 {
			return answer{}, errors.New("the status line has no status; it looks like HTTP/1.1 429 Too Many Requests")
		}
		header, err := tp.ReadMIMEHeader()
		if err != nil && !errors.Is(err, io.EOF) {
			return answer{}, errors.New("the headers cannot be read; an empty line must be between them and the body")
		}
		body, err := io.ReadAll(r)
		if err != nil {
			return answer{}, err
		}
		if bytes.HasPrefix(body, []byte("HTTP/")) {
			text = body
			continue
		}
		a := answer{status: status, header: http.Header(header), body: body}
		if strings.EqualFold(a.header.Get("Transfer-Encoding"), "chunked") {
			if whole, err := io.ReadAll(httputil.NewChunkedReader(bytes.NewReader(body))); err == nil {
				a.body = whole
			}
		}
		return a, nil
	}
}
