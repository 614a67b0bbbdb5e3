package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// newPair makes a certificate for loopback that is its own authority, and its key, valid for an hour before and after now.
func newPair(t *testing.T, serial int64, now time.Time) pemPair {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "neuronward test"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{"localhost"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pemPair{
		cert: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		key:  pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}),
	}
}

// pairFiles are the two files of a pair in a directory.
type pairFiles struct {
	t         *testing.T
	cert, key string
}

func newPairFiles(t *testing.T, p pemPair) *pairFiles {
	t.Helper()
	dir := t.TempDir()
	f := &pairFiles{t: t, cert: filepath.Join(dir, "cert.pem"), key: filepath.Join(dir, "key.pem")}
	f.put(p)
	return f
}

// put replaces each file whole, one after the other.
func (f *pairFiles) put(p pemPair) {
	f.t.Helper()
	f.write(f.cert, p.cert)
	f.write(f.key, p.key)
}

func (f *pairFiles) write(path string, text []byte) {
	f.t.Helper()
	if err := os.WriteFile(path+".next", text, 0o600); err != nil {
		f.t.Fatal(err)
	}
	if err := os.Rename(path+".next", path); err != nil {
		f.t.Fatal(err)
	}
}

func (f *pairFiles) environ() []string {
	return []string{tlsCertName + "=" + f.cert, tlsKeyName + "=" + f.key}
}

// showsKey reports whether text holds a line of a key.
func showsKey(text string, p pemPair) bool {
	for line := range strings.Lines(string(p.key)) {
		if line = strings.TrimSpace(line); !strings.HasPrefix(line, "-----") && strings.Contains(text, line) {
			return true
		}
	}
	return false
}

// A renewal is a watched pair in a bubble, and what was logged about it.
type renewal struct {
	*pairFiles
	cert *certificate
	log  lockedBuffer
}

func watchPair(t *testing.T, do func(r *renewal, first pemPair)) {
	t.Helper()
	files := newPairFiles(t, pemPair{})
	synctest.Test(t, func(t *testing.T) {
		first := newPair(t, 1, time.Now())
		files.put(first)
		l := load(environ(files.environ()...), new(redactor))
		if err := l.err(); err != nil || l.certificate == nil || len(l.warnings) > 0 {
			t.Fatal(err, l.warnings)
		}
		r := &renewal{pairFiles: &pairFiles{t, files.cert, files.key}, cert: l.certificate}
		ctx, cancel := context.WithCancel(t.Context())
		go l.certificate.watch(ctx, slog.New(slog.NewTextHandler(&r.log, nil)))
		do(r, first)
		cancel()
		synctest.Wait()
		if showsKey(r.log.String(), first) {
			t.Errorf("the log shows the key:\n%s", r.log.String())
		}
	})
}

