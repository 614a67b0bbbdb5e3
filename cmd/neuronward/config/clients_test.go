package config

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/neuronward/neuronward/cmd/neuronward/logtest"
)

const (
	onlyA = "clients:\n  - {name: a, key_sha256: '{a}'}\n"
	both  = onlyA + "  - {name: b, key_sha256: '{b}'}\n"
)

// withHashes replaces {a}, {b}, … by the hashes of fake-key-a, fake-key-b, …
func withHashes(text string) string {
	return regexp.MustCompile(`\{[a-z]\}`).ReplaceAllStringFunc(text, func(m string) string {
		return hashOf("fake-key-" + m[1:2])
	})
}

func hashOf(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:])
}

// openClients reads the clients file at path as Load does.
func openClients(path string) (*ClientsFile, error) {
	f, l := newClientsFile(path), &loader{Config: new(Config)}
	if !f.start(l) {
		return nil, l.mistakes
	}
	return f, nil
}

// A followed file in a bubble, and what was logged about it.
type followed struct {
	t    *testing.T
	dir  string
	path string
	file *ClientsFile
	hup  chan os.Signal
	log  logtest.Buffer
}

// follow watches a file that begins as text, in virtual time on one processor: the race detector of Go 1.26 may crash
// with two.
func follow(t *testing.T, text string, do func(f *followed)) {
	t.Helper()
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		f := &followed{t: t, dir: dir, path: filepath.Join(dir, "clients.yaml"), hup: make(chan os.Signal, 1)}
		f.put(text)
		var err error
		if f.file, err = openClients(f.path); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		go f.file.run(ctx, slog.New(slog.NewTextHandler(&f.log, nil)), f.hup)
		do(f)
		cancel()
		synctest.Wait()
	})
}

// put replaces the file whole.
func (f *followed) put(text string) {
	f.t.Helper()
	next := f.path + ".next"
	f.must(os.WriteFile(next, []byte(withHashes(text)), 0o600))
	f.must(os.Rename(next, f.path))
}

// overwrite writes the file in place.
func (f *followed) overwrite(text string) {
	f.t.Helper()
	f.must(os.WriteFile(f.path, []byte(withHashes(text)), 0o600))
}

func (f *followed) must(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}

// after lets time pass and says which of the keys of a and b are known then.
func (f *followed) after(d time.Duration) string {
	time.Sleep(d)
	synctest.Wait()
	known := ""
	for _, name := range []string{"a", "b"} {
		if f.file.Set().Lookup("fake-key-"+name) != nil {
			known += name
		}
	}
	return known
}

// want waits the second within which a change is promised to be in use.
func (f *followed) want(known string, ok bool) {
	f.t.Helper()
	if got := f.after(time.Second); got != known || f.file.State().OK != ok {
		f.t.Fatalf("known are %q and OK is %t, want %q and %t; the log:\n%s", got, f.file.State().OK, known, ok,
			f.log.String())
	}
}

func (f *followed) logged(text string, times int) {
	f.t.Helper()
	if n := strings.Count(f.log.String(), text); n != times {
		f.t.Errorf("%q was logged %d times, want %d:\n%s", text, n, times, f.log.String())
	}
}

func TestAChangeIsInUseWithinASecond(t *testing.T) {
	follow(t, both, func(f *followed) {
		f.want("ab", true)
		f.logged("clients", 0)
		began := time.Now()
		f.put(onlyA)
		f.want("a", true)
		if at := f.file.State().LoadedAt; at.Before(began) || at.After(began.Add(time.Second)) {
			f.t.Errorf("loaded at %v, want within a second after %v", at, began)
		}
		f.logged("the clients file is in use as it is now", 1)
		f.logged("clients=1", 1)
		f.overwrite(strings.Replace(onlyA, "{a}", "{b}", 1)) // of the same size: no time stamp needs to change for it
		f.want("b", true)
		f.put("clients: []\n")
		f.want("", true)
	})
}

func TestABadFileIsRefusedWhole(t *testing.T) {
	follow(t, onlyA, func(f *followed) {
		loaded := f.file.State().LoadedAt
		f.put(both + "  - {name: c}\n")
		f.want("a", false)
		f.want("a", false)
		f.logged("level=ERROR", 1)
		f.logged(`clients.yaml:4: the entry has no key_sha256`, 1)
		f.logged("the last good one stays in use", 1)
		f.must(os.Remove(f.path))
		f.want("a", false)
		f.logged("no such file", 1)
		f.must(os.Mkdir(f.path, 0o700))
		f.want("a", false)
		f.logged("is a directory", 1)
		f.must(os.Remove(f.path))
		f.overwrite(strings.Repeat("#", maxClientsFile+1))
		f.want("a", false)
		f.logged("is larger than 1024 KiB", 1)
		if at := f.file.State().LoadedAt; !at.Equal(loaded) {
			f.t.Errorf("loaded at %v, want %v: nothing else is in use since", at, loaded)
		}
		f.put(onlyA) // as it was
		f.want("a", true)
		f.logged("the clients file is in use as it is now", 1)
		f.put(both)
		f.want("ab", true)
		f.logged(hashOf("fake-key-b"), 0)
	})
}

// An editor or a copy writes in place, bit by bit: what is there meanwhile is valid and lacks the end.
func TestAFileThatIsBeingWrittenIsNotTaken(t *testing.T) {
	follow(t, both, func(f *followed) {
		time.Sleep(pollInterval / 2) // between two looks
		for range 10 {
			f.overwrite(onlyA)
			if got := f.after(pollInterval); got != "ab" {
				f.t.Fatalf("known are %q after one look at a file that is half written, want ab", got)
			}
			f.overwrite("")
			if got := f.after(pollInterval); got != "ab" {
				f.t.Fatalf("known are %q after one look at an empty file, want ab", got)
			}
		}
		f.overwrite(both)
		f.want("ab", true)
		if f.log.String() != "" {
			f.t.Errorf("got the log\n%s\nwant none", f.log.String())
		}
	})
}

