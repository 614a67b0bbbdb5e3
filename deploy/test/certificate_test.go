package deploytest

import (
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
)

// certificate writes a certificate and its key, and returns the variables that name them.
func certificate(t *testing.T) []string {
	t.Helper()
	server := httptest.NewTLSServer(http.NotFoundHandler()) // it makes one
	server.Close()
	made := server.TLS.Certificates[0]
	key, err := x509.MarshalPKCS8PrivateKey(made.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(name, kind string, der []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	return []string{
		"NEURONWARD_TLS_CERT=" + write("cert.pem", "CERTIFICATE", made.Certificate[0]),
		"NEURONWARD_TLS_KEY=" + write("key.pem", "PRIVATE KEY", key),
	}
}
