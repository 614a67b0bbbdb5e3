// Package health answers /livez and /readyz on the app listener, where load balancers reach a process whose admin
// listener they cannot reach. Such a request needs no key and is no call: it takes no slot, and it is neither counted
// nor logged. What does not answer it here goes to the proxy.
//
// It holds no state and takes no lock. It is told whether calls are taken and never decides it. Begin with Handler.
package health
