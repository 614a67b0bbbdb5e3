package tracing

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// scope names the instrumentation.
const scope = "github.com/neuronward/neuronward"

// A Tracer makes the spans and the metrics of calls. The nil Tracer makes none.
type Tracer struct {
	spans     trace.Tracer // nil: none
	propagate bool
	genAI     *instruments // nil: none
	queue     *queue

	provider *sdktrace.TracerProvider
	meters   *sdkmetric.MeterProvider
}

// New returns a Tracer that exports what o says, nil for nothing. It connects to nobody yet. The library reports its
// own errors process-wide: they go to the log of the last Tracer that was made.
func New(ctx context.Context, o Options) (*Tracer, error) {
	if !o.On() {
		return nil, nil //nolint:nilnil // the nil Tracer is the one that does nothing
	}
	o.setDefaults()
	otel.SetLogger(logr.FromSlogHandler(o.Log.Handler()))
	exporters := newLosses(o.Log, "OpenTelemetry reports an error")
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { exporters.add(1, err) }))
	res, err := o.resource(ctx)
	if err != nil {
		return nil, err
	}
	t := &Tracer{propagate: o.Propagate}
	if o.Traces.On() {
		if err := t.exportSpans(ctx, &o, res); err != nil {
			return nil, err
		}
	}
	if o.Metrics.On() {
		if err := t.exportMetrics(ctx, &o, res); err != nil {
			return nil, errors.Join(err, t.Close(ctx))
		}
	}
	return t, nil
}

// setDefaults completes what o leaves out.
func (o *Options) setDefaults() {
	o.Service = cmp.Or(o.Service, "neuronward")
	o.MaxQueue = cmp.Or(o.MaxQueue, sdktrace.DefaultMaxQueueSize)
	o.MaxBatch = min(cmp.Or(o.MaxBatch, sdktrace.DefaultMaxExportBatchSize), o.MaxQueue)
	o.Delay = cmp.Or(o.Delay, sdktrace.DefaultScheduleDelay*time.Millisecond)
	o.MaxExport = cmp.Or(o.MaxExport, sdktrace.DefaultExportTimeout*time.Millisecond)
	o.Interval = cmp.Or(o.Interval, time.Minute)
	o.MaxCollect = cmp.Or(o.MaxCollect, 30*time.Second)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
}

// resource describes the process. What the operator says of it replaces what is found.
func (o *Options) resource(ctx context.Context) (*resource.Resource, error) {
	own := []attribute.KeyValue{
		attribute.String("service.instance.id", rand.Text()), attribute.String("service.version", o.Version),
	}
	for key, value := range o.Resource {
		own = append(own, attribute.String(key, value))
	}
	own = append(own, attribute.String("service.name", o.Service))
	return resource.New(ctx, resource.WithTelemetrySDK(), resource.WithHost(), resource.WithAttributes(own...))
}

func (t *Tracer) exportSpans(ctx context.Context, o *Options, res *resource.Resource) error {
	e := &o.Traces
	options := []otlptracehttp.Option{
		otlptracehttp.WithEndpointURL(e.URL.String()), otlptracehttp.WithHeaders(e.Headers),
		otlptracehttp.WithHTTPClient(e.client()), otlptracehttp.WithTLSClientConfig(nil),
		otlptracehttp.WithCompression(otlptracehttp.NoCompression),
	}
	if e.Gzip {
		options = append(options, otlptracehttp.WithCompression(otlptracehttp.GzipCompression))
	}
	exporter, err := otlptracehttp.New(ctx, options...)
	if err != nil {
		return err
	}
	t.queue = newQueue(exporter, o)
	t.provider = sdktrace.NewTracerProvider(
		sdktrace.WithResource(res), sdktrace.WithSampler(o.sampler()), sdktrace.WithSpanProcessor(t.queue),
	)
	t.spans = t.provider.Tracer(scope, trace.WithInstrumentationVersion(o.Version), trace.WithSchemaURL(schemaURL))
	return nil
}

func (t *Tracer) exportMetrics(ctx context.Context, o *Options, res *resource.Resource) error {
	e := &o.Metrics
	options := []otlpmetrichttp.Option{
		otlpmetrichttp.WithEndpointURL(e.URL.String()), otlpmetrichttp.WithHeaders(e.Headers),
		otlpmetrichttp.WithHTTPClient(e.client()), otlpmetrichttp.WithTLSClientConfig(nil),
		otlpmetrichttp.WithCompression(otlpmetrichttp.NoCompression),
	}
	if e.Gzip {
		options = append(options, otlpmetrichttp.WithCompression(otlpmetrichttp.GzipCompression))
	}
	exporter, err := otlpmetrichttp.New(ctx, options...)
	if err != nil {
		return err
	}
	reader := sdkmetric.NewPeriodicReader(exporter, sdkmetric.WithInterval(o.Interval),
		sdkmetric.WithTimeout(o.MaxCollect))
	t.meters = sdkmetric.NewMeterProvider(sdkmetric.WithResource(res), sdkmetric.WithReader(reader))
	t.genAI, err = newInstruments(t.meters, o.Version)
	return err
}

// Close sends what waits, until ctx ends, and lets go of the rest. Spans and metrics may have different endpoints:
// neither waits for the other.
func (t *Tracer) Close(ctx context.Context) error {
	if t == nil {
		return nil
	}
	var both sync.WaitGroup
	var spans, metrics error
	if t.provider != nil {
		both.Go(func() {
			spans = t.provider.Shutdown(ctx)
			t.queue.close()
		})
	}
	if t.meters != nil {
		both.Go(func() { metrics = t.meters.Shutdown(ctx) })
	}
	both.Wait()
	return brief(errors.Join(spans, metrics))
}

// Dropped returns how many spans were lost so far: by a queue that was full, or because the collector did not take
// them.
func (t *Tracer) Dropped() int64 {
	if t == nil || t.queue == nil {
		return 0
	}
	return t.queue.lost.total.Load()
}
