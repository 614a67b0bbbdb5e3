package config

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/neuronward/neuronward/cmd/neuronward/logtest"
)

// A rotation is a watched secret file in a bubble, and what was logged about it.
type rotation struct {
	t      *testing.T
	path   string
	secret Secret
	log    logtest.Buffer
}

// openSecret reads the secret at path as Load does.
func openSecret(path string, red *Redactor) (*secretFile, error) {
	f, l := newSecretFile("CLOUDFLARE_API_TOKEN_FILE", path, red), &loader{Config: new(Config)}
	if !f.start(l) {
		return nil, l.mistakes
	}
	return f, nil
}

func watchFile(t *testing.T, value string, do func(r *rotation)) {
	t.Helper()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		r := &rotation{t: t, path: filepath.Join(dir, "token")}
		r.put(value, 0o600)
		file, err := openSecret(r.path, new(Redactor))
		if err != nil {
			t.Fatal(err)
		}
		r.secret.file = file
		ctx, cancel := context.WithCancel(t.Context())
		go file.run(ctx, slog.New(slog.NewTextHandler(&r.log, nil)), nil)
		do(r)
		cancel()
		synctest.Wait()
	})
}

// put replaces the file whole.
func (r *rotation) put(value string, mode os.FileMode) {
	r.t.Helper()
	next := r.path + ".next"
	if err := os.WriteFile(next, []byte(value), mode); err != nil {
		r.t.Fatal(err)
	}
	if err := os.Chmod(next, mode); err != nil {
		r.t.Fatal(err)
	}
	if err := os.Rename(next, r.path); err != nil {
		r.t.Fatal(err)
	}
}

// want waits the second within which a change is promised to be seen.
func (r *rotation) want(value string) {
	r.t.Helper()
	time.Sleep(time.Second)
	synctest.Wait()
	if got := r.secret.Value(); got != value {
		r.t.Fatalf("the secret is %q, want %q", got, value)
	}
}

func (r *rotation) logged(text string, times int) {
	r.t.Helper()
	if n := strings.Count(r.log.String(), text); n != times {
		r.t.Errorf("%q was logged %d times, want %d:\n%s", text, n, times, r.log.String())
	}
}

func TestSecretFileRotates(t *testing.T) {
	watchFile(t, "fake-token-one\n", func(r *rotation) {
		r.want("fake-token-one")
		r.put("fake-token-two\r\n", 0o600)
		r.want("fake-token-two")
		// In place and of the same size: no time stamp needs to change for it.
		if err := os.WriteFile(r.path, []byte("fake-token-six"), 0o600); err != nil {
			t.Fatal(err)
		}
		r.want("fake-token-six")
		r.logged("the new value is in use", 2)
		r.logged("fake-token", 0)
	})
}

func TestSecretFileKeepsLastGoodValue(t *testing.T) {
	watchFile(t, "fake-token-one", func(r *rotation) {
		r.put("", 0o600)
		r.want("fake-token-one")
		r.want("fake-token-one")
		r.logged("is empty", 1)
		if err := os.Remove(r.path); err != nil {
			t.Fatal(err)
		}
		r.want("fake-token-one")
		r.logged("no such file", 1)
		r.put("two words", 0o600)
		r.want("fake-token-one")
		r.logged("holds a space", 1)
		r.logged("the last good value stays in use", 3)
		r.put("fake-token-two", 0o600)
		r.want("fake-token-two")
		r.logged("usable again", 1)
	})
}

// Nobody writes to the pipe, which must not keep the watcher waiting.
func TestSecretFileThatBecomesAPipe(t *testing.T) {
	watchFile(t, "fake-token-one", func(r *rotation) {
		if err := errors.Join(os.Remove(r.path), syscall.Mkfifo(r.path, 0o600)); err != nil {
			t.Fatal(err)
		}
		r.want("fake-token-one")
		r.logged("is a pipe or a device now", 1)
		r.put("fake-token-two", 0o600)
		r.want("fake-token-two")
		r.logged("usable again", 1)
	})
}

func TestSecretFileReadableByOthersIsWarnedAboutOnce(t *testing.T) {
	watchFile(t, "fake-token-one", func(r *rotation) {
		r.put("fake-token-one", 0o644)
		r.want("fake-token-one")
		r.want("fake-token-one")
		r.logged("mode 0644", 1)
		r.put("fake-token-one", 0o640)
		r.want("fake-token-one")
		r.logged("mode 0640", 1)
	})
}

// Kubernetes mounts a Secret as token -> ..data/token, ..data -> ..one, and rotates it by renaming another ..data over
// it.
func TestSecretFileFollowsSymlinkSwap(t *testing.T) {
	dir := t.TempDir()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	for name, value := range map[string]string{"..one": "fake-token-one", "..two": "fake-token-two"} {
		must(os.Mkdir(filepath.Join(dir, name), 0o700))
		must(os.WriteFile(filepath.Join(dir, name, "token"), []byte(value), 0o600))
	}
	must(os.Symlink("..one", filepath.Join(dir, "..data")))
	must(os.Symlink(filepath.Join("..data", "token"), filepath.Join(dir, "token")))
	red := new(Redactor)
	f, err := openSecret(filepath.Join(dir, "token"), red)
	must(err)
	if got := *f.value.Load(); got != "fake-token-one" {
		t.Fatalf("first read: got %q, want fake-token-one", got)
	}
	must(os.Symlink("..two", filepath.Join(dir, "..next")))
	must(os.Rename(filepath.Join(dir, "..next"), filepath.Join(dir, "..data")))
	var log logtest.Buffer
	f.look(slog.New(slog.NewTextHandler(&log, nil)), true)
	if got := *f.value.Load(); got != "fake-token-two" {
		t.Fatalf("after the swap: got %q, want fake-token-two", got)
	}
	if !strings.Contains(log.String(), "the new value is in use") {
		t.Errorf("got the log\n%s\nwant the change in it", log.String())
	}
	if got := written(t, red, "fake-token-one fake-token-two"); got != "[redacted] [redacted]" {
		t.Errorf("got %q, want both secrets redacted", got)
	}
}

func TestSecretFileThatIsUnusableAtStart(t *testing.T) {
	dir := t.TempDir()
	large := filepath.Join(dir, "large")
	if err := os.WriteFile(large, bytes.Repeat([]byte("x"), maxSecret+1), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		dir: "is a directory", large: "is larger than", filepath.Join(dir, "none"): "no such file",
	} {
		f, err := openSecret(path, new(Redactor))
		if f != nil {
			t.Errorf("openSecret(%s) = %v, want nil", path, f)
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("openSecret(%s) = %v, %v, want %q", path, f, err, want)
		}
	}
}
