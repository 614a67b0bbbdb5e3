package config

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/neuronward/neuronward/cmd/neuronward/certtest"
)

const anEndpoint = "OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318"

func TestTelemetryIsOffWithoutAnEndpoint(t *testing.T) {
	for _, set := range []string{
		"OTEL_SERVICE_NAME=a", "OTEL_TRACES_EXPORTER=otlp", "OTEL_METRICS_EXPORTER=otlp",
		anEndpoint + "\nOTEL_TRACES_EXPORTER=none", anEndpoint + "\nOTEL_SDK_DISABLED=TRUE",
		anEndpoint + "\nOTEL_SDK_DISABLED=true\nOTEL_EXPORTER_OTLP_PROTOCOL=grpc", "OTEL_EXPORTER_OTLP_ENDPOINT= ",
	} {
		c, err := Load(environ(strings.Split(set, "\n")...), new(Redactor))
		if err != nil || c.Telemetry.On() {
			t.Errorf("%q: got mistakes %v, exported %t; want none", set, err, c.Telemetry.On())
		}
	}
}

func TestTelemetryValues(t *testing.T) {
	authority := filepath.Join(t.TempDir(), "ca.pem")
	pair := certtest.New(t, 1, time.Now())
	if err := os.WriteFile(authority, pair.Cert, 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Load(environ(
		"OTEL_EXPORTER_OTLP_ENDPOINT=https://collector:4318/base/",
		"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://[::1]:1/x",
		"OTEL_EXPORTER_OTLP_HEADERS=authorization=Bearer%20abc%2Cdef, x-scope = team",
		"OTEL_EXPORTER_OTLP_METRICS_HEADERS=x-scope=other",
		"OTEL_EXPORTER_OTLP_TIMEOUT=2000", "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT=1500",
		"OTEL_EXPORTER_OTLP_COMPRESSION=gzip",
		"OTEL_EXPORTER_OTLP_METRICS_CERTIFICATE="+authority, "OTEL_METRICS_EXPORTER=otlp",
		"OTEL_RESOURCE_ATTRIBUTES=service.name=ignored,deployment.environment.name=a%20b", "OTEL_SERVICE_NAME=gateway",
		"OTEL_TRACES_SAMPLER=parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG=0.25", "OTEL_PROPAGATORS=baggage",
		"OTEL_BSP_MAX_QUEUE_SIZE=100", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE=10", "OTEL_METRIC_EXPORT_INTERVAL=1000",
	), new(Redactor))
	if err != nil {
		t.Fatal(err)
	}
	o := c.Telemetry
	for _, got := range []struct {
		what      string
		got, want any
	}{
		{"URL of traces", o.Traces.URL.String(), "http://[::1]:1/x"},
		{"URL of metrics", o.Metrics.URL.String(), "https://collector:4318/base/v1/metrics"},
		{"header of traces", o.Traces.Headers["authorization"], "Bearer abc,def"},
		{"second header of traces", o.Traces.Headers["x-scope"], "team"},
		{"header of metrics", o.Metrics.Headers["x-scope"], "other"},
		{"number of headers of metrics", len(o.Metrics.Headers), 1},
		{"timeout of traces", o.Traces.Timeout, 1500 * time.Millisecond},
		{"timeout of metrics", o.Metrics.Timeout, 2 * time.Second},
		{"gzip", o.Traces.Gzip, true},
		{"TLS of traces", o.Traces.TLS == nil, true},
		{"TLS of metrics", o.Metrics.TLS != nil && o.Metrics.TLS.RootCAs != nil, true},
		{"service", o.Service, "gateway"},
		{"attribute", o.Resource["deployment.environment.name"], "a b"},
		{"sampler", o.Sampler, "parentbased_traceidratio"},
		{"ratio", o.Ratio, 0.25},
		{"propagate", o.Propagate, false},
		{"queue", o.MaxQueue, 100},
		{"batch", o.MaxBatch, 10},
		{"delay", o.Delay, 5 * time.Second},
		{"interval", o.Interval, time.Second},
	} {
		if got.got != got.want {
			t.Errorf("%s: got %v, want %v", got.what, got.got, got.want)
		}
	}
}

func TestTelemetryMistakes(t *testing.T) {
	for _, c := range []struct{ set, want string }{
		{
			"OTEL_EXPORTER_OTLP_PROTOCOL=grpc",
			`^OTEL_EXPORTER_OTLP_PROTOCOL: "grpc" is not supported; write http/protobuf, and name the .* 4318`,
		},
		{"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL=http/json", `^OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: .* not supported`},
		{"OTEL_EXPORTER_OTLP_ENDPOINT=collector:4318", `^OTEL_EXPORTER_OTLP_ENDPOINT: does not begin with http`},
		{"OTEL_EXPORTER_OTLP_ENDPOINT=http://u:hidden-word@h", `^OTEL_EXPORTER_OTLP_ENDPOINT: holds a user`},
		{"OTEL_EXPORTER_OTLP_ENDPOINT=http://h/?key=hidden-word", `^OTEL_EXPORTER_OTLP_ENDPOINT: holds more than`},
		{"OTEL_EXPORTER_OTLP_HEADERS=hidden-word", `^OTEL_EXPORTER_OTLP_HEADERS: is no list; write key=value`},
		{"OTEL_EXPORTER_OTLP_HEADERS=a hidden-word=1", `^OTEL_EXPORTER_OTLP_HEADERS: names a header that cannot be`},
		{"OTEL_EXPORTER_OTLP_TIMEOUT=10s", `^OTEL_EXPORTER_OTLP_TIMEOUT: "10s" is not a whole number .* 10000`},
		{"OTEL_EXPORTER_OTLP_COMPRESSION=zstd", `^OTEL_EXPORTER_OTLP_COMPRESSION: "zstd" is none of its values`},
		{"OTEL_EXPORTER_OTLP_CERTIFICATE=/nowhere.pem", `^OTEL_EXPORTER_OTLP_CERTIFICATE: cannot be read`},
		{"OTEL_EXPORTER_OTLP_CLIENT_KEY=/nowhere.pem", `^OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE: .*are no pair`},
		{"OTEL_TRACES_EXPORTER=zipkin", `^OTEL_TRACES_EXPORTER: "zipkin" is none of its values; write otlp or none$`},
		{"OTEL_TRACES_SAMPLER=jaeger_remote", `^OTEL_TRACES_SAMPLER: "jaeger_remote" is none of its values`},
		{"OTEL_TRACES_SAMPLER=traceidratio\nOTEL_TRACES_SAMPLER_ARG=2", `^OTEL_TRACES_SAMPLER_ARG: "2" is not a share`},
		{"OTEL_PROPAGATORS=tracecontext,b3", `^OTEL_PROPAGATORS: "b3" is not supported`},
		{"OTEL_BSP_MAX_QUEUE_SIZE=10", `^OTEL_BSP_MAX_EXPORT_BATCH_SIZE: 512 is more than .*SIZE \(10\)`},
		{"OTEL_SDK_DISABLED=yes", `^OTEL_SDK_DISABLED: "yes" is none of its values; write false or true$`},
	} {
		_, err := Load(environ(strings.Split(c.set, "\n")...), new(Redactor))
		mistakes, _ := errors.AsType[Mistakes](err)
		if len(mistakes) != 1 || !regexp.MustCompile(c.want).MatchString(mistakes[0].Error()) {
			t.Errorf("%s: got %q, want one that matches %s", c.set, mistakes, c.want)
		}
		if strings.Contains(mistakes.Error(), "hidden-word") {
			t.Errorf("%s: got the secret in %q, want it nowhere", c.set, mistakes)
		}
	}
}

func TestTelemetryWarnings(t *testing.T) {
	pair := certtest.NewFiles(t, certtest.New(t, 1, time.Now()))
	const (
		both    = "\nOTEL_METRICS_EXPORTER=otlp"
		notUsed = `is not used: OTEL_EXPORTER_OTLP_ENDPOINT begins with http://.*; write https:// there, or unset`
	)
	certificate, key := "\nOTEL_EXPORTER_OTLP_CERTIFICATE="+pair.Cert, "OTEL_EXPORTER_OTLP_TRACES_CLIENT_"
	for _, c := range []struct{ set, want string }{
		{"OTEL_EXPORTER_OTLP_ENDPIONT=http://h", `^OTEL_EXPORTER_OTLP_ENDPIONT: .*mean OTEL_EXPORTER_OTLP_ENDPOINT\?$`},
		{"OTEL_EXPORTER_OTLP_ENDPOINT=http://h:4317", `^OTEL_EXPORTER_OTLP_ENDPOINT: names port 4317`},
		{
			"OTEL_EXPORTER_OTLP_ENDPOINT=http://h\nOTEL_EXPORTER_OTLP_TRACES_HEADERS=a=b",
			`^OTEL_EXPORTER_OTLP_TRACES_HEADERS: they go unencrypted to another machine`,
		},
		{anEndpoint + "\nOTEL_TRACES_SAMPLER_ARG=0.1", `^OTEL_TRACES_SAMPLER_ARG: is not used`},
		{anEndpoint + both + certificate, `^OTEL_EXPORTER_OTLP_CERTIFICATE: ` + notUsed + ` this one$`},
		{
			anEndpoint + "\n" + key + "CERTIFICATE=" + pair.Cert + "\n" + key + "KEY=" + pair.Key,
			`^OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE: ` + notUsed + ` this one$`,
		},
		{"OTEL_EXPORTER_OTLP_ENDPOINT=https://h" + both + certificate, ``},
		{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=https://h\n" + anEndpoint + certificate, ``}, // no metrics are exported
		{"OTEL_METRICS_EXPORTER=otlp", `^OTEL_METRICS_EXPORTER: has no effect`},
		{anEndpoint + "\nOTEL_BLRP_SCHEDULE_DELAY=1\nOTEL_LOGS_EXPORTER=otlp\nOTEL_METRICS_EXPORTER=prometheus", ``},
	} {
		given := append(strings.Split(c.set, "\n"), "CLOUDFLARE_API_TOKEN="+fakeToken)
		got, err := Load(environ(given...), new(Redactor))
		if err != nil {
			t.Errorf("%s: got %v, want no mistake", c.set, err)
		}
		text := strings.Join(got.Warnings, "\n")
		if !regexp.MustCompile(c.want).MatchString(text) || c.want == "" && text != "" {
			t.Errorf("%s: got warnings %q, want %s", c.set, text, c.want)
		}
	}
}

// Headers of the collector are secrets: no setting shows them, and whatever is written is cleaned of them.
func TestTelemetryHeadersAreHidden(t *testing.T) {
	red := new(Redactor)
	c, err := Load(environ(anEndpoint, "OTEL_EXPORTER_OTLP_HEADERS=authorization=Bearer%20hidden-word,x-scope=1"), red)
	if err != nil {
		t.Fatal(err)
	}
	var shown strings.Builder
	w := red.Writer(&shown)
	w.Write([]byte("hidden-word Bearer hidden-word 1"))
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	if got, want := shown.String(), "[redacted] [redacted] 1"; got != want {
		t.Errorf("written: got %q, want %q", got, want)
	}
	seen := map[string]string{}
	for _, s := range c.Settings() {
		seen[s.Variable] = s.Value
	}
	for name, want := range map[string]string{
		"OTEL_EXPORTER_OTLP_HEADERS":  "set, 44 characters",
		"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318", "OTEL_SERVICE_NAME": "neuronward",
		"OTEL_TRACES_SAMPLER": "parentbased_always_on",
	} {
		if seen[name] != want {
			t.Errorf("%s: got %q, want %q", name, seen[name], want)
		}
	}
}

// What is refused where it is used is not shown where it is not.
func TestAnEndpointWithSecretsIsHidden(t *testing.T) {
	for _, url := range []string{"http://user:short@h", "http://h/?key=short"} {
		c, err := Load(environ("OTEL_SDK_DISABLED=true", "OTEL_EXPORTER_OTLP_ENDPOINT="+url), new(Redactor))
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range c.Settings() {
			if strings.Contains(s.Value, "short") {
				t.Errorf("%s: got %q, want no secret", s.Variable, s.Value)
			}
		}
	}
}
