// Package pace keeps calls within limits of requests per minute, by task, model
// and client. It knows no HTTP, no neurons and no store: a ledger tells a
// Limiter how many replicas share the limits.
package pace
