// Package meter reads what a call cost out of the bytes of its answer, as they pass: answer bytes in,
// workload.Usage out.
//
// It finds the figures that Workers AI reports in a body; it never prices them, never keeps an answer and knows nothing
// of calls or headers.
// A Meter is not safe for concurrent use. Read meter.go first, then stream.go for the rules of a stream's several
// usages; walker.go finds values at known places in JSON that comes in any split.
package meter
