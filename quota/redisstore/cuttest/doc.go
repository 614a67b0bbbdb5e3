// Package cuttest runs ledgers on a real Redis server behind toxiproxy, whose
// connections are cut, stalled and slowed. It is a module of its own for the
// sake of what toxiproxy needs.
package cuttest
