package tracing

import (
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.41.0"
	"go.opentelemetry.io/otel/semconv/v1.41.0/genaiconv"
)

// The semantic conventions are those of version 1.41.0, the last release that has those of generative AI. They have
// moved to a repository of their own since, which has no release yet.
const schemaURL = semconv.SchemaURL

// Provider is the gen_ai.provider.name of Workers AI. The conventions know none for it.
const Provider = "cloudflare.workers_ai"

// Names of our own.
const (
	keyNeurons     = attribute.Key("neuronward.neurons")
	keyClient      = attribute.Key("neuronward.client")
	keyRequestID   = attribute.Key("neuronward.request_id")
	keyResult      = attribute.Key("neuronward.result")
	keyAttempts    = attribute.Key("neuronward.attempts")
	keyWouldRefuse = attribute.Key("neuronward.would_refuse")
	keyWaited      = attribute.Key("neuronward.waited") // seconds
	keyRay         = attribute.Key("cloudflare.ray_id")

	eventRateWait   = "neuronward.rate_wait"
	eventQuotaWait  = "neuronward.quota_wait"
	eventFirstToken = "neuronward.first_token"
)

// operations are the values of gen_ai.operation.name by task. Other tasks have their own name, as the conventions
// allow.
var operations = map[string]string{
	"":                string(genaiconv.OperationNameChat),
	"text-generation": string(genaiconv.OperationNameChat),
	"text-embeddings": string(genaiconv.OperationNameEmbeddings),
	"text-to-image":   string(genaiconv.OperationNameGenerateContent),
	"text-to-speech":  string(genaiconv.OperationNameGenerateContent),
	"image-to-text":   string(genaiconv.OperationNameGenerateContent),
}

// instruments are the metrics of attempts.
type instruments struct {
	tokens   genaiconv.ClientTokenUsage
	duration genaiconv.ClientOperationDuration
	first    genaiconv.ClientOperationTimeToFirstChunk
}

func newInstruments(meters metric.MeterProvider, version string) (*instruments, error) {
	m := meters.Meter(scope, metric.WithInstrumentationVersion(version), metric.WithSchemaURL(schemaURL))
	in := new(instruments)
	var err error
	if in.tokens, err = genaiconv.NewClientTokenUsage(m, metric.WithExplicitBucketBoundaries(
		1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864)); err != nil {
		return nil, err
	}
	if in.duration, err = genaiconv.NewClientOperationDuration(m, metric.WithExplicitBucketBoundaries(
		0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)); err != nil {
		return nil, err
	}
	in.first, err = genaiconv.NewClientOperationTimeToFirstChunk(m, metric.WithExplicitBucketBoundaries(
		0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10))
	return in, err
}
