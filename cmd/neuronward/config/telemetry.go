package config

import (
	"crypto/tls"
	"crypto/x509"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/neuronward/neuronward/metrics/tracing"
)

// The variables of OpenTelemetry are read by its own names and rules, not by tags: most exist three times, for all
// signals and for each of the two that this program has, and milliseconds and lists have forms of their own there. An
// empty value is none.

// readTelemetry reads what is exported to OpenTelemetry. Nothing is, unless an endpoint is set.
func (l *loader) readTelemetry() {
	if l.otelChoice("OTEL_SDK_DISABLED", "false", "true") == "true" {
		return
	}
	t := &l.Telemetry
	traces := l.otelChoice("OTEL_TRACES_EXPORTER", "otlp", "none") == "otlp"
	metrics := l.otelChoice("OTEL_METRICS_EXPORTER", "none", "otlp", "prometheus") == "otlp"
	for _, s := range []struct {
		name, path string
		on         bool
		to         *tracing.Exporter
	}{{"TRACES", "/v1/traces", traces, &t.Traces}, {"METRICS", "/v1/metrics", metrics, &t.Metrics}} {
		if exporter := l.readExporter(s.name, s.path); s.on {
			*s.to = exporter
			l.warnOfUnusedTLS(s.name, &exporter)
		}
	}
	t.Service = l.otel("OTEL_SERVICE_NAME")
	t.Resource = l.otelPairs("OTEL_RESOURCE_ATTRIBUTES")
	if t.Service == "" {
		t.Service = t.Resource["service.name"]
	}
	delete(t.Resource, "service.name")
	t.Sampler = l.otelChoice("OTEL_TRACES_SAMPLER", tracing.Samplers()...)
	t.Ratio = l.otelRatio()
	t.Propagate = l.propagates()
	t.MaxQueue = l.otelNumber("OTEL_BSP_MAX_QUEUE_SIZE")
	t.MaxBatch = l.otelNumber("OTEL_BSP_MAX_EXPORT_BATCH_SIZE")
	if t.MaxBatch > t.MaxQueue {
		l.mistakes.add("OTEL_BSP_MAX_EXPORT_BATCH_SIZE",
			"%d is more than OTEL_BSP_MAX_QUEUE_SIZE (%d); lower it or raise the other", t.MaxBatch, t.MaxQueue)
	}
	t.Delay = l.otelTime("OTEL_BSP_SCHEDULE_DELAY")
	t.MaxExport = l.otelTime("OTEL_BSP_EXPORT_TIMEOUT")
	t.Interval = l.otelTime("OTEL_METRIC_EXPORT_INTERVAL")
	t.MaxCollect = l.otelTime("OTEL_METRIC_EXPORT_TIMEOUT")
	l.warnOfTelemetry(metrics)
}

// otel returns the value of a variable, "" for none.
func (l *loader) otel(name string) string { return strings.TrimSpace(l.environ[name]) }

// otelOf returns a variable of the exporters: that of one signal, else that of all.
func (l *loader) otelOf(signal, key string) (value, name string) {
	name = otlpPrefix + signal + "_" + key
	if value = l.otel(name); value != "" {
		return value, name
	}
	name = otlpPrefix + key
	return l.otel(name), name
}

// addOnce adds a mistake in a variable of all signals that both have found.
func (l *loader) addOnce(name, format string, args ...any) {
	if !l.mistakes.in(name) {
		l.mistakes.add(name, format, args...)
	}
}

