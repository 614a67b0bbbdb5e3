package main

import (
	"context"
	"log/slog"
	"time"

	"github.com/neuronward/neuronward/cmd/neuronward/config"
	"github.com/neuronward/neuronward/metrics/tracing"
)

// flushTime is how long the last spans may take at the end: a collector that is down does not keep a process.
const flushTime = 2 * time.Second

// newTracer returns what tells OpenTelemetry of calls, nil where nothing is exported.
func newTracer(c *config.Config, b build, log *slog.Logger) (*tracing.Tracer, error) {
	o := c.Telemetry
	o.Version, o.Log = b.Version, log
	return tracing.New(context.Background(), o)
}

// flush begins to send what a tracer still holds; with cut it gives that up. The function that it returns waits for
// the end of that.
func flush(t *tracing.Tracer, cut bool, log *slog.Logger) (wait func()) {
	ctx, cancel := context.WithTimeout(context.Background(), flushTime)
	if cut {
		cancel()
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := t.Close(ctx); err != nil {
			log.Warn("the last spans or metrics were not sent", "error", err)
		}
	}()
	return func() {
		<-ended
		cancel()
	}
}
