// Package normalize turns every failure of a Workers AI call into one catalogued error, and writes and reads
// the envelope that carries it.
//
// The catalog is a Go table: one entry a code, with its number, status, retry rule, fault, charge and what to
// do. Classify and ClassifyEvent find the entry of whatever upstream sent; the proxy makes a Failure itself for
// what it refuses or cannot do.
//
// To add a code: its entry in the catalog_….go of its source, a row in testdata. Its number is then recognized, and
// its text where the entry has Texts; rules.go, rules_number.go and status.go are for texts that several entries have
// in common, for numbers with several meanings and for answers without either. go test ./normalize -update writes
// ERRORS.md, errors.json and envelope.schema.json.
//
// The package must never know about budgets, stores, routes, clocks or the network: it reads bytes and writes bytes.
package normalize
