// Package jsonlog writes records of log/slog as lines of JSON: the same bytes as slog.JSONHandler, but without taking
// memory for a line, and with one write for lines that come close together. It knows nothing of what the lines say.
//
// Begin with Handler. The lock of a Batch is a leaf.
package jsonlog
