// Command pack writes an archive that depends on its arguments alone, so that two machines make the same bytes:
//
//	go run ./deploy/pack -time 2026-01-31T00:00:00Z OUT NAME=FILE…
//
// OUT is a zip if it is called so, otherwise a tar.gz. The entries are sorted by name, belong to nobody in particular,
// have the given time, and are executable where the file is.
//
// It does the same to an image that buildah has written to a folder (dir:):
//
//	go run ./deploy/pack -image FOLDER OUT
package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"
)

func main() { os.Exit(run(os.Args[1:], os.Stderr)) }

// Exit codes.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
)

// An entry is a file of the archive.
type entry struct {
	name    string
	mode    fs.FileMode
	content []byte
}

func run(args []string, stderr io.Writer) int {
	flags := flag.NewFlagSet("pack", flag.ContinueOnError)
	flags.SetOutput(stderr)
	stamp := flags.String("time", "", "time of the entries, RFC 3339")
	built := flags.String("image", "", "folder of an image that is to be copied to OUT")
	flags.Usage = func() {
		fmt.Fprintln(stderr, "Usage: go run ./deploy/pack -time TIME OUT NAME=FILE …")
		fmt.Fprintln(stderr, "       go run ./deploy/pack -image FOLDER OUT")
	}
	if flags.Parse(args) != nil || *built == "" && flags.NArg() < 2 || *built != "" && flags.NArg() != 1 {
		flags.Usage()
		return exitUsage
	}
	if *built != "" {
		return done(stderr, image(*built, flags.Arg(0)))
	}
	modified, err := time.Parse(time.RFC3339, *stamp)
	if err != nil {
		fmt.Fprintln(stderr, "pack: -time:", err)
		return exitUsage
	}
	return done(stderr, write(flags.Arg(0), modified.UTC(), flags.Args()[1:]))
}

func done(stderr io.Writer, err error) int {
	if err != nil {
		fmt.Fprintln(stderr, "pack:", err)
		return exitFailed
	}
	return exitDone
}

func write(out string, modified time.Time, files []string) error {
	entries, err := read(files)
	if err != nil {
		return err
	}
	pack := tarGzip
	if strings.HasSuffix(out, ".zip") {
		pack = zipped
	}
	var b bytes.Buffer
	if err := pack(&b, modified, entries); err != nil {
		return err
	}
	return os.WriteFile(out, b.Bytes(), 0o644) //nolint:gosec // an archive is for everybody
}

// read returns the entries that NAME=FILE stand for, sorted.
func read(files []string) ([]entry, error) {
	entries := make([]entry, 0, len(files))
	for _, f := range files {
		name, path, ok := strings.Cut(f, "=")
		if !ok {
			return nil, fmt.Errorf("%q is not NAME=FILE", f)
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		info, err := os.Stat(path)
		if err != nil {
			return nil, err
		}
		e := entry{name, 0o644, content}
		if info.Mode()&0o100 != 0 {
			e.mode = 0o755
		}
		entries = append(entries, e)
	}
	slices.SortFunc(entries, func(a, b entry) int { return strings.Compare(a.name, b.name) })
	return entries, nil
}

func tarGzip(w io.Writer, modified time.Time, entries []entry) error {
	zw, err := gzip.NewWriterLevel(w, gzip.BestCompression) // without a name or a time in its head
	if err != nil {
		return err
	}
	tw := tar.NewWriter(zw)
	for _, e := range entries {
		err := tw.WriteHeader(&tar.Header{
			Name: e.name, Mode: int64(e.mode), Size: int64(len(e.content)),
			ModTime: modified, Format: tar.FormatUSTAR,
		})
		if err != nil {
			return err
		}
		if _, err := tw.Write(e.content); err != nil {
			return err
		}
	}
	return errors.Join(tw.Close(), zw.Close())
}

func zipped(w io.Writer, modified time.Time, entries []entry) error {
	zw := zip.NewWriter(w)
	for _, e := range entries {
		h := &zip.FileHeader{Name: e.name, Method: zip.Deflate, Modified: modified}
		h.SetMode(e.mode)
		part, err := zw.CreateHeader(h)
		if err != nil {
			return err
		}
		if _, err := part.Write(e.content); err != nil {
			return err
		}
	}
	return zw.Close()
}
