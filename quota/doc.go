// Package quota says whether a call to Workers AI may be made and keeps count of
// what calls cost: the unit in which neurons are kept, what is known of a call
// before and after it is made, and the Ledger, which serves reservations from
// allotments that holders share through a Store. What calls cost is package
// price's business.
//
// It knows nothing of HTTP, of error envelopes or of series, and it imports no
// other package of this module.
package quota
