package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/neuronward/neuronward/quota/redisstore"
)

// Kinds of a Store. Those of a file and of memory are their schemes as well.
const (
	StoreFile   = "file"
	StoreMemory = "memory"
	StoreRedis  = "redis"
)

// A Store says where usage is stored. The zero value is nowhere.
type Store struct {
	Kind     string             // file, memory, redis; "" if nothing is stored
	Path     string             // of a file
	Redis    redisstore.Address // of a server
	Password func() string      // of a server, as it is now; "": that of its address
}

// parseStore reads file:PATH, memory: or the address of a Redis server, whose password is in no error.
func parseStore(text string) (any, error) {
	scheme, rest, ok := strings.Cut(text, ":")
	switch {
	case ok && scheme == StoreMemory && rest == "":
		return Store{Kind: StoreMemory}, nil
	case ok && scheme == StoreFile && rest != "":
		return fileStore(rest), nil
	case ok && slices.Contains(redisstore.Schemes[:], scheme):
		address, err := redisstore.Parse(text)
		return Store{Kind: StoreRedis, Redis: address}, err
	}
	return nil, errors.New("is no store; write file:PATH, redis://HOST:6379/0 (rediss:// for TLS), or memory: alone")
}

func fileStore(path string) Store { return Store{Kind: StoreFile, Path: path} }

// String returns s as NEURONWARD_STORE has it, without a password.
func (s Store) String() string {
	switch s.Kind {
	case "":
		return ""
	case StoreRedis:
		return s.Redis.String()
	}
	return s.Kind + ":" + s.Path
}

// defaultStore returns a file for this account in the first of dirs that can be used. A directory that holds the file
// already is used as it is: else usage would be forgotten as soon as it cannot be written.
func defaultStore(dirs []string, account string) (Store, error) {
	var tried []string
	for _, dir := range dirs {
		path := filepath.Join(dir, "neurons-"+account)
		_, missing := os.Lstat(path)
		if missing == nil {
			return fileStore(path), nil
		}
		err := Usable(dir)
		if err == nil {
			return fileStore(path), nil
		}
		if pe, ok := errors.AsType[*fs.PathError](err); ok {
			err = pe.Err
		}
		tried = append(tried, fmt.Sprintf("%s (%v)", dir, err))
	}
	return Store{}, errors.New("no state directory can be used: " + strings.Join(tried, ", ") +
		"; write file:PATH with a path that this user can write, or memory: alone to forget usage at the end")
}

// stateDirectories are where the file may be, best first. A relative path is ignored, as the XDG base directory
// specification asks.
func stateDirectories(environ map[string]string) []string {
	var dirs []string
	if state := environ["XDG_STATE_HOME"]; filepath.IsAbs(state) {
		dirs = append(dirs, filepath.Join(state, program))
	}
	if home := environ["HOME"]; filepath.IsAbs(home) {
		dirs = append(dirs, filepath.Join(home, ".local", "state", program))
	}
	return append(dirs, filepath.Join("/var/lib", program))
}

const program = "neuronward"

// Usable returns nil if files can be made in dir, or if dir can be made. It leaves nothing behind.
func Usable(dir string) error {
	for {
		info, err := os.Stat(dir)
		if parent := filepath.Dir(dir); errors.Is(err, fs.ErrNotExist) && parent != dir {
			dir = parent
			continue
		}
		switch {
		case err != nil:
			return err
		case !info.IsDir():
			return syscall.ENOTDIR
		}
		probe, err := os.MkdirTemp(dir, "."+program+"-probe-")
		if err != nil {
			return err
		}
		return os.Remove(probe)
	}
}
