// Package fairshare shares something scarce among clients: slots in which calls are served, or bytes of memory.
//
// It takes a client's name, whether that client is limited to its share, and amounts; it knows nothing of calls or
// HTTP. One mutex guards a Pool, and no call waits while it holds it. Begin with Pool and TryAcquire; grant decides who
// is next.
package fairshare
