// Package bodybuffer keeps request bodies in memory that bodies share one after the other: because what a body says
// decides what may be done with it, and because it may have to be sent again. Before a body takes memory it asks a Room
// for it. The package never knows a call, a client or HTTP, nor what a body means.
//
// Begin with Body: Grow and ReadRest fill it, Open reads it, Release ends it. A body belongs to one goroutine until it
// is opened. Its lock guards the memory against readers that outlive the call; it is a leaf.
package bodybuffer
