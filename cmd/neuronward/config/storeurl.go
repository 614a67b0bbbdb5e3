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

// Kinds of a storeURL. Those of a file and of memory are their schemes as well.
const (
	storeFile   = "file"
	StoreMemory = "memory"
	StoreRedis  = "redis"
)

// StoreURL says where it is kept what was spent: file:PATH, memory: or the address of a Redis server, with its password.
type StoreURL string

func (s *StoreURL) UnmarshalText(text []byte) error {
	scheme, rest, ok := strings.Cut(string(text), ":")
	switch {
	case ok && scheme == StoreMemory && rest == "", ok && scheme == storeFile && rest != "":
		*s = StoreURL(text)
		return nil
	case ok && slices.Contains(redisstore.Schemes[:], scheme):
		_, err := redisstore.Parse(string(text))
		if err == nil {
			*s = StoreURL(text)
		}
		return err
	}
	return errors.New("is no store; write file:PATH, redis://HOST:6379/0 (rediss:// for TLS), or memory: alone")
}

// Kind is what it is kept in: file, memory, redis; "" if nothing is kept.
func (s StoreURL) Kind() string {
	scheme, _, _ := strings.Cut(string(s), ":")
	if slices.Contains(redisstore.Schemes[:], scheme) {
		return StoreRedis
	}
	return scheme
}

// String is s without a password.
func (s StoreURL) String() string {
	if s.Kind() != StoreRedis {
		return string(s)
	}
	address, err := redisstore.Parse(string(s))
	if err != nil {
		return StoreRedis
	}
	return address.String()
}

// Path is where the file is, "" for another kind.
func (s StoreURL) Path() string {
	path, ok := strings.CutPrefix(string(s), storeFile+":")
	if !ok {
		return ""
	}
	return path
}

// defaultStore is a file for this account in the first of dirs that can be used. One that holds the file already is taken as
// it is, or what was spent would be forgotten as soon as it cannot be written.
func defaultStore(dirs []string, account AccountID) (StoreURL, error) {
	var tried []string
	for _, dir := range dirs {
		path := filepath.Join(dir, "neurons-"+string(account))
		_, missing := os.Lstat(path)
		if missing == nil {
			return StoreURL(storeFile + ":" + path), nil
		}
		err := Usable(dir)
		if err == nil {
			return StoreURL(storeFile + ":" + path), nil
		}
		if pe, ok := errors.AsType[*fs.PathError](err); ok {
			err = pe.Err
		}
		tried = append(tried, fmt.Sprintf("%s (%v)", dir, err))
	}
	return "", errors.New("no state directory can be used: " + strings.Join(tried, ", ") +
		"; write file:PATH with a path that this user can write, or memory: alone to forget at the end what was spent")
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
