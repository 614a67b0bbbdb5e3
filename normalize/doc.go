// Package normalize turns every failure of a Workers AI call into one catalogued error, and writes and reads
// the envelope that carries it.
//
// The catalog is a Go table: one entry a code, with its number, status, retry rule, fault, charge and what to
// do. Classify and ClassifyEvent find the entry of whatever upstream sent; the proxy makes a Failure itself for
// what it refuses or cannot do.
//
// The package must never know about budgets, stores, routes, clocks or the network: it reads bytes and writes bytes.
package normalize
