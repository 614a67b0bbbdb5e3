package config

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/neuronward/neuronward/cmd/neuronward/certtest"
	"github.com/neuronward/neuronward/cmd/neuronward/logtest"
)

// A renewal is a watched pair in a bubble, and what was logged about it.
type renewal struct {
	*certtest.Files
	t    *testing.T
	cert *Certificate
	log  logtest.Buffer
}

func watchPair(t *testing.T, do func(r *renewal, first certtest.Pair)) {
	t.Helper()
	files := certtest.NewFiles(t, certtest.Pair{})
	synctest.Test(t, func(t *testing.T) {
		first := certtest.New(t, 1, time.Now())
		files.Put(first)
		c, err := Load(environ(append(files.Environ(), "CLOUDFLARE_API_TOKEN="+fakeToken)...), new(Redactor))
		if err != nil || len(c.Warnings) > 0 {
			t.Fatalf("got mistakes %v and warnings %q, want none", err, c.Warnings)
		}
		if c.Certificate == nil {
			t.Fatal("got no certificate, want one")
		}
		r := &renewal{Files: files.In(t), t: t, cert: c.Certificate}
		ctx, cancel := context.WithCancel(t.Context())
		c.Watch(ctx, slog.New(slog.NewTextHandler(&r.log, nil)), nil)
		do(r, first)
		cancel()
		synctest.Wait()
		if first.KeyIn(r.log.String()) {
			t.Errorf("got a line of the key in the log, want none:\n%s", r.log.String())
		}
	})
}

// want waits until a change must have been seen.
func (r *renewal) want(serial int64, stale bool) {
	r.t.Helper()
	time.Sleep(3 * pollInterval)
	synctest.Wait()
	got, err := r.cert.Present(nil)
	if err != nil || got.Leaf.SerialNumber.Int64() != serial {
		r.t.Errorf("certificate %v is presented (%v), want %d", got.Leaf.SerialNumber, err, serial)
	}
	if s := r.cert.State(); s.Stale != stale || !s.ExpiresAt.Equal(got.Leaf.NotAfter) {
		r.t.Errorf("state %+v, want stale %v", s, stale)
	}
}

func (r *renewal) logged(text string, times int) {
	r.t.Helper()
	if got := strings.Count(r.log.String(), text); got != times {
		r.t.Errorf("%q was logged %d times, want %d:\n%s", text, got, times, r.log.String())
	}
}

func TestCertificateFollowsItsFiles(t *testing.T) {
	watchPair(t, func(r *renewal, _ certtest.Pair) {
		began := r.cert.State().LoadedAt
		second := certtest.New(r.t, 2, time.Now())
		r.Put(second)
		r.want(2, false)
		r.logged("new connections get it", 1)
		r.logged("serial=2", 1)
		if at := r.cert.State().LoadedAt; !at.After(began) || time.Since(at) > 2*pollInterval {
			r.t.Errorf("got the certificate read %v ago, want after the change and less than %v ago",
				time.Since(at), 2*pollInterval)
		}
		if second.KeyIn(r.log.String()) {
			r.t.Errorf("got a line of the key in the log, want none:\n%s", r.log.String())
		}
		r.logged("level=WARN", 0)
	})
}

