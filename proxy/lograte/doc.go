// Package lograte limits how many log lines events of one kind write a second:
// the first are logged by themselves, the rest of the second in one line.
//
// It knows no other package of ours. Its lock is never held while it reports.
package lograte
