// Package certtest makes certificates and their files for tests of the app listener. It knows nothing of ours.
package certtest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A Pair is a certificate and its key, each as PEM.
type Pair struct{ Cert, Key []byte }

// New makes a certificate for loopback that is its own authority, valid for an hour before and after now.
func New(t testing.TB, serial int64, now time.Time) Pair {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "neuronward test"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{"localhost"},
		IsCA: true, BasicConstraintsValid: true,
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return Pair{
		Cert: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		Key:  pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}),
	}
}

// KeyIn reports whether text holds a line of p's key.
func (p Pair) KeyIn(text string) bool {
	for line := range strings.Lines(string(p.Key)) {
		if line = strings.TrimSpace(line); !strings.HasPrefix(line, "-----") && strings.Contains(text, line) {
			return true
		}
	}
	return false
}

// Files are the two files of a pair in a directory of the test.
type Files struct {
	Cert, Key string // paths

	t testing.TB
}

// NewFiles writes p to two files.
func NewFiles(t testing.TB, p Pair) *Files {
	t.Helper()
	dir := t.TempDir()
	f := &Files{t: t, Cert: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "key.pem")}
	f.Put(p)
	return f
}

// In returns f for another test, such as one in a bubble of testing/synctest.
func (f *Files) In(t testing.TB) *Files { return &Files{f.Cert, f.Key, t} }

// Put replaces each file whole, one after the other.
func (f *Files) Put(p Pair) {
	f.t.Helper()
	f.Write(f.Cert, p.Cert)
	f.Write(f.Key, p.Key)
}

// Write replaces one of the files whole.
func (f *Files) Write(path string, text []byte) {
	f.t.Helper()
	if err := os.WriteFile(path+".next", text, 0o600); err != nil {
		f.t.Fatal(err)
	}
	if err := os.Rename(path+".next", path); err != nil {
		f.t.Fatal(err)
	}
}

// Environ names the files as the program's environment does.
func (f *Files) Environ() []string {
	return []string{"NEURONWARD_TLS_CERT=" + f.Cert, "NEURONWARD_TLS_KEY=" + f.Key}
}