// want waits until a change must have been seen.
func (r *renewal) want(serial int64, stale bool) {
	r.t.Helper()
	time.Sleep(3 * secretPoll)
	synctest.Wait()
	got, err := r.cert.present(nil)
	if err != nil || got.Leaf.SerialNumber.Int64() != serial {
		r.t.Errorf("certificate %v is presented (%v), want %d", got.Leaf.SerialNumber, err, serial)
	}
	if s := r.cert.state(); s.Stale != stale || !s.ExpiresAt.Equal(got.Leaf.NotAfter) {
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
	watchPair(t, func(r *renewal, _ pemPair) {
		began := r.cert.state().LoadedAt
		second := newPair(r.t, 2, time.Now())
		r.put(second)
		r.want(2, false)
		r.logged("new connections get it", 1)
		r.logged("serial=2", 1)
		if at := r.cert.state().LoadedAt; !at.After(began) || time.Since(at) > 2*secretPoll {
			r.t.Errorf("it was read %v ago", time.Since(at))
		}
		if showsKey(r.log.String(), second) {
			r.t.Error("the log shows the key")
		}
		r.logged("level=WARN", 0)
	})
}

func TestCertificateThatCannotBeUsedLeavesTheLastGoodOne(t *testing.T) {
	other := func(t *testing.T) pemPair { return newPair(t, 2, time.Now()) }
	at := func(now func() time.Time) func(*testing.T, pemPair) pemPair {
		return func(t *testing.T, _ pemPair) pemPair { return newPair(t, 2, now()) }
	}
	cases := []struct {
		name string
		next func(t *testing.T, first pemPair) pemPair
		says string
	}{
		{"the certificate of another key", func(t *testing.T, first pemPair) pemPair { return pemPair{other(t).cert, first.key} }, "private key does not match"},
		{"the key of another certificate", func(t *testing.T, first pemPair) pemPair { return pemPair{first.cert, other(t).key} }, "private key does not match"},
		{"the files exchanged", func(_ *testing.T, first pemPair) pemPair { return pemPair{first.key, first.cert} }, "are no pair"},
		{"half a certificate", func(_ *testing.T, first pemPair) pemPair {
			return pemPair{first.cert[:len(first.cert)/2], first.key}
		}, "are no pair"},
		{"half a key", func(_ *testing.T, first pemPair) pemPair {
			return pemPair{first.cert, first.key[:len(first.key)/2]}
		}, "are no pair"},
		{"half a chain", func(t *testing.T, first pemPair) pemPair {
			chain := other(t).cert
			return pemPair{append(bytes.Clone(first.cert), chain[:len(chain)/2]...), first.key}
		}, "ends in the middle of a certificate"},
		{"a chain that ends in a line of its own", func(_ *testing.T, first pemPair) pemPair {
			return pemPair{append(bytes.Clone(first.cert), "-----BEG"...), first.key}
		}, "ends in the middle of a certificate"},
		{"an empty certificate", func(_ *testing.T, first pemPair) pemPair { return pemPair{nil, first.key} }, "are no pair"},
		{"an empty key", func(_ *testing.T, first pemPair) pemPair { return pemPair{first.cert, nil} }, "are no pair"},
		{"expired", at(func() time.Time { return time.Now().Add(-48 * time.Hour) }), "has expired"},
		{"not valid yet", at(func() time.Time { return time.Now().Add(48 * time.Hour) }), "is not valid before"},
		{"too large", func(_ *testing.T, first pemPair) pemPair {
			return pemPair{first.cert, bytes.Repeat([]byte("x"), maxSecret+1)}
		}, "is larger than"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			watchPair(t, func(r *renewal, first pemPair) {
				next := c.next(r.t, first)
				r.put(next)
				r.want(1, true)
				r.want(1, true)
				r.logged("the last good pair stays in use", 1)
				r.logged(c.says, 1)
				r.put(first)
				r.want(1, false)
				r.logged("usable again", 1)
				r.put(next)
				r.want(1, true)
				r.put(newPair(r.t, 3, time.Now()))
				r.want(3, false)
				r.logged("usable again", 2)
				if showsKey(r.log.String(), next) {
					r.t.Error("the log shows the key")
				}
			})
		})
	}
}

func TestCertificateFilesThatAreGone(t *testing.T) {
	watchPair(t, func(r *renewal, first pemPair) {
		if err := os.Remove(r.key); err != nil {
			r.t.Fatal(err)
		}
		r.want(1, true)
		r.logged("no such file", 1)
		r.put(first)
		r.want(1, false)
		r.logged("usable again", 1)
	})
}

func TestCertificateFileThatBecomesAPipe(t *testing.T) {
	watchPair(t, func(r *renewal, first pemPair) {
		if err := errors.Join(os.Remove(r.key), syscall.Mkfifo(r.key, 0o600)); err != nil {
			r.t.Fatal(err)
		}
		r.want(1, true)
		r.logged("is a pipe or a device now", 1)
		r.put(first)
		r.want(1, false)
		r.logged("usable again", 1)
	})
}

// Between two writes the files are no pair: whoever renews them is not warned of what is over at the next look.
func TestCertificateThatIsBeingWritten(t *testing.T) {
	watchPair(t, func(r *renewal, _ pemPair) {
		next := newPair(r.t, 2, time.Now())
		r.write(r.pairFiles.cert, next.cert)
		time.Sleep(secretPoll + settling/2) // one look has seen it
		synctest.Wait()
		r.write(r.key, next.key)
		r.want(2, false)
		r.logged("level=WARN", 0)
	})
}

func TestCertificateThatBecomesValidIsTaken(t *testing.T) {
	watchPair(t, func(r *renewal, _ pemPair) {
		r.put(newPair(r.t, 2, time.Now().Add(time.Hour+time.Minute)))
		r.want(1, true)
		time.Sleep(time.Minute)
		r.want(2, false)
		r.logged("usable again", 1)
	})
}

