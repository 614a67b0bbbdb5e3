package tracing

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// A queue holds ended spans for the exporter, so many at most, and counts what is lost: the library's own batches
// would drop spans without a word. It stands before them and behind them.
type queue struct {
	sdktrace.SpanProcessor // makes batches, and has room for max spans
	max                    int64
	waiting                atomic.Int64 // with those that are being exported
	lost                   *losses
}

func newQueue(exporter sdktrace.SpanExporter, o *Options) *queue {
	q := &queue{max: int64(o.MaxQueue), lost: newLosses(o.Log, "spans were dropped: the collector does not take them, "+
		"or not fast enough; calls are not concerned")}
	q.SpanProcessor = sdktrace.NewBatchSpanProcessor(
		exit{exporter, q},
		sdktrace.WithMaxQueueSize(o.MaxQueue), sdktrace.WithMaxExportBatchSize(o.MaxBatch),
		sdktrace.WithBatchTimeout(o.Delay), sdktrace.WithExportTimeout(o.MaxExport),
	)
	return q
}

// OnEnd implements sdktrace.SpanProcessor. It never waits.
func (q *queue) OnEnd(s sdktrace.ReadOnlySpan) {
	if !s.SpanContext().IsSampled() {
		return
	}
	if q.waiting.Add(1) > q.max {
		q.waiting.Add(-1)
		q.lost.add(1, nil)
		return
	}
	q.SpanProcessor.OnEnd(s)
}

// close counts what was not sent before the queue was shut down.
func (q *queue) close() {
	q.lost.add(q.waiting.Load(), nil)
	q.lost.report(nil)
}

// An exit is the exporter of a queue.
type exit struct {
	sdktrace.SpanExporter
	queue *queue
}

// ExportSpans implements sdktrace.SpanExporter.
func (e exit) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	err := e.SpanExporter.ExportSpans(ctx, spans)
	e.queue.waiting.Add(-int64(len(spans)))
	if err != nil {
		e.queue.lost.add(int64(len(spans)), err)
	}
	return nil // it was reported
}

// losses counts what went wrong, and logs it once a minute at most.
type losses struct {
	log     *slog.Logger
	message string
	total   atomic.Int64
	news    atomic.Int64 // not logged yet
	logged  atomic.Int64 // when, in nanoseconds since began; 0: never
	began   time.Time
}

const reportEvery = time.Minute

func newLosses(log *slog.Logger, message string) *losses {
	return &losses{log: log, message: message, began: time.Now().Add(-reportEvery)}
}

// add counts n losses. err is their reason; nil: none is known.
func (l *losses) add(n int64, err error) {
	l.total.Add(n)
	l.news.Add(n)
	last, now := l.logged.Load(), int64(time.Since(l.began))
	if now-last >= int64(reportEvery) && l.logged.CompareAndSwap(last, now) {
		l.report(err)
	}
}

// report logs what was not logged yet.
func (l *losses) report(err error) {
	n := l.news.Swap(0)
	switch {
	case n == 0:
	case err == nil:
		l.log.Warn(l.message, "count", n)
	default:
		l.log.Warn(l.message, "count", n, "error", brief(err))
	}
}

// maxReason is how much of an error is logged, in bytes: it may quote what a collector answered, up to megabytes.
const maxReason = 500

// brief returns an error with so much of its text.
func brief(err error) error {
	if err == nil || len(err.Error()) <= maxReason {
		return err
	}
	return errors.New(strings.ToValidUTF8(err.Error()[:maxReason], "") + "…")
}
