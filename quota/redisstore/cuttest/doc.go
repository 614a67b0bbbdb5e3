// Package cuttest runs ledgers on a real Redis server behind toxiproxy, whose
// connections are cut, stalled and slowed. It is a module of its own, so that the
// product does not require toxiproxy.
package cuttest
