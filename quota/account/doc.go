// Package account asks Cloudflare about the account: which models it has and at
// what price, what it was billed today, and whether a token may do what it is
// there for. What is asked in vain is an *Error, which says what was missing.
//
// It changes nothing at Cloudflare, keeps nothing, and never tells a token: none
// is in a request's URL or in an error.
package account
