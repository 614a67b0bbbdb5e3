// Package workload describes a call by what Workers AI bills: its task, what is known of it before it is made (Request)
// and what Workers AI reported of it afterwards (Usage).
//
// It is plain data. It must never know a price, a ledger or a call's bytes: proxy/measure makes a Request, proxy/meter
// a Usage, and quota/price says what they cost.
package workload
