// Command neuronward runs the proxy in front of Cloudflare Workers AI.
//
// It is the only place that knows the environment, signals and standard streams: it turns them into a proxy.Config and
// two listeners. It knows nothing of what a call means, costs or fails with. Each command has a file of its own; begin
// with main.go, and with serve.go for how the parts are put together.
package main
