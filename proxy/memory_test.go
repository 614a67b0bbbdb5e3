package proxy

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
)

// inMemory is a transport to a handler in the same process, without a network:
// under testing/synctest whole days of streams pass in no time.
type inMemory struct{ handler http.Handler }

func (m inMemory) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancel(r.Context())
	inbound := r.Clone(ctx)
	inbound.RequestURI = r.URL.RequestURI()
	if inbound.Body == nil {
		inbound.Body = http.NoBody
	}
	if _, streams := r.Body.(*upload); r.Body != nil && !streams {
		// As net/http does: the call is written before anybody answers.
		body := bufio.NewReader(r.Body)
		_, _ = body.Peek(1)
		inbound.Body = io.NopCloser(body)
	}
	reader, writer := io.Pipe()
	w := &pipeWriter{header: http.Header{}, pipe: writer, committed: make(chan struct{})}
	go func() {
		defer cancel()
		defer func() {
			if v := recover(); v != nil {
				w.commit(http.StatusOK)
				writer.CloseWithError(io.ErrUnexpectedEOF)
				return
			}
			w.commit(http.StatusOK)
			writer.Close()
		}()
		m.handler.ServeHTTP(w, inbound)
	}()
	select {
	case <-w.committed:
	case <-ctx.Done():
		reader.CloseWithError(context.Cause(ctx))
		return nil, context.Cause(ctx)
	}
	// As net/http does: who leaves ends the body, too.
	stop := context.AfterFunc(r.Context(), func() { reader.CloseWithError(context.Cause(r.Context())) })
	return &http.Response{
		StatusCode: w.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: w.sent, ContentLength: -1,
		Request: r,
		Body:    &pipeBody{PipeReader: reader, end: func() { stop(); cancel() }},
	}, nil
}

type pipeBody struct {
	*io.PipeReader
	end func()
}

func (b *pipeBody) Close() error {
	b.end()
	return b.CloseWithError(errors.New("the caller of upstream left"))
}

// pipeWriter is the ResponseWriter of such a call.
type pipeWriter struct {
	header    http.Header
	sent      http.Header
	status    int
	once      sync.Once
	committed chan struct{}
	pipe      *io.PipeWriter
}

func (w *pipeWriter) Header() http.Header    { return w.header }
func (w *pipeWriter) WriteHeader(status int) { w.commit(status) }
func (w *pipeWriter) Flush()                 { w.commit(http.StatusOK) }

func (w *pipeWriter) Write(p []byte) (int, error) {
	w.commit(http.StatusOK)
	return w.pipe.Write(p)
}

func (w *pipeWriter) commit(status int) {
	w.once.Do(func() {
		w.status, w.sent = status, w.header.Clone()
		close(w.committed)
	})
}

// virtually runs f in virtual time, on one processor: the race detector of Go
// 1.26 crashes when two processors fire timers of one bubble at once, as the
// flushes of many streams make them do.
func virtually(t *testing.T, f func(*testing.T)) {
	t.Helper()
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	synctest.Test(t, f)
}
