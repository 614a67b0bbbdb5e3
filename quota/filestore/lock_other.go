//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package filestore

import (
	"context"
	"errors"
)

type lock struct{}

func acquire(context.Context, string, Options) (*lock, error) {
	return nil, errors.New("filestore: this system has no locks that end with a process: use another store")
}

func (*lock) release() error { return nil }
