package proxy

import (
	"io"

	"github.com/neuronward/neuronward/proxy/meter"
)

// A meteredBody is the body of an answer that is streamed unchanged: what was inspected, then the rest as upstream
// sends it. It gives the bytes to the call's meter and records why it ended early.
type meteredBody struct {
	call    *call
	src     io.ReadCloser
	buffers *buffers
	buf     []byte       // the pooled buffer behind ahead
	ahead   []byte       // inspected, not yet read
	end     error        // what follows ahead; nil: more from src
	meter   *meter.Meter // of an answer that says what it cost; nil: of none
}

// Read implements io.Reader.
func (b *meteredBody) Read(p []byte) (int, error) {
	if len(b.ahead) > 0 {
		n := copy(p, b.ahead)
		b.ahead = b.ahead[n:]
		return n, nil
	}
	if b.end != nil {
		return 0, b.end
	}
	n, err := b.call.watch.Read(b.src, p)
	if b.meter != nil {
		b.meter.Write(p[:n])
	}
	if err != nil && err != io.EOF {
		b.call.fail(b.call.broken(err))
	}
	return n, err
}

// Close implements io.Closer.
func (b *meteredBody) Close() error {
	if b.buf != nil {
		b.buffers.Put(b.buf)
		b.buf, b.ahead = nil, nil
	}
	return b.src.Close()
}
