package proxy

import (
	"context"
	"log/slog"
	"strconv"
	"time"

	"github.com/neuronward/neuronward/metrics"
	"github.com/neuronward/neuronward/normalize"
)

// logCall writes the one line of a call. What the operator must mend is louder
// than what callers get wrong.
func (p *Proxy) logCall(c *call, result string, took time.Duration) {
	level, message := slog.LevelInfo, "call"
	if f := c.failure; f != nil {
		message = "call failed"
		switch f.Fault {
		case normalize.FaultOperator:
			level = slog.LevelError
		case normalize.FaultUpstream, normalize.FaultProxy, normalize.FaultAccount:
			level = slog.LevelWarn
		case normalize.FaultCaller:
		}
		if result == metrics.ResultClientGone {
			level, message = slog.LevelInfo, "caller left"
		}
	}
	ctx := context.Background()
	if !p.log.Enabled(ctx, level) {
		return
	}
	var fields [20]slog.Attr
	attrs := append(fields[:0],
		slog.String("request_id", c.requestID),
		slog.String("client", c.client),
		slog.String("route", c.routeName()),
		slog.String("model", c.modelText),
		slog.Bool("stream", c.stream),
		slog.Int("status", c.writer.status),
	)
	if f := c.failure; f != nil {
		attrs = append(attrs,
			slog.String("name", f.Code.String()),
			slog.Int("number", f.Number),
			slog.String("origin", string(f.Origin)),
			slog.String("fault", string(f.Fault)),
			slog.String("message", f.Message),
		)
		if f.Err != nil {
			attrs = append(attrs, slog.String("err", c.redact(f.Err.Error())))
		}
	}
	attrs = append(attrs,
		slog.Int("attempts", c.attempts),
		slog.Float64("first_byte_ms", milliseconds(c.firstByte)),
		slog.Float64("duration_ms", milliseconds(took)),
	)
	if n := c.neuronsText(); n != "" {
		attrs = append(attrs, slog.String("neurons", n))
	}
	if c.attempt.upstream.request != "" {
		attrs = append(attrs, slog.String("cf_ai_req_id", c.attempt.upstream.request))
	}
	if c.attempt.upstream.ray != "" {
		attrs = append(attrs, slog.String("cf_ray", c.attempt.upstream.ray))
	}
	p.log.LogAttrs(ctx, level, message, attrs...)
}

// neuronsText is what the call cost: as it was settled, else as upstream's header
// says.
func (c *call) neuronsText() string {
	if c.settlement == nil {
		return c.attempt.neurons
	}
	return strconv.FormatFloat(c.settlement.Neurons.Float(), 'f', -1, 64)
}

// milliseconds rounds to microseconds: more digits are noise.
func milliseconds(d time.Duration) float64 {
	return float64(d.Microseconds()) / 1000
}
