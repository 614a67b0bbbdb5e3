package main

import (
	"log/slog"
	"testing"

	"github.com/neuronward/neuronward/cmd/neuronward/config"
	"github.com/neuronward/neuronward/proxy"
	"github.com/neuronward/neuronward/proxy/workersai"
)

// The simulated Workers AI closes idle connections, but not before the proxy does: a call could be on its way on one.
func TestTheSimulatorClosesIdleConnections(t *testing.T) {
	simulator := newSimulator(workersai.New(demoWorkersAI(config.PlanFree)), slog.New(slog.DiscardHandler))
	if got, after := simulator.IdleTimeout, proxy.NewTransport().IdleConnTimeout; got <= after {
		t.Errorf("idle connections are closed after %v, want later than after %v, as the proxy does", got, after)
	}
}
