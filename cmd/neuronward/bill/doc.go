// Package bill works out in US dollars what the account's neurons cost. All arithmetic of dollars is here: sums and
// shares are exact, in millionths of a neuron, and only a result becomes dollars.
//
// A day keeps the price that it had, in the store: a changed price is that of today and of the days that follow.
//
// It asks the store for the days before today, and knows nothing of calls, models and clients. Begin reading with Paid
// and Share, then Book.
package bill
