// Package live makes a few cheap calls of the real Workers AI and compares what comes back with what this proxy assumes
// of it: headers, forms of usage, prices, failures, the end of a stream, and how far the account's own figure lags.
//
// What is assumed is one table, points in points.go: a further point is a row there, and a row in the test that makes
// the simulator differ in it. The calls are a table as well, in calls.go. Answers are read by the packages that read
// them in the proxy.
//
// It prints nothing. Secrets are taken out of all that it returns and reports. Begin with Look.
package live
