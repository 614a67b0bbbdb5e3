package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/neuronward/neuronward/quota/account"
)

// maxKept bounds the file of a kept catalog, in bytes. One has about 30 KB.
const maxKept = 4 << 20

// A keptCatalog is a file with the catalog that was read last, for a start while Cloudflare is away. The zero value keeps
// nothing.
type keptCatalog struct{ path, account string }

// keptForm is what such a file holds.
type keptForm struct {
	Version int             `json:"version"`
	Account string          `json:"account"`
	AskedAt time.Time       `json:"asked_at"`
	Models  []account.Model `json:"models"`
}

const keptVersion = 1

// read returns what is kept and when it was read; no models where nothing is. It belongs to one account.
func (k keptCatalog) read() (time.Time, []account.Model, error) {
	if k.path == "" {
		return time.Time{}, nil, nil
	}
	file, err := os.Open(k.path)
	if errors.Is(err, fs.ErrNotExist) {
		return time.Time{}, nil, nil
	}
	if err != nil {
		return time.Time{}, nil, err
	}
	defer file.Close() //nolint:errcheck // it was only read
	data, err := io.ReadAll(io.LimitReader(file, maxKept))
	if err != nil {
		return time.Time{}, nil, err
	}
	var kept keptForm
	if err := json.Unmarshal(data, &kept); err != nil {
		return time.Time{}, nil, err
	}
	if kept.Version != keptVersion || kept.Account != k.account {
		return time.Time{}, nil, fmt.Errorf("it is of version %d and account %q, not of version %d and %q", kept.Version, kept.Account, keptVersion, k.account)
	}
	return kept.AskedAt, kept.Models, nil
}

// write replaces what is kept: the file is the former or the new one, whole, and can be read by its owner alone.
func (k keptCatalog) write(at time.Time, models []account.Model) error {
	if k.path == "" {
		return nil
	}
	data, err := json.Marshal(keptForm{Version: keptVersion, Account: k.account, AskedAt: at.UTC(), Models: models})
	if err != nil {
		return err
	}
	// The name is fixed, and so at most one is left behind by a process that is killed here.
	temporary := filepath.Join(filepath.Dir(k.path), "."+filepath.Base(k.path)+".tmp")
	file, err := os.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(data)
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err == nil {
		err = os.Rename(temporary, k.path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(temporary))
	}
	return nil
}
