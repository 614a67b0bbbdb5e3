package config

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"
	"time"

	"github.com/neuronward/neuronward/metrics"
)

const (
	TlsCertName = "NEURONWARD_TLS_CERT"
	tlsKeyName  = "NEURONWARD_TLS_KEY"

	// settling is how long changed files must stay as they are: two files cannot be replaced in one step.
	settling = 100 * time.Millisecond
)

// pemFile is the path of a PEM file.
type pemFile string

// UnmarshalText refuses what stands in a PEM file, so that a key is not shown as a path.
func (f *pemFile) UnmarshalText(text []byte) error {
	if bytes.Contains(text, []byte("-----")) || bytes.ContainsAny(text, "\r\n\x00") {
		return errors.New("is not a path; put the PEM text into a file and name that")
	}
	*f = pemFile(text)
	return nil
}

// Scheme is what the URLs of the app listener begin with.
func (c *Config) Scheme() string {
	if c.TLSCert != "" {
		return "https"
	}
	return "http"
}

// A Certificate is what the app listener presents, from two files that may change at any time: the last good pair stays in
// use until both hold another one. A resumed TLS session presents none and goes on.
type Certificate struct {
	certPath, keyPath string

	current atomic.Pointer[loadedPair]
	stale   atomic.Bool // the files hold something else, which cannot be used

	// Only for the goroutine that looks at the files.
	regular    bool
	used, seen sight
	loose      loose
	trouble    string // what was warned about
	expired    bool   // it was told of the pair in use
}

// A loadedPair is a certificate with its key, and since when it is in use.
type loadedPair struct {
	tls.Certificate
	since time.Time
}

// A sight is what one look at the files found.
type sight struct {
	cert, key [sha256.Size]byte
	trouble   string // why they could not be read
}

// pemPair is the text of both files.
type pemPair struct{ cert, key []byte }

func (p pemPair) sight() sight { return sight{cert: sha256.Sum256(p.cert), key: sha256.Sum256(p.key)} }

// readCertificate reads the pair that the app listener begins with.
func (l *Loader) readCertificate() {
	c := &l.Config
	switch {
	case l.wrong(TlsCertName) || l.wrong(tlsKeyName) || c.TLSCert == "" && c.TLSKey == "":
		return
	case c.TLSKey == "":
		l.mistake(tlsKeyName, "is not set, but %s is; set both, or neither to listen without TLS", TlsCertName)
		return
	case c.TLSCert == "":
		l.mistake(TlsCertName, "is not set, but %s is; set both, or neither to listen without TLS", tlsKeyName)
		return
	}
	cert := &Certificate{certPath: string(c.TLSCert), keyPath: string(c.TLSKey)}
	pair, warnings, errs := cert.read()
	for _, w := range warnings {
		l.Warnings = append(l.Warnings, tlsKeyName+": "+w)
	}
	for i, name := range []string{TlsCertName, tlsKeyName} {
		if errs[i] != nil {
			l.mistake(name, "%v", errs[i])
		}
	}
	if errors.Join(errs[:]...) != nil {
		return
	}
	if err := cert.adopt(pair, time.Now()); err != nil {
		l.mistake(TlsCertName, "%v", err)
		return
	}
	l.Certificate = cert
}

// read reads both files; the errors are in their order.
func (c *Certificate) read() (pair pemPair, warnings []string, errs [2]error) {
	cert, certInfo, err := readSmall(c.certPath, "the certificate and its chain", c.regular)
	errs[0] = err
	key, keyInfo, err := readSmall(c.keyPath, "the key", c.regular)
	if errs[1] = err; err == nil {
		warnings = c.loose.look(c.keyPath, keyInfo, os.Geteuid())
	}
	c.regular = (certInfo == nil || certInfo.Mode().IsRegular()) && (keyInfo == nil || keyInfo.Mode().IsRegular())
	return pemPair{cert, key}, warnings, errs
}

// adopt takes pair into use if it can be at this time; the error names no part of a file's content.
func (c *Certificate) adopt(pair pemPair, now time.Time) error {
	got, err := tls.X509KeyPair(pair.cert, pair.key)
	switch {
	case err != nil:
		return fmt.Errorf("%s and %s are no pair (%w); name a PEM certificate and the key that belongs to it", c.certPath, c.keyPath, err)
	case cutOff(pair.cert):
		return fmt.Errorf("%s ends in the middle of a certificate; write it whole", c.certPath)
	case now.After(got.Leaf.NotAfter):
		return fmt.Errorf("%s has expired (%s); renew it", c.certPath, got.Leaf.NotAfter.Format(time.RFC3339))
	case now.Before(got.Leaf.NotBefore):
		return fmt.Errorf("%s is not valid before %s; check the clock, or wait", c.certPath, got.Leaf.NotBefore.Format(time.RFC3339))
	}
	c.used, c.expired = pair.sight(), false
	c.seen = c.used
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

// State is what the gauges show.
func (c *Certificate) State() metrics.Certificate {
	pair := c.current.Load()
	return metrics.Certificate{ExpiresAt: pair.Leaf.NotAfter, LoadedAt: pair.since, Stale: c.stale.Load()}
}

// Watch follows the files until ctx ends. What changes is logged.
func (c *Certificate) Watch(ctx context.Context, log *slog.Logger) {
	if !c.regular { // a pipe can be read once only
		return
	}
	next := time.NewTimer(secretPoll)
	defer next.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-next.C:
			if c.look(now, log) {
				next.Reset(secretPoll)
			} else {
				next.Reset(settling)
			}
		}
	}
}

// look reads the files once more. What is new counts once two looks agree on it: false asks for the second.
func (c *Certificate) look(now time.Time, log *slog.Logger) (settled bool) {
	pair, warnings, errs := c.read()
	for _, w := range warnings {
		log.Warn("the key file is not safe", "variable", tlsKeyName, "reason", w)
	}
	if leaf := c.current.Load().Leaf; now.After(leaf.NotAfter) && !c.expired {
		c.expired = true
		log.Error("the certificate in use has expired: callers refuse it", "variable", TlsCertName, "not_after", leaf.NotAfter)
	}
	saw, err := pair.sight(), errors.Join(errs[:]...)
	if err != nil {
		saw = sight{trouble: err.Error()}
	}
	settled = saw == c.seen || saw == c.used
	c.seen = saw
	switch {
	case saw == c.used:
		c.mended(log)
		return true
	case !settled:
		return false
	case err == nil:
		err = c.adopt(pair, now)
	}
	if err != nil {
		c.stale.Store(true)
		if c.trouble != err.Error() {
			c.trouble = err.Error()
			log.Warn("the certificate files are unusable; the last good pair stays in use", "reason", c.trouble)
		}
		return true
	}
	c.mended(log)
	leaf := c.current.Load().Leaf
	log.Info("the certificate has changed; new connections get it", "variable", TlsCertName, "serial", leaf.SerialNumber.Text(16), "not_after", leaf.NotAfter)
	return true
}

// mended notes that the files hold what is in use.
func (c *Certificate) mended(log *slog.Logger) {
	c.stale.Store(false)
	if c.trouble != "" {
		c.trouble = ""
		log.Info("the certificate files are usable again")
	}
}
