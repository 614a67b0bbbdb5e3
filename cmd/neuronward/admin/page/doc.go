// Package page draws the page of the admin listener: whether the day's neurons will last, what fails, and who calls. It
// is handed an Input, whose main part is the status as /status has it, and writes HTML. It must never ask anybody, and
// the page needs nothing from another host.
//
// The page is complete without its script, which only keeps it up to date. It has no locks. Begin reading with Write.
package page
