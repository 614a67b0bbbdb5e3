package redisstore

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestParse(t *testing.T) {
	for _, c := range []struct{ text, shown, password string }{
		{"redis://h", "redis://h:6379/0", ""},
		{"redis://h/", "redis://h:6379/0", ""},
		{"redis://h:7000/12", "redis://h:7000/12", ""},
		{"redis://:p%40ss@h", "redis://h:6379/0", "p@ss"},
		{"rediss://u:w@redis.internal:6380/3", "rediss://u@redis.internal:6380/3", "w"},
		{"redis://[::1]:6379", "redis://[::1]:6379/0", ""},
		{"unix:///run/redis.sock", "unix:///run/redis.sock?db=0", ""},
		{"unix://u:w@/run/redis.sock?db=2", "unix://u@/run/redis.sock?db=2", "w"},
		{"rediss://h?server_name=n", "rediss://h:6379/0?server_name=n", ""},
		{"redis+sentinel://h/mymaster", "redis+sentinel://h:26379/mymaster/0", ""},
		{
			"redis+sentinel://u:p%40s,s@h:1,[::1],i:3/my-primary/4?sentinel_auth=yes",
			"redis+sentinel://u@h:1,[::1]:26379,i:3/my-primary/4?sentinel_auth=yes", "p@s,s",
		},
		{"redis+cluster://h,i:7000", "redis+cluster://h:6379,i:7000", ""},
		{"rediss+cluster://:w@h:1,i:2/0?server_name=n", "rediss+cluster://h:1,i:2?server_name=n", "w"},
	} {
		a, err := Parse(c.text)
		if err != nil {
			t.Errorf("%s: got error %v, want none", c.text, err)
		}
		if a.String() != c.shown || a.password != c.password {
			t.Errorf("%s: got %s, password %q; want %s, %q", c.text, a, a.password, c.shown, c.password)
		}
		if again, err := Parse(a.String()); err != nil || again.String() != c.shown {
			t.Errorf("%s parsed again: got %s, %v, want the same", c.shown, again, err)
		}
	}
	for text, want := range map[string]string{
		"":                               "is no address",
		"redis":                          "is no address",
		"http://h":                       "is no address",
		"redis://":                       "has no host",
		"redis://:some-word@":            "has no host",
		"redis://h:some-word":            "a character in it has to be escaped",
		"redis://:some-word@h@i:x":       "a character in it has to be escaped",
		"redis://:some/word@h":           "a character in it has to be escaped",
		"redis://h:0":                    "port",
		"redis://h:70000":                "port",
		"redis://h/some-word":            "database",
		"redis://h/-1":                   "database",
		"redis://h/0?password=some-word": "has settings",
		"redis://h/0#some-word":          "has settings",
		"unix://run/redis.sock":          "has no path",
		"unix:///":                       "has no path",
		"unix:///run/redis.sock?db=x":    "database",

		"redis://h,i":                               "several hosts",
		"redis+sentinel://h":                        "does not name the primary",
		"redis+sentinel://h,,i/m":                   "has no host",
		"redis+sentinel://h:some-word,i/m":          "a character in it has to be escaped",
		"redis+sentinel://h,i:some-word/m":          "has no host",
		"redis+sentinel://h/m/x":                    "database",
		"redis+sentinel://u:1/some-word@h,i":        "a character in it has to be escaped",
		"redis+sentinel://h/m?sentinel_auth=true":   "write yes or no",
		"redis+cluster://h/1":                       "0 alone",
		"redis+cluster://h?sentinel_auth=yes":       "has settings",
		"redis://h?ca=some-word":                    "has settings",
		"rediss://h?ca=/nowhere":                    "cannot be read",
		"rediss://h?ca=address_test.go":             "no certificate in PEM",
		"rediss://h?cert=address_test.go":           "one of cert and key",
		"rediss://h?cert=address_test.go&key=go.go": "cannot be used",
		"redis+other://h":                           "is no address",
	} {
		_, err := Parse(text)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got error %v, want one with %q", text, err, want)
		}
		if err != nil && (strings.Contains(err.Error(), "some-word") || strings.Contains(err.Error(), "some/word")) {
			t.Errorf("%s: got error %v, want one without the password", text, err)
		}
	}
}

// Over TLS: with the server's certificate, and not with another one.
func TestTLS(t *testing.T) {
	t.Parallel()
	cert, key, roots := certificate(t)
	_, port := serverOnPort(t, "--tls-port", "--tls-cert-file", cert, "--tls-key-file", key, "--tls-auth-clients", "no",
		"--tls-ca-cert-file", cert)
	url := "rediss://127.0.0.1:" + port + "/2"
	a := replica{name: "a"}
	config := &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	s := open(t, url, "x", Options{Timeout: patient.Timeout, TLS: config})
	send(t, s, a.report(request(0, 0, n)))
	if w, err := s.Inspect(t.Context()); err != nil || len(w) > 0 {
		t.Errorf("Inspect: got %q, %v, want no warning", w, err)
	}
	_, err := open(t, url, "x", patient).Sync(t.Context(), a.report(request(0, 0, n)))
	if err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("unknown authority: got error %v, want one of the certificate", err)
	}
}

// A server that asks for a certificate gets the one that the address names, and shows one of an authority that the
// address names.
func TestTLSFiles(t *testing.T) {
	t.Parallel()
	cert, key, _ := certificate(t)
	_, port := serverOnPort(t, "--tls-port", "--tls-cert-file", cert, "--tls-key-file", key, "--tls-ca-cert-file", cert)
	address := "rediss://127.0.0.1:" + port + "?ca=" + cert
	a := replica{name: "a"}
	send(t, open(t, address+"&cert="+cert+"&key="+key, "x", patient), a.report(request(0, 0, n)))
	for _, other := range []string{"", "&cert=" + cert + "&key=" + key + "&server_name=elsewhere"} {
		if _, err := open(t, address+other, "x", patient).Sync(t.Context(), a.report(request(0, 0, n))); err == nil {
			t.Errorf("%s: got no error, want one of the certificate", address+other)
		}
	}
}

// certificate makes one for 127.0.0.1 that is its own authority.
func certificate(t *testing.T) (cert, key string, roots *x509.CertPool) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := x509.MarshalECPrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	keyPEM := pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: encoded})
	for path, text := range map[string][]byte{cert: certPEM, key: keyPEM} {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	roots = x509.NewCertPool()
	roots.AppendCertsFromPEM(certPEM)
	return cert, key, roots
}
