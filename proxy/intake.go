package proxy

import (
	"context"
	"fmt"
	"io"

	"github.com/neuronward/neuronward/metrics"
	"github.com/neuronward/neuronward/normalize"
	"github.com/neuronward/neuronward/proxy/bodybuffer"
	"github.com/neuronward/neuronward/proxy/fairshare"
	"github.com/neuronward/neuronward/proxy/timelimit"
)

// bodies reads request bodies within two limits: the size of one, and what all buffered ones take at once.
type bodies struct {
	max     int64
	pool    *bodybuffer.Pool
	room    *fairshare.Pool // bytes of all buffered bodies
	slowest timelimit.UploadRate
	gateway bool                     // calls go to an AI Gateway
	count   bool                     // the tokens of prompts are counted
	limits  bool                     // calls that name no limit of output tokens get one
	enough  func(model string) int64 // measure.Options.Enough
	metrics *metrics.Metrics
}

// An intake reads the body of one call, and takes room for what is buffered of it.
type intake struct {
	bodies *bodies
	call   *call
	src    io.Reader
	tenant *fairshare.Tenant // of bodies.room
}

// Read implements io.Reader, on the time of the caller. Its errors but for io.EOF are failures.
func (in *intake) Read(p []byte) (int, error) {
	n, err := in.call.fill(in.src, p)
	if err != nil && err != io.EOF {
		err = unreadable(err)
	}
	return n, err
}

// Release implements bodybuffer.Room.
func (in *intake) Release(n int64) { in.bodies.room.Release(in.tenant, n) }

// Acquire implements bodybuffer.Room: it takes n more bytes for a body, and waits for them.
func (in *intake) Acquire(n, held int64) error {
	b, c := in.bodies, in.call
	r := fairshare.Request{Client: c.client, Limited: c.limited(), Amount: n, Held: held}
	if tenant := b.room.TryAcquire(r); tenant != nil {
		in.tenant = tenant
		return nil
	}
	c.own.stop()
	result := b.room.Acquire(c.ctx, r)
	c.own.start()
	switch result.Outcome {
	case fairshare.Granted:
		in.tenant = result.Tenant
		return nil
	case fairshare.Canceled:
		return context.Cause(c.ctx)
	}
	c.preempted(b.metrics, "overload")
	what := "The request bodies held at once have reached this proxy's limit of"
	if result.OverShare {
		what = "The request bodies of your client have used up its share of what this proxy holds at once,"
	}
	return refuse(normalize.Overloaded, fmt.Sprintf("%s %s ({MAX_HELD}).", what, bytesText(b.room.Size())), "")
}
