// Package headers decides which headers of a call go upstream and which come back, with whose credentials a call is
// made, and which texts are secret. It is given requests, headers and a client's entry, and never knows a call, a
// route, a model or an answer's body.
//
// Begin with Credentials.Forward in forward.go. Nothing here holds a lock: Credentials is set up once and then read,
// but for one atomic pointer.
package headers