func TestCertificateThatCannotBeUsedLeavesTheLastGoodOne(t *testing.T) {
	other := func(t *testing.T) certtest.Pair { return certtest.New(t, 2, time.Now()) }
	at := func(now func() time.Time) func(*testing.T, certtest.Pair) certtest.Pair {
		return func(t *testing.T, _ certtest.Pair) certtest.Pair { return certtest.New(t, 2, now()) }
	}
	cases := []struct {
		name string
		next func(t *testing.T, first certtest.Pair) certtest.Pair
		says string
	}{
		{"the certificate of another key", func(t *testing.T, first certtest.Pair) certtest.Pair {
			return certtest.Pair{Cert: other(t).Cert, Key: first.Key}
		}, "private key does not match"},
		{"the key of another certificate", func(t *testing.T, first certtest.Pair) certtest.Pair {
			return certtest.Pair{Cert: first.Cert, Key: other(t).Key}
		}, "private key does not match"},
		{"the files exchanged", func(_ *testing.T, first certtest.Pair) certtest.Pair {
			return certtest.Pair{Cert: first.Key, Key: first.Cert}
		}, "are no pair"},
		{"half a certificate", func(_ *testing.T, first certtest.Pair) certtest.Pair {
			return certtest.Pair{Cert: first.Cert[:len(first.Cert)/2], Key: first.Key}
		}, "are no pair"},
		{"half a key", func(_ *testing.T, first certtest.Pair) certtest.Pair {
			return certtest.Pair{Cert: first.Cert, Key: first.Key[:len(first.Key)/2]}
		}, "are no pair"},
		{"half a chain", func(t *testing.T, first certtest.Pair) certtest.Pair {
			chain := other(t).Cert
			return certtest.Pair{Cert: append(bytes.Clone(first.Cert), chain[:len(chain)/2]...), Key: first.Key}
		}, "ends in the middle of a certificate"},
		{"a chain that ends in a line of its own", func(_ *testing.T, first certtest.Pair) certtest.Pair {
			return certtest.Pair{Cert: append(bytes.Clone(first.Cert), "-----BEG"...), Key: first.Key}
		}, "ends in the middle of a certificate"},
		{
			"an empty certificate",
			func(_ *testing.T, first certtest.Pair) certtest.Pair { return certtest.Pair{Cert: nil, Key: first.Key} },
			"are no pair",
		},
		{"an empty key", func(_ *testing.T, first certtest.Pair) certtest.Pair {
			return certtest.Pair{Cert: first.Cert, Key: nil}
		}, "are no pair"},
		{"expired", at(func() time.Time { return time.Now().Add(-48 * time.Hour) }), "has expired"},
		{"not valid yet", at(func() time.Time { return time.Now().Add(48 * time.Hour) }), "is not valid before"},
		{"too large", func(_ *testing.T, first certtest.Pair) certtest.Pair {
			return certtest.Pair{Cert: first.Cert, Key: bytes.Repeat([]byte("x"), maxSecret+1)}
		}, "is larger than"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			watchPair(t, func(r *renewal, first certtest.Pair) {
				next := c.next(r.t, first)
				r.Put(next)
				r.want(1, true)
				r.want(1, true)
				r.logged("the last good pair stays in use", 1)
				r.logged(c.says, 1)
				r.Put(first)
				r.want(1, false)
				r.logged("usable again", 1)
				r.Put(next)
				r.want(1, true)
				r.Put(certtest.New(r.t, 3, time.Now()))
				r.want(3, false)
				r.logged("usable again", 2)
				if next.KeyIn(r.log.String()) {
					r.t.Errorf("got a line of the key in the log, want none:\n%s", r.log.String())
				}
			})
		})
	}
}

func TestCertificateFilesThatAreGone(t *testing.T) {
	watchPair(t, func(r *renewal, first certtest.Pair) {
		if err := os.Remove(r.Key); err != nil {
			r.t.Fatal(err)
		}
		r.want(1, true)
		r.logged("no such file", 1)
		r.Put(first)
		r.want(1, false)
		r.logged("usable again", 1)
	})
}

func TestCertificateFileThatBecomesAPipe(t *testing.T) {
	watchPair(t, func(r *renewal, first certtest.Pair) {
		if err := errors.Join(os.Remove(r.Key), syscall.Mkfifo(r.Key, 0o600)); err != nil {
			r.t.Fatal(err)
		}
		r.want(1, true)
		r.logged("is a pipe or a device now", 1)
		r.Put(first)
		r.want(1, false)
		r.logged("usable again", 1)
	})
}

// Between two writes the files are no pair: whoever renews them is not warned of what is over at the next look.
func TestCertificateThatIsBeingWritten(t *testing.T) {
	watchPair(t, func(r *renewal, _ certtest.Pair) {
		next := certtest.New(r.t, 2, time.Now())
		r.Write(r.Files.Cert, next.Cert)
		time.Sleep(pollInterval + pollInterval/2) // one look has seen it
		synctest.Wait()
		r.Write(r.Key, next.Key)
		r.want(2, false)
		r.logged("level=WARN", 0)
	})
}

