// Package dayplan works out what a day comes to on which some callers make one kind of call after the other: how many
// calls fit, when neurons run out, and what is left.
//
// It simulates the day from what a call reserves and what it costs, as the guard does; it must know neither a model nor
// a price. Begin with Plan.Day.
package dayplan
