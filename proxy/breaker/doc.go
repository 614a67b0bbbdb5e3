// Package breaker decides which models are not called for a while because Workers AI has no capacity for them (3040).
//
// It knows models and times; it knows nothing of calls, answers or the log. One mutex guards a Set, and nothing waits
// while it is held. Begin with Set.Allow; Failed opens a breaker, Succeeded closes it.
package breaker
