package config

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
)

const otlpPrefix = "OTEL_EXPORTER_OTLP_"

// An otelVariable is a row of the table of OpenTelemetry's variables.
type otelVariable struct {
	name, value, doc string // value is the default
	signals          bool   // it exists for each signal as well
	main             bool   // help texts have it, and check shows it with its default
}

var otelVariables = []otelVariable{
	{
		name: "OTEL_EXPORTER_OTLP_ENDPOINT", signals: true, main: true,
		doc: "the collector's HTTP receiver, such as http://127.0.0.1:4318; traces go to /v1/traces below it, " +
			"metrics to /v1/metrics. Without it nothing is exported. The form for one signal is the whole URL",
	},
	{
		name: "OTEL_EXPORTER_OTLP_HEADERS", signals: true, main: true,
		doc: "headers for the collector: key=value,key=value; never shown",
	},
	{
		name: "OTEL_EXPORTER_OTLP_PROTOCOL", value: "http/protobuf", signals: true,
		doc: "http/protobuf and nothing else: grpc is refused",
	},
	{
		name: "OTEL_EXPORTER_OTLP_TIMEOUT", value: "10000", signals: true,
		doc: "milliseconds that one request to the collector may take",
	},
	{name: "OTEL_EXPORTER_OTLP_COMPRESSION", value: "none", signals: true, doc: "gzip or none"},
	{
		name: "OTEL_EXPORTER_OTLP_CERTIFICATE", signals: true,
		doc: "PEM file of the authorities that the collector's certificate is checked by, instead of the system's",
	},
	{
		name: "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", signals: true,
		doc: "PEM file of the certificate that is shown to the collector",
	},
	{name: "OTEL_EXPORTER_OTLP_CLIENT_KEY", signals: true, doc: "PEM file of that certificate's key"},
	{
		name: "OTEL_SERVICE_NAME", value: "neuronward", main: true,
		doc: "service.name of all that is exported",
	},
	{
		name: "OTEL_RESOURCE_ATTRIBUTES",
		doc:  "further attributes of the process: key=value,key=value",
	},
	{
		name: "OTEL_TRACES_SAMPLER", value: "parentbased_always_on", main: true,
		doc: "which traces are exported: always_on, always_off, traceidratio, or one of these after parentbased_, " +
			"which does as the caller's traceparent says where there is one",
	},
	{name: "OTEL_TRACES_SAMPLER_ARG", value: "1", doc: "the share of traces that traceidratio exports, from 0 to 1"},
	{name: "OTEL_TRACES_EXPORTER", value: "otlp", doc: "otlp, or none for no traces"},
	{
		name: "OTEL_METRICS_EXPORTER", value: "none", main: true,
		doc: "otlp exports metrics named gen_ai.* as well; those at /metrics stay",
	},
	{
		name: "OTEL_PROPAGATORS", value: "tracecontext,baggage",
		doc: "without tracecontext a caller's traceparent is sent on unchanged, and each call begins a trace; " +
			"baggage is sent on in any case",
	},
	{name: "OTEL_BSP_SCHEDULE_DELAY", value: "5000", doc: "milliseconds that a span waits for others"},
	{
		name: "OTEL_BSP_EXPORT_TIMEOUT", value: "30000",
		doc: "milliseconds that one export may take, with its repetitions",
	},
	{
		name: "OTEL_BSP_MAX_QUEUE_SIZE", value: "2048",
		doc: "spans that wait for the collector; more are dropped and counted",
	},
	{name: "OTEL_BSP_MAX_EXPORT_BATCH_SIZE", value: "512", doc: "spans in one export"},
	{name: "OTEL_METRIC_EXPORT_INTERVAL", value: "60000", doc: "milliseconds between two exports of metrics"},
	{name: "OTEL_METRIC_EXPORT_TIMEOUT", value: "30000", doc: "milliseconds that one of them may take"},
	{name: "OTEL_SDK_DISABLED", value: "false", doc: "true exports nothing, whatever else is set"},
}

// signals are the parts of a name that stand for one signal.
var signals = []string{"TRACES_", "METRICS_"}

// names are the names of a row: the first, and those for single signals.
func (v *otelVariable) names() []string {
	all := []string{v.name}
	if v.signals {
		for _, s := range signals {
			all = append(all, otlpPrefix+s+strings.TrimPrefix(v.name, otlpPrefix))
		}
	}
	return all
}

// otelNames lists every name of OpenTelemetry's that is read.
func otelNames() []string {
	var all []string
	for _, v := range otelVariables {
		all = append(all, v.names()...)
	}
	return all
}

// otelDefault returns the default of a variable.
func otelDefault(name string) string {
	i := slices.IndexFunc(otelVariables, func(v otelVariable) bool { return slices.Contains(v.names(), name) })
	return otelVariables[i].value
}

// TelemetryVariables lists the variables of OpenTelemetry that are read: those that are needed first, or all of them.
func TelemetryVariables(all bool) []Variable {
	var list []Variable
	for _, v := range otelVariables {
		if !all && !v.main {
			continue
		}
		list = append(list, Variable{
			Name: v.name, Default: v.value, Doc: v.doc, Signals: v.signals, Group: "OpenTelemetry",
		})
	}
	return list
}

// otelSecrets are the values of the headers in the environment, but for short ones: those are names of tenants and the
// like, whose letters stand in ordinary words, too.
func otelSecrets(environ map[string]string) []string {
	var secrets []string
	for name, value := range environ {
		switch {
		case !strings.HasPrefix(name, otlpPrefix):
		case strings.HasSuffix(name, "HEADERS"):
			for part := range strings.SplitSeq(value, ",") {
				_, text, _ := strings.Cut(part, "=")
				text = strings.TrimSpace(text)
				secrets = append(secrets, text)
				if plain, err := url.PathUnescape(text); err == nil {
					_, token, _ := strings.Cut(plain, " ") // behind Bearer or Basic
					secrets = append(secrets, plain, token)
				}
			}
		case strings.HasSuffix(name, "ENDPOINT"):
			secrets = append(secrets, passwordIn(value))
		}
	}
	return slices.DeleteFunc(secrets, func(s string) bool { return len(s) < minDerived })
}

// telemetrySettings lists the variables of OpenTelemetry that are set and, where something is exported, the most
// important of the others. The endpoint is always among them.
func (c *Config) telemetrySettings() []Setting {
	var all []Setting
	for _, v := range otelVariables {
		for i, name := range v.names() {
			value := strings.TrimSpace(c.environ[name])
			switch {
			case value == "" && i == 0 && (v.main && c.Telemetry.On() || name == otlpPrefix+"ENDPOINT"):
				all = append(all, Setting{Variable: name, Value: v.value, Source: SourceDefault})
			case value == "":
			case strings.HasSuffix(name, "HEADERS"),
				// It is refused, unless nothing is exported.
				strings.HasSuffix(name, "ENDPOINT") && strings.ContainsAny(value, "@?#"):
				all = append(all, Setting{
					Variable: name, Value: fmt.Sprintf("set, %d characters", len(value)),
					Source: sourceEnvironment,
				})
			default:
				all = append(all, Setting{Variable: name, Value: value, Source: sourceEnvironment})
			}
		}
	}
	return all
}
