// Package measure turns the bytes of a request into a workload.Request: an upper bound of what Workers AI can bill for
// the call, as far as the request decides that.
//
// It reads JSON, multipart forms, and recordings and pictures as they are. It must never know a price, a budget or a
// call in flight. It keeps no state. Begin with measure.go.
package measure
