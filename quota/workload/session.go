package workload

// A Session is what has passed over a WebSocket so far, as Workers AI bills it. Sums of it only grow.
type Session struct {
	Seconds    float64 // of sound that was sent
	Characters int64   // that were given to be spoken
}
