// Package pace keeps calls within limits of requests per minute: a task's, a
// model's and a client's. A call that comes too early waits in a queue that is
// fair between clients, or is refused with the time after which it would pass.
//
// The package never knows HTTP, neurons or a store. A ledger tells a Limiter how
// many replicas share the limits, by Join and SetShare.
//
// One mutex, Limiter.mu, guards a Limiter with all its limits, queues and waiters.
// It is held for look-ups and arithmetic, never while a call waits. The timer of a
// limit and a waiter that gives up lock it anew.
//
// Begin with Limiter.Acquire. Then read limit.go (one limit), limits.go (those of
// a call), wait.go (when a waiter is served) and fairqueue.go (in which order).
package pace
