// Package minutes keeps what people want to see at a glance without a database
// of series: how the account's day went, minute by minute over the last 25 hours,
// and what failed, which models and which clients were busy in the last one.
//
// Everything has a fixed size, so that neither memory nor the cost of a reading
// grows with traffic. What calls feed takes no lock. The package knows the error
// catalog and nothing of HTTP, Prometheus or quota.
package minutes
