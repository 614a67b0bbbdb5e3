// Package tracing tells OpenTelemetry of calls: a server span for each, a client span for each attempt at it, and
// metrics of the attempts, by the semantic conventions that conventions.go pins. It is given names, numbers and times,
// never a prompt, an answer or a credential, and no call waits for its exporters: what they cannot take is dropped and
// counted. The nil Tracer and the nil Call do nothing.
package tracing
