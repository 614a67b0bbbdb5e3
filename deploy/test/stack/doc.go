// Package stacktest runs make demo-stack as a newcomer does, and asks what it
// started whether there is anything to see.
package stacktest