// readExporter reads how one signal is exported; its URL is nil without an endpoint.
func (l *loader) readExporter(signal, path string) (e tracing.Exporter) {
	endpoint, name := l.otelOf(signal, "ENDPOINT")
	if endpoint != "" {
		e.URL = l.otelURL(name, endpoint)
		if e.URL != nil && name == otlpPrefix+"ENDPOINT" {
			e.URL = e.URL.JoinPath(path)
		}
	}
	switch protocol, name := l.otelOf(signal, "PROTOCOL"); protocol {
	case "", "http/protobuf":
	default:
		l.addOnce(name, "%s is not supported; write http/protobuf, and name the collector's HTTP receiver as the "+
			"endpoint: its port is 4318 as a rule", quoted(protocol))
	}
	switch compression, name := l.otelOf(signal, "COMPRESSION"); compression {
	case "", "none":
	case "gzip":
		e.Gzip = true
	default:
		l.addOnce(name, "%s is none of its values; write gzip or none", quoted(compression))
	}
	_, headers := l.otelOf(signal, "HEADERS")
	e.Headers = l.otelPairs(headers)
	for key := range e.Headers {
		if !headerName().MatchString(key) {
			l.addOnce(headers, "names a header that cannot be; write key=value, with a name such as x-api-key")
		}
	}
	_, timeout := l.otelOf(signal, "TIMEOUT")
	e.Timeout = l.otelTime(timeout)
	e.TLS = l.otelTLS(signal)
	if e.URL != nil && len(e.Headers) > 0 && plain(e.URL) {
		l.warning(headers, "they go unencrypted to another machine; write https:// if the collector has TLS")
	}
	return e
}

// headerName is what a header may be called.
var headerName = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile("^[-!#$%&'*+.^_`|~0-9A-Za-z]+$")
})

func (l *loader) otelURL(name, text string) *url.URL {
	const want = "write one such as http://127.0.0.1:4318"
	u, err := url.Parse(text)
	switch {
	case err != nil:
		l.addOnce(name, "is not a URL; %s", want)
	case u.Scheme != "http" && u.Scheme != "https":
		l.addOnce(name, "does not begin with http:// or https://; %s", want)
	case u.Hostname() == "":
		l.addOnce(name, "has no host; %s", want)
	case u.User != nil:
		l.addOnce(name, "holds a user or a password; put it into OTEL_EXPORTER_OTLP_HEADERS and %s", want)
	case u.RawQuery != "" || u.Fragment != "": // it would not be sent, and may be a key
		l.addOnce(name, "holds more than a path; put keys into OTEL_EXPORTER_OTLP_HEADERS and %s", want)
	default:
		return u
	}
	return nil
}

// otelPairs reads key=value,key=value with escapes of URLs. A value may be a secret.
func (l *loader) otelPairs(name string) map[string]string {
	pairs := map[string]string{}
	for part := range strings.SplitSeq(l.otel(name), ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		key, value, ok := strings.Cut(part, "=")
		key = strings.TrimSpace(key)
		plain, err := url.PathUnescape(strings.TrimSpace(value))
		if !ok || key == "" || err != nil || strings.ContainsFunc(key+plain, unprintable) {
			l.addOnce(name, "is no list; write key=value,key=value, with %%2C for a comma in a value")
			return nil
		}
		pairs[key] = plain
	}
	return pairs
}

func unprintable(r rune) bool { return r < ' ' || r == 0x7f }

// otelChoice reads one of some words, the first of which is the default.
func (l *loader) otelChoice(name string, words ...string) string {
	value := l.otel(name)
	switch at := slices.IndexFunc(words, func(w string) bool { return strings.EqualFold(w, value) }); {
	case value == "":
		return words[0]
	case at >= 0:
		return words[at]
	}
	l.mistakes.add(name, "%s is none of its values; write %s", quoted(value), strings.Join(words, " or "))
	return words[0]
}

// otelRatio reads the share of traces that is sampled.
func (l *loader) otelRatio() float64 {
	const name = "OTEL_TRACES_SAMPLER_ARG"
	value := l.otel(name)
	if value == "" {
		return 1
	}
	ratio, err := strconv.ParseFloat(value, 64)
	switch {
	case !strings.HasSuffix(l.Telemetry.Sampler, "ratio"):
		l.warning(name, "is not used: OTEL_TRACES_SAMPLER is %s", l.Telemetry.Sampler)
	case err != nil || !(ratio >= 0 && ratio <= 1):
		l.mistakes.add(name, "%s is not a share; write a number from 0 to 1, such as 0.1", quoted(value))
	}
	return ratio
}

