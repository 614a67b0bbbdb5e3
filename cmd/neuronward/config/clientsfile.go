package config

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

// A ClientsFile is the clients file of a configuration. The zero value is none.
type ClientsFile struct {
	path string
	File *clients.File // nil while it was not read
}

// UnmarshalText takes the path. readClients reads what is there.
func (c *ClientsFile) UnmarshalText(text []byte) error {
	c.path = string(text)
	if bytes.ContainsAny(text, "\n\x00") {
		return errors.New("holds a line break; put the clients in a file and name it here")
	}
	return nil
}

// IsSet reports whether there is a clients file, be it readable or not.
func (c ClientsFile) IsSet() bool { return c.path != "" }

// Budgets reports whether any client has neurons of its own.
func (c ClientsFile) Budgets() bool {
	return c.File != nil && slices.ContainsFunc(c.File.Set().Clients(), func(one *clients.Client) bool { return one.DailyNeurons > 0 })
}

// Budget is a client's neurons a day; 0 where it has none of its own.
func (c ClientsFile) Budget(client string) quota.Neurons {
	if c.File == nil {
		return 0
	}
	for _, one := range c.File.Set().Clients() {
		if one.Name == client {
			return one.DailyNeurons
		}
	}
	return 0
}

// String names the file and says how many clients it has.
func (c ClientsFile) String() string {
	if c.File == nil {
		return c.path
	}
	return c.File.String()
}

// readClients reads the clients file and tells each of its mistakes.
func (l *Loader) readClients() {
	const variable = "NEURONWARD_CLIENTS_FILE"
	c := &l.Config.ClientsFile
	if !c.IsSet() || l.wrong(variable) {
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
	c.File = file
}

// Watch follows the file until ctx ends, and shows in m what becomes of its changes. A signal from again reads it at once.
func (c ClientsFile) Watch(ctx context.Context, log *slog.Logger, m *metrics.Metrics, again <-chan os.Signal) {
	if c.File == nil {
		return
	}
	m.WatchClients(func() metrics.ClientsFile { return metrics.ClientsFile(c.File.State()) })
	go c.File.Watch(ctx, log, again)
}
