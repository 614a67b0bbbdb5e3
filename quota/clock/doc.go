// Package clock tells the time by which a ledger's days change: the machine's,
// corrected by the store's and by the dates of Workers AI's answers.
//
// The package never knows days, neurons or where a date comes from. It imports
// no other package of this module.
//
// A Clock has no lock: the ledger's mutex guards it. Begin with Clock.Observe.
package clock
