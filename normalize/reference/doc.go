// Package reference is the error catalog for reading: a page for browsers, text
// for a terminal and JSON for machines, all from package normalize. Its style
// sheet is that of every page that neuronward shows. It knows nothing of who
// serves it.
package reference
