// Package demo holds the calls that the buttons on the page of neuronward demo make, and makes them: to the app
// listener over HTTP, as an app would. It knows the error catalog, and never the proxy or the page. Begin reading with
// Groups.
package demo
