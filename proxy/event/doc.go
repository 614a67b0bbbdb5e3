// Package event knows what the events of a stream mean in each protocol: which one ends the answer, which one is a
// failure, and how a native usage event becomes a chunk of OpenAI's.
//
// It reads the bytes of one event at a time and must never know a call, a meter or a connection. A ChunkHead belongs to
// one stream. Begin with Completes.
package event
