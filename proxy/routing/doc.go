// Package routing says which methods and paths are for Workers AI, what each of them means, and which URL upstream
// answers it. What is in none of its tables is refused. It is given methods and paths, and never knows a caller, a body
// or an answer.
//
// Begin with Locate in websocket.go, for what comes, and Upstream in upstream.go, for where it goes. Nothing here holds
// a lock: the tables are written out in route.go.
package routing