func TestSIGHUPReadsAtOnce(t *testing.T) {
	follow(t, both, func(f *followed) {
		f.put(onlyA)
		f.hup <- syscall.SIGHUP
		if got := f.after(time.Millisecond); got != "a" {
			f.t.Errorf("known are %q, want a", got)
		}
		f.hup <- syscall.SIGHUP // unchanged: the outcome is logged once more
		f.want("a", true)
		f.logged("the clients file is in use as it is now", 2)
		f.put("clients: nobody\n")
		f.hup <- syscall.SIGHUP
		if got := f.after(time.Millisecond); got != "a" || f.file.State().OK {
			f.t.Errorf("known are %q and OK is %t, want a and false", got, f.file.State().OK)
		}
		f.want("a", false)
		f.logged("the clients file is refused", 1)
	})
}

// Kubernetes mounts a Secret as clients.yaml -> ..data/clients.yaml, ..data -> ..one, and updates it by renaming
// another ..data over it.
func TestASymlinkSwapIsFollowed(t *testing.T) {
	follow(t, onlyA, func(f *followed) {
		for name, text := range map[string]string{"..one": both, "..two": onlyA} {
			f.must(os.Mkdir(filepath.Join(f.dir, name), 0o700))
			f.must(os.WriteFile(filepath.Join(f.dir, name, "clients.yaml"), []byte(withHashes(text)), 0o600))
		}
		f.must(os.Symlink("..one", filepath.Join(f.dir, "..data")))
		f.must(os.Remove(f.path))
		f.must(os.Symlink(filepath.Join("..data", "clients.yaml"), f.path))
		f.want("ab", true)
		f.must(os.Symlink("..two", filepath.Join(f.dir, "..next")))
		f.must(os.Rename(filepath.Join(f.dir, "..next"), filepath.Join(f.dir, "..data")))
		f.must(os.RemoveAll(filepath.Join(f.dir, "..one")))
		f.want("a", true)
		f.logged("level=ERROR", 0)
	})
}

// Nobody writes to the pipe, which must not keep the watcher waiting.
func TestAFileThatBecomesAPipe(t *testing.T) {
	follow(t, both, func(f *followed) {
		f.must(os.Remove(f.path))
		f.must(syscall.Mkfifo(f.path, 0o600))
		f.want("ab", false)
		f.logged("is a pipe or a device now", 1)
		f.put(onlyA)
		f.want("a", true)
	})
}

// 200 changes, good and bad ones, while many look keys up: who is in every good file is never unknown.
func TestNoLookupFailsForAReload(t *testing.T) {
	const rounds = 10
	follow(t, both, func(f *followed) {
		ctx, cancel := context.WithCancel(f.t.Context())
		var callers sync.WaitGroup
		for range 32 {
			callers.Go(func() {
				for ctx.Err() == nil {
					if f.file.Set().Lookup("fake-key-a") == nil {
						f.t.Error("got no client, want the one that every file has")
						return
					}
					time.Sleep(10 * time.Millisecond)
				}
			})
		}
		for i := range 4 * rounds {
			switch i % 4 {
			case 0:
				f.put(onlyA)
			case 1:
				f.put(both + "    broken: yes\n")
			case 2:
				f.overwrite(both)
			case 3:
				f.hup <- syscall.SIGHUP
			}
			time.Sleep(3 * pollInterval)
		}
		cancel()
		callers.Wait()
		f.logged("the clients file is in use as it is now", 3*rounds) // each good kind, and SIGHUP
		f.logged("the clients file is refused", rounds)
	})
}

func TestAFileThatIsUnusableAtTheStart(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	large, bad := write("large", strings.Repeat("#", maxClientsFile+1)), write("bad", "clients: 1")
	for path, want := range map[string]string{
		dir: "is a directory; name the file in it", large: "is larger than 1024 KiB",
		filepath.Join(dir, "none"): "no such file", bad: bad + ":1: clients: is not a list",
	} {
		f, err := openClients(path)
		if f != nil {
			t.Errorf("openClients(%s) = %v, want nil", path, f)
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Open(%s) = %v, %v, want %q", path, f, err, want)
		}
	}
}

// What comes through a pipe is read once, and stays.
func TestAPipeIsReadOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	go func() {
		if err := os.WriteFile(path, []byte(withHashes(onlyA)), 0); err != nil {
			t.Error(err)
		}
	}()
	f, err := openClients(path)
	if err != nil {
		t.Fatal(err)
	}
	if f.String() != path+", 1 client" {
		t.Errorf("got %q, want %q", f, path+", 1 client")
	}
	again := make(chan os.Signal)
	ctx, cancel := context.WithCancel(t.Context())
	var log logtest.Buffer
	ended := make(chan struct{})
	go func() { f.run(ctx, slog.New(slog.NewTextHandler(&log, nil)), again); close(ended) }()
	again <- syscall.SIGHUP
	again <- syscall.SIGHUP // the first was dealt with
	cancel()
	<-ended
	if f.Set().Lookup("fake-key-a") == nil || !f.State().OK {
		t.Errorf("got the client %v and state %+v, want one and OK", f.Set().Lookup("fake-key-a"), f.State())
	}
	if !strings.Contains(log.String(), "cannot be read again") {
		t.Errorf("got the log\n%s\nwant that the file cannot be read again", log.String())
	}
}