func TestCertificateThatBecomesValidIsTaken(t *testing.T) {
	watchPair(t, func(r *renewal, _ certtest.Pair) {
		r.Put(certtest.New(r.t, 2, time.Now().Add(time.Hour+time.Minute)))
		r.want(1, true)
		time.Sleep(time.Minute)
		r.want(2, false)
		r.logged("usable again", 1)
	})
}

func TestCertificateThatExpiresInUseIsToldOnce(t *testing.T) {
	watchPair(t, func(r *renewal, _ certtest.Pair) {
		time.Sleep(time.Hour - time.Minute)
		r.logged("has expired", 0)
		time.Sleep(2 * time.Minute)
		r.want(1, false)
		r.logged("the certificate in use has expired", 1)
		r.Put(certtest.New(r.t, 2, time.Now()))
		r.want(2, false)
		r.logged("level=ERROR", 1)
	})
}

func TestKeyFileThatOthersCanRead(t *testing.T) {
	watchPair(t, func(r *renewal, _ certtest.Pair) {
		if err := os.Chmod(r.Key, 0o640); err != nil {
			r.t.Fatal(err)
		}
		r.want(1, false)
		r.logged("can be read by others (mode 0640); chmod 600 it", 1)
	})
	f := certtest.NewFiles(t, certtest.New(t, 1, time.Now()))
	if err := os.Chmod(f.Key, 0o644); err != nil {
		t.Fatal(err)
	}
	c, err := Load(environ(append(f.Environ(), "CLOUDFLARE_API_TOKEN="+fakeToken)...), new(Redactor))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{keyVariable + ": " + f.Key + " can be read by others (mode 0644); chmod 600 it"}
	if !slices.Equal(c.Warnings, want) {
		t.Errorf("warnings are %q, want %q", c.Warnings, want)
	}
}

func TestCertificateMistakes(t *testing.T) {
	f := certtest.NewFiles(t, certtest.New(t, 1, time.Now()))
	old := certtest.NewFiles(t, certtest.New(t, 2, time.Now().Add(-48*time.Hour)))
	text := certtest.New(t, 3, time.Now())
	cases := []struct {
		name string
		set  []string
		want []string // what each mistake begins with
	}{
		{
			"no key",
			[]string{certVariable + "=" + f.Cert},
			[]string{keyVariable + ": is not set, but " + certVariable + " is; set both"},
		},
		{
			"no certificate",
			[]string{keyVariable + "=" + f.Key},
			[]string{certVariable + ": is not set, but " + keyVariable + " is; set both"},
		},
		{"neither is there", []string{certVariable + "=/nowhere/cert", keyVariable + "=/nowhere/key"}, []string{
			certVariable + ": cannot be read (open /nowhere/cert", keyVariable + ": cannot be read (open /nowhere/key",
		}},
		{
			"a directory",
			[]string{certVariable + "=" + filepath.Dir(f.Cert), keyVariable + "=" + f.Key},
			[]string{certVariable + ": " + filepath.Dir(f.Cert) + " is a directory"},
		},
		{
			"no pair",
			[]string{certVariable + "=" + f.Cert, keyVariable + "=" + old.Key},
			[]string{
				certVariable + ": " + f.Cert + " and " + old.Key + " are no pair (tls: private key does not match",
			},
		},
		{
			"exchanged",
			[]string{certVariable + "=" + f.Key, keyVariable + "=" + f.Cert},
			[]string{certVariable + ": " + f.Key + " and " + f.Cert + " are no pair"},
		},
		{"expired", old.Environ(), []string{certVariable + ": " + old.Cert + " has expired"}},
		{"the text itself", []string{
			certVariable + "=" + string(text.Cert), keyVariable + "=" + string(text.Key),
		}, []string{
			certVariable + ": is not a path; put the PEM text into a file", keyVariable + ": is not a path",
		}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			loaded, mistakes := load(environ(c.set...), new(Redactor))
			if loaded.Certificate != nil || len(mistakes) != len(c.want) {
				t.Fatalf("certificate %v, got %d mistakes, want %d:\n%v",
					loaded.Certificate, len(mistakes), len(c.want), mistakes)
			}
			for i, want := range c.want {
				if got := mistakes[i].Error(); !strings.HasPrefix(got, want) || text.KeyIn(got) {
					t.Errorf("the mistake is %q, want %q", got, want)
				}
			}
		})
	}
}
