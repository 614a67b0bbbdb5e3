package account

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/neuronward/neuronward/quota/datafile"
)

// maxCatalogFile bounds what is read of a kept catalog, in bytes. One has about 30 KB.
const maxCatalogFile = 4 << 20

// A catalogFile keeps the catalog that was read last, for a start while
// Cloudflare cannot be reached. Without a path it keeps nothing.
type catalogFile struct{ path, account string }

// catalogForm is the content of such a file.
type catalogForm struct {
	Version int       `json:"version"`
	Account string    `json:"account"`
	AskedAt time.Time `json:"asked_at"`
	Models  []Model   `json:"models"`
}

const catalogVersion = 1

// load returns the catalog that is kept and when it was read, no models where
// none is. The catalog of another account is an error: it may have other prices.
func (f catalogFile) load() (time.Time, []Model, error) {
	if f.path == "" {
		return time.Time{}, nil, nil
	}
	data, err := datafile.Read(f.path, maxCatalogFile)
	if errors.Is(err, fs.ErrNotExist) {
		return time.Time{}, nil, nil
	}
	if err != nil {
		return time.Time{}, nil, err
	}
	var kept catalogForm
	if err := json.Unmarshal(data, &kept); err != nil {
		return time.Time{}, nil, err
	}
	if kept.Version != catalogVersion || kept.Account != f.account {
		return time.Time{}, nil, fmt.Errorf("it is of version %d and account %q, not of version %d and %q",
			kept.Version, kept.Account, catalogVersion, f.account)
	}
	return kept.AskedAt, kept.Models, nil
}

// save replaces the file as a whole. Only its owner can read it.
func (f catalogFile) save(at time.Time, models []Model) error {
	if f.path == "" {
		return nil
	}
	data, err := json.Marshal(catalogForm{
		Version: catalogVersion, Account: f.account, AskedAt: at.UTC(), Models: models,
	})
	if err != nil {
		return err
	}
	// The name is fixed: a process that is killed here leaves at most one such file behind. What is there before is
	// removed and not opened: it may be a link.
	temporary := filepath.Join(filepath.Dir(f.path), "."+filepath.Base(f.path)+".tmp")
	if err := os.Remove(temporary); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	file, err := os.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(data)
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err == nil {
		err = os.Rename(temporary, f.path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(temporary))
	}
	return nil
}
