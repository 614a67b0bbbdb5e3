// Package sse splits an event stream into events and their fields: data, the event's name and the blank line that ends
// it. It is the one place that does, for the answers that pass and for the failures that hide in them.
//
// It knows the wire's form alone, imports no other package of ours and keeps none of the bytes it reads. Begin with
// Parse, which reads one event; Splitter reads a stream whose bytes come in any pieces.
package sse
