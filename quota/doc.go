// Package quota counts what Workers AI costs: the unit in which neurons are
// kept and the table of prices by which a call is estimated before it is made.
//
// It knows nothing of HTTP, of error envelopes or of series, and it imports no
// other package of this module.
package quota
