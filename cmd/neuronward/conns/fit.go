package conns

// otherFiles is how many files a process has open beside connections of apps and to upstream: the store, listeners,
// logs, its admin listener.
const otherFiles = 64 + AdminLimit

// AdminLimit is how many connections of the admin listener there may be.
const AdminLimit = 256

// Fit returns how many of limit connections there may be at once, so that calls in flight find a file for their
// connection to upstream, and how many open files all of them would need. It is limit where these may be opened.
func Fit(limit, inFlight int) (fits int, needed, allowed uint64) {
	allowed, known := openFiles()
	return fit(limit, inFlight, allowed, known)
}

func fit(limit, inFlight int, allowed uint64, known bool) (fits int, needed, _ uint64) {
	needed = uint64(limit) + uint64(inFlight) + otherFiles
	if !known || needed <= allowed {
		return limit, needed, allowed
	}
	// Where there are so few that calls in flight alone need them, both have half.
	left := allowed / 2
	if others := uint64(inFlight) + otherFiles; others < left {
		left = allowed - others
	}
	return max(int(left), 1), needed, allowed
}
