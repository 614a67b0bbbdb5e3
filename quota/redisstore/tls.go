package redisstore

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"os"
)

// tlsFiles are what an address says of TLS. Each may be empty.
type tlsFiles struct {
	ca        string // authorities of the server's certificate; "": those of the system
	cert, key string // of the client
	name      string // in the server's certificate; "": its host
}

// config reads the files. The client's certificate is read again for each connection, so that it can be replaced.
func (f tlsFiles) config() (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: f.name}
	if f.ca != "" {
		text, err := os.ReadFile(f.ca)
		if err != nil {
			return nil, fmt.Errorf("names a ca that cannot be read: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("names the ca %s, which holds no certificate in PEM", f.ca)
		}
	}
	if (f.cert == "") != (f.key == "") {
		return nil, errors.New("names one of cert and key; write both for a client's certificate, or neither")
	}
	if f.cert == "" {
		return c, nil
	}
	if _, err := tls.LoadX509KeyPair(f.cert, f.key); err != nil {
		return nil, fmt.Errorf("names a cert and key that cannot be used: %w", err)
	}
	c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		pair, err := tls.LoadX509KeyPair(f.cert, f.key)
		return &pair, err
	}
	return c, nil
}

// query is f as an address has it.
func (f tlsFiles) query() string {
	q := url.Values{}
	for name, value := range map[string]string{"ca": f.ca, "cert": f.cert, "key": f.key, "server_name": f.name} {
		if value != "" {
			q.Set(name, value)
		}
	}
	return q.Encode()
}
