// Package jsonscan reads JSON strictly and in one pass: it checks every byte, shows its caller each member of an object, also one
// that is given twice, and allocates nothing for the values that it skips.
//
// It knows the grammar of JSON (RFC 8259) and nothing of what a body means. A Scanner is not safe for concurrent use.
package jsonscan
