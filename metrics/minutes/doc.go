// Package minutes keeps what the page shows without a database of series: the account's day minute by minute over the
// last 25 hours, and the failures, models and clients of the last hour.
//
// Everything has a fixed size, so that neither memory nor the cost of a reading grows with traffic. What calls write is
// atomic and takes no lock, but for the first call of a minute and the first call of a model or client. The package
// knows the error catalog, and never HTTP, Prometheus or quota. Begin reading with Minutes.
package minutes
