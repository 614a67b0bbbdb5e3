// Package page shows people how a proxy fares: whether the day's neurons will
// hold, what is failing, and who calls. It is handed a State and writes HTML; it
// asks nobody, and needs nothing from another host.
//
// The page is whole without its script, which only keeps it up to date.
package page
