// Package deploytest holds what is in deploy against what it speaks of: rules
// and dashboards against the series of a running proxy, alerts against a real
// Prometheus and Alertmanager. It is a module of its own for the sake of what
// its tests need.
//
// It must never be needed to run anything: what is in deploy stands by itself.
package deploytest
