package main

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"slices"

	"github.com/neuronward/neuronward/metrics"
	"github.com/neuronward/neuronward/proxy/clients"
	"github.com/neuronward/neuronward/quota"
)

// A clientsFile is the clients file of a configuration. The zero value is none.
type clientsFile struct {
	path string
	file *clients.File // nil while it was not read
}

// UnmarshalText takes the path. readClients reads what is there.
func (c *clientsFile) UnmarshalText(text []byte) error {
	c.path = string(text)
	if bytes.ContainsAny(text, "\n\x00") {
		return errors.New("holds a line break; put the clients in a file and name it here")
	}
	return nil
}

// set reports whether there is a clients file, be it readable or not.
func (c clientsFile) set() bool { return c.path != "" }

// budgets reports whether any client has neurons of its own.
func (c clientsFile) budgets() bool {
	return c.file != nil && slices.ContainsFunc(c.file.Set().Clients(), func(one *clients.Client) bool { return one.DailyNeurons > 0 })
}

// budget is a client's neurons a day; 0 where it has none of its own.
func (c clientsFile) budget(client string) quota.Neurons {
	if c.file == nil {
		return 0
	}
	for _, one := range c.file.Set().Clients() {
		if one.Name == client {
			return one.DailyNeurons
		}
	}
	return 0
}

// String names the file and says how many clients it has.
func (c clientsFile) String() string {
	if c.file == nil {
		return c.path
	}
	return c.file.String()
}

// readClients reads the clients file and tells each of its mistakes.
func (l *loader) readClients() {
	const variable = "NEURONWARD_CLIENTS_FILE"
	c := &l.config.ClientsFile
	if !c.set() || l.wrong(variable) {
		return
	}
	file, err := clients.Open(c.path)
	if all, ok := errors.AsType[clients.Mistakes](err); ok {
		for _, m := range all {
			l.mistake(variable, "%v", m)
		}
		return
	}
	if err != nil {
		l.mistake(variable, "%v", err)
		return
	}
	c.file = file
}

// watch follows the file until ctx ends, and shows in m what becomes of its changes. A signal from again reads it at once.
func (c clientsFile) watch(ctx context.Context, log *slog.Logger, m *metrics.Metrics, again <-chan os.Signal) {
	if c.file == nil {
		return
	}
	m.WatchClients(func() metrics.ClientsFile { return metrics.ClientsFile(c.file.State()) })
	go c.file.Watch(ctx, log, again)
}