// propagates reports whether a caller's trace is continued.
func (l *loader) propagates() bool {
	const name = "OTEL_PROPAGATORS"
	value := l.otel(name)
	if value == "" {
		return true
	}
	found := false
	for word := range strings.SplitSeq(value, ",") {
		switch word = strings.TrimSpace(word); word {
		case "tracecontext":
			found = true
		case "baggage", "none": // that header passes in any case
		default:
			l.addOnce(name, "%s is not supported; write tracecontext, baggage or none, with commas between them",
				quoted(word))
		}
	}
	return found
}

// otelNumber reads a whole number above 0.
func (l *loader) otelNumber(name string) int {
	value := l.otel(name)
	if value == "" {
		value = otelDefault(name)
	}
	n, err := strconv.Atoi(value)
	if err != nil || n <= 0 || n > 1<<30 {
		l.addOnce(name, "%s is not a whole number above 0; write one such as %s", quoted(value), otelDefault(name))
		n, _ = strconv.Atoi(otelDefault(name))
	}
	return n
}

func (l *loader) otelTime(name string) time.Duration {
	return time.Duration(l.otelNumber(name)) * time.Millisecond
}

// otelTLS reads whom the exporter of a signal trusts and what it presents; nil: what the system trusts, and nothing.
func (l *loader) otelTLS(signal string) *tls.Config {
	authorities, name := l.otelOf(signal, "CERTIFICATE")
	certificate, certificateName := l.otelOf(signal, "CLIENT_CERTIFICATE")
	key, _ := l.otelOf(signal, "CLIENT_KEY")
	if authorities == "" && certificate == "" && key == "" {
		return nil
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if authorities != "" {
		text, err := os.ReadFile(authorities)
		c.RootCAs = x509.NewCertPool()
		switch {
		case err != nil:
			l.addOnce(name, "cannot be read (%v); check the path and its permissions", err)
		case !c.RootCAs.AppendCertsFromPEM(text):
			l.addOnce(name, "%s holds no certificate; name a PEM file", authorities)
		}
	}
	if certificate == "" && key == "" {
		return c
	}
	pair, err := tls.LoadX509KeyPair(certificate, key)
	if err != nil {
		l.addOnce(certificateName, "and the client key are no pair (%v); name a PEM certificate and its key", err)
	}
	c.Certificates = []tls.Certificate{pair}
	return c
}

// warnOfUnusedTLS adds what is set for TLS while the endpoint of a signal says that there is none.
func (l *loader) warnOfUnusedTLS(signal string, e *tracing.Exporter) {
	if e.URL == nil || e.URL.Scheme != "http" {
		return
	}
	_, endpoint := l.otelOf(signal, "ENDPOINT")
	for _, key := range []string{"CERTIFICATE", "CLIENT_CERTIFICATE", "CLIENT_KEY"} {
		if value, name := l.otelOf(signal, key); value != "" {
			l.warning(name, "is not used: %s begins with http://, so nothing is encrypted and the collector is not "+
				"checked; write https:// there, or unset this one", endpoint)
			return
		}
	}
}

// warnOfTelemetry adds what is probably not meant.
func (l *loader) warnOfTelemetry(metrics bool) {
	t := &l.Telemetry
	if metrics && !t.Metrics.On() && !l.mistakes.in("OTEL_EXPORTER_OTLP_ENDPOINT") {
		l.warning("OTEL_METRICS_EXPORTER", "has no effect: no OTEL_EXPORTER_OTLP_ENDPOINT is set")
	}
	for _, e := range []tracing.Exporter{t.Traces, t.Metrics} {
		if e.On() && e.URL.Port() == "4317" {
			l.warning("OTEL_EXPORTER_OTLP_ENDPOINT",
				"names port 4317, where collectors take gRPC as a rule; this program speaks HTTP, port 4318")
			break
		}
	}
}
