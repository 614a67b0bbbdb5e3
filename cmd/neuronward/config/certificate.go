package config

import (
	"bytes"
	"crypto/tls"
	"encoding/pem"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"
)

// A Certificate is what the app listener presents, from two files that may change at any time: the last good pair stays
// in use until both hold another one. A resumed TLS session presents none and goes on.
type Certificate struct {
	watcher
	current atomic.Pointer[loadedPair]
	stale   atomic.Bool // the files hold something else, which cannot be used
	expired bool        // it was reported of the pair in use; for the goroutine of the watcher
}

// A loadedPair is a certificate with its key, and since when it is in use.
type loadedPair struct {
	tls.Certificate
	since time.Time
}

// CertificateState is how a Certificate stands.
type CertificateState struct {
	ExpiresAt time.Time // of the one in use
	LoadedAt  time.Time // when it came into use
	Stale     bool      // its files hold something else by now, which cannot be used
}

const (
	certVariable = "NEURONWARD_TLS_CERT"
	keyVariable  = "NEURONWARD_TLS_KEY"
)

func newCertificate(certPath, keyPath string) *Certificate {
	c := new(Certificate)
	c.files = []*smallFile{
		{variable: certVariable, path: certPath, content: "the certificate and its chain", maxSize: maxSecret},
		{variable: keyVariable, path: keyPath, content: "the key", maxSize: maxSecret, secret: true},
	}
	c.use, c.report, c.refuse, c.tick = c.adopt, c.reportChange, c.reportTrouble, c.reportExpiry
	c.retry = true // what is not valid yet becomes so
	return c
}

// adopt takes a pair into use if it can be now; the error names no part of a file's content.
func (c *Certificate) adopt(contents [][]byte) error {
	certPath, keyPath, now := c.files[0].path, c.files[1].path, time.Now()
	got, err := tls.X509KeyPair(contents[0], contents[1])
	switch {
	case err != nil:
		return fmt.Errorf("%s and %s are no pair (%w); name a PEM certificate and the key that belongs to it",
			certPath, keyPath, err)
	case cutOff(contents[0]):
		return fmt.Errorf("%s ends in the middle of a certificate; write it whole", certPath)
	case now.After(got.Leaf.NotAfter):
		return fmt.Errorf("%s has expired (%s); renew it", certPath, got.Leaf.NotAfter.Format(time.RFC3339))
	case now.Before(got.Leaf.NotBefore):
		return fmt.Errorf("%s is not valid before %s; check the clock, or wait",
			certPath, got.Leaf.NotBefore.Format(time.RFC3339))
	}
	c.expired = false
	c.current.Store(&loadedPair{got, now})
	return nil
}

// cutOff reports whether text ends before its last PEM block does. Its pair may be good, without the chain.
func cutOff(text []byte) bool {
	for {
		block, rest := pem.Decode(text)
		if block == nil {
			return bytes.Contains(text, []byte("-----"))
		}
		text = rest
	}
}

// Present is tls.Config's GetCertificate.
func (c *Certificate) Present(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	return &c.current.Load().Certificate, nil
}

// State returns how the certificate stands. It takes no lock.
func (c *Certificate) State() CertificateState {
	pair := c.current.Load()
	return CertificateState{ExpiresAt: pair.Leaf.NotAfter, LoadedAt: pair.since, Stale: c.stale.Load()}
}

func (c *Certificate) reportChange(log *slog.Logger, changed, recovered bool) {
	c.stale.Store(false)
	if recovered {
		log.Info("the certificate files are usable again")
	}
	if changed {
		leaf := c.current.Load().Leaf
		log.Info("the certificate has changed; new connections get it",
			"variable", certVariable, "serial", leaf.SerialNumber.Text(16), "not_after", leaf.NotAfter)
	}
}

func (c *Certificate) reportTrouble(log *slog.Logger, err error) {
	c.stale.Store(true)
	log.Warn("the certificate files are unusable; the last good pair stays in use", "reason", err.Error())
}

// reportExpiry logs once that the certificate in use has expired.
func (c *Certificate) reportExpiry(log *slog.Logger) {
	if leaf := c.current.Load().Leaf; !c.expired && time.Now().After(leaf.NotAfter) {
		c.expired = true
		log.Error("the certificate in use has expired: callers refuse it",
			"variable", certVariable, "not_after", leaf.NotAfter)
	}
}
