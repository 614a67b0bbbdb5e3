package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"strings"
)

// profile takes a profile of neuronward's CPU time while a measurement lasts. The channel gets its error, or nil where
// none is wanted.
func (b *bench) profile(ctx context.Context, peer, name string) <-chan error {
	done := make(chan error, 1)
	if b.keep == "" || peer != ours {
		done <- nil
		return done
	}
	go func() {
		seconds := math.Ceil(b.time.Seconds())
		name := strings.Map(func(r rune) rune {
			if r == ' ' || r == ',' || r == '/' {
				return '-'
			}
			return r
		}, name)
		done <- errors.Join(
			b.fetch(ctx, fmt.Sprintf("profile?seconds=%v", seconds), name+".cpu"),
			b.fetch(ctx, "allocs", name+".allocs"))
	}()
	return done
}

// fetch writes what neuronward's /debug/pprof has under a name into a file.
func (b *bench) fetch(ctx context.Context, what, file string) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+b.admin+"/debug/pprof/"+what, nil)
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("profile %s: got the status %d", what, res.StatusCode)
	}
	if err := os.MkdirAll(b.keep, 0o750); err != nil {
		return err
	}
	f, err := os.Create(filepath.Join(b.keep, file))
	if err != nil {
		return err
	}
	_, err = io.Copy(f, res.Body)
	return errors.Join(err, f.Close())
}
