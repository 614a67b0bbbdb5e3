// Package admin answers on the admin listener: /livez and /readyz for orchestrators, /metrics for Prometheus, /status
// for machines and the page for people, the error reference, and the demo's buttons.
//
// It holds no state and takes no lock. It is handed functions that read the process, and it passes every text that may
// hold a secret through Options.Redact. It must never know the configuration or the environment. Begin reading with
// Handler.
package admin
