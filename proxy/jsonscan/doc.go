// Package jsonscan reads JSON strictly and in one pass: it checks every byte, shows its caller each member of an
// object, also one that is given twice, and allocates nothing for what it skips. The text may lie in several pieces of
// memory.
//
// It knows the grammar of JSON (RFC 8259) and nothing of what a body means. A Scanner is not safe for concurrent use.
// Begin with scanner.go; values.go and strings.go are the grammar.
package jsonscan
