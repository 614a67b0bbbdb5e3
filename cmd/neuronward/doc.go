// Command neuronward runs the proxy in front of Cloudflare Workers AI.
//
// It is the only reader of the environment and the only place that knows signals, files and standard streams: it turns
// them into a proxy.Config and two listeners. What a call means, costs or fails with is none of its business.
package main