func TestCertificateThatExpiresInUseIsToldOnce(t *testing.T) {
	watchPair(t, func(r *renewal, _ pemPair) {
		time.Sleep(time.Hour - time.Minute)
		r.logged("has expired", 0)
		time.Sleep(2 * time.Minute)
		r.want(1, false)
		r.logged("the certificate in use has expired", 1)
		r.put(newPair(r.t, 2, time.Now()))
		r.want(2, false)
		r.logged("level=ERROR", 1)
	})
}

func TestKeyFileThatOthersCanRead(t *testing.T) {
	watchPair(t, func(r *renewal, _ pemPair) {
		if err := os.Chmod(r.key, 0o640); err != nil {
			r.t.Fatal(err)
		}
		r.want(1, false)
		r.logged("can be read by others (mode 0640); chmod 600 it", 1)
	})
	f := newPairFiles(t, newPair(t, 1, time.Now()))
	if err := os.Chmod(f.key, 0o644); err != nil {
		t.Fatal(err)
	}
	l := load(environ(f.environ()...), new(redactor))
	if len(l.warnings) != 1 || l.warnings[0] != tlsKeyName+": "+f.key+" can be read by others (mode 0644); chmod 600 it" {
		t.Errorf("warnings: %q", l.warnings)
	}
}

func TestCertificateMistakes(t *testing.T) {
	f := newPairFiles(t, newPair(t, 1, time.Now()))
	old := newPairFiles(t, newPair(t, 2, time.Now().Add(-48*time.Hour)))
	text := newPair(t, 3, time.Now())
	cases := []struct {
		name string
		set  []string
		want []string // what each mistake begins with
	}{
		{"no key", []string{tlsCertName + "=" + f.cert}, []string{tlsKeyName + ": is not set, but " + tlsCertName + " is; set both"}},
		{"no certificate", []string{tlsKeyName + "=" + f.key}, []string{tlsCertName + ": is not set, but " + tlsKeyName + " is; set both"}},
		{"neither is there", []string{tlsCertName + "=/nowhere/cert", tlsKeyName + "=/nowhere/key"}, []string{
			tlsCertName + ": cannot be read (open /nowhere/cert", tlsKeyName + ": cannot be read (open /nowhere/key",
		}},
		{"a directory", []string{tlsCertName + "=" + filepath.Dir(f.cert), tlsKeyName + "=" + f.key}, []string{tlsCertName + ": " + filepath.Dir(f.cert) + " is a directory"}},
		{"no pair", []string{tlsCertName + "=" + f.cert, tlsKeyName + "=" + old.key}, []string{tlsCertName + ": " + f.cert + " and " + old.key + " are no pair (tls: private key does not match"}},
		{"exchanged", []string{tlsCertName + "=" + f.key, tlsKeyName + "=" + f.cert}, []string{tlsCertName + ": " + f.key + " and " + f.cert + " are no pair"}},
		{"expired", old.environ(), []string{tlsCertName + ": " + old.cert + " has expired"}},
		{"the text itself", []string{tlsCertName + "=" + string(text.cert), tlsKeyName + "=" + string(text.key)}, []string{
			tlsCertName + ": is not a path; put the PEM text into a file", tlsKeyName + ": is not a path",
		}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			l := load(environ(c.set...), new(redactor))
			if l.certificate != nil || len(l.mistakes) != len(c.want) {
				t.Fatalf("certificate %v, mistakes:\n%v", l.certificate, l.err())
			}
			for i, want := range c.want {
				if got := l.mistakes[i].Error(); !strings.HasPrefix(got, want) || showsKey(got, text) {
					t.Errorf("the mistake is %q, want %q", got, want)
				}
			}
		})
	}
}

// A listener without a certificate must not become one by accident, and one with a certificate takes nothing below TLS 1.2.
func TestAppServerProtocols(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	plain := newAppServer(nil, log, nil)
	if plain.TLSConfig != nil || !plain.Protocols.UnencryptedHTTP2() || plain.Protocols.HTTP2() {
		t.Errorf("without a certificate: %+v, %v", plain.TLSConfig, plain.Protocols)
	}
	secure := newAppServer(nil, log, new(certificate))
	if c := secure.TLSConfig; c == nil || c.MinVersion != tls.VersionTLS12 || secure.Protocols.UnencryptedHTTP2() || !secure.Protocols.HTTP2() {
		t.Errorf("with one: %+v, %v", c, secure.Protocols)
	}
}
