// Package bill works out in US dollars what the account's neurons cost. All arithmetic of dollars is here: sums and
// shares are exact, in millionths of a neuron, and only a result becomes dollars.
//
// It asks the ledger for the days before today, and knows nothing of calls, models and clients. Begin reading with Paid
// and Share, then Book.
package bill
