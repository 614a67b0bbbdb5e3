package config

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync/atomic"
	"time"

	"github.com/neuronward/neuronward/proxy/clients"
	"github.com/neuronward/neuronward/quota"
)

// maxClientsFile is what Kubernetes lets a Secret or a ConfigMap be, in bytes.
const maxClientsFile = 1 << 20

// A ClientsFile is the clients file, of which the last good reading is in use.
type ClientsFile struct {
	watcher
	path  string
	set   atomic.Pointer[clients.Set]
	state atomic.Pointer[ClientsState]
}

// ClientsState is how the last reading of a ClientsFile ended.
type ClientsState struct {
	OK       bool      // the file as it is now is in use; false: the last good one is
	LoadedAt time.Time // when the one in use was read
}

func newClientsFile(path string) *ClientsFile {
	f := &ClientsFile{path: path}
	f.files = []*smallFile{{
		variable: "NEURONWARD_CLIENTS_FILE", path: path, content: "the clients", maxSize: maxClientsFile,
	}}
	f.use = func(contents [][]byte) error {
		set, err := clients.Parse(path, contents[0])
		if err == nil {
			set.Inherit(f.set.Load())
			f.set.Store(set)
			f.state.Store(&ClientsState{OK: true, LoadedAt: time.Now()})
		}
		return err
	}
	f.report = func(log *slog.Logger, changed, _ bool) {
		if !changed { // as it was before a file that was refused
			f.state.Store(&ClientsState{OK: true, LoadedAt: time.Now()})
		}
		log.Info("the clients file is in use as it is now", "file", path, "clients", len(f.Set().Clients()))
	}
	f.refuse = func(log *slog.Logger, err error) {
		const maxLogged = 10 // mistakes of one reading
		f.state.Store(&ClientsState{LoadedAt: f.State().LoadedAt})
		reason := err.Error()
		if all, ok := errors.AsType[clients.Mistakes](err); ok {
			reason = all.First(maxLogged)
		}
		log.Error("the clients file is refused; the last good one stays in use", "file", path, "reason", reason)
	}
	return f
}

// run is watcher.run, and answers reload where the file cannot be read again.
func (f *ClientsFile) run(ctx context.Context, log *slog.Logger, reload <-chan os.Signal) {
	if !f.readOnce() {
		f.watcher.run(ctx, log, reload)
		return
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-reload:
			log.Warn("the clients file is a pipe or a device, which cannot be read again; "+
				"what it said at the start stays in use", "file", f.path)
		}
	}
}

// Set returns the clients as they are now. It takes no lock.
func (f *ClientsFile) Set() *clients.Set { return f.set.Load() }

// State returns how the last reading ended. It takes no lock.
func (f *ClientsFile) State() ClientsState { return *f.state.Load() }

// String names the file and says how many clients it has.
func (f *ClientsFile) String() string {
	n := len(f.Set().Clients())
	if n == 1 {
		return f.path + ", 1 client"
	}
	return fmt.Sprintf("%s, %d clients", f.path, n)
}

// HasBudgets reports whether any client has neurons of its own. A nil file has no client.
func (f *ClientsFile) HasBudgets() bool {
	return f != nil && slices.ContainsFunc(f.Set().Clients(), (*clients.Client).HasBudget)
}

// Budget returns a client's own limits of neurons. A nil file has no client.
func (f *ClientsFile) Budget(client string) quota.Limits {
	if f == nil {
		return quota.Limits{}
	}
	for _, c := range f.Set().Clients() {
		if c.Name == client {
			return quota.Limits{Day: c.DailyNeurons, Month: c.MonthlyNeurons}
		}
	}
	return quota.Limits{}
}
