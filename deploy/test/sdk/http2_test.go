package sdk

import (
	"crypto/x509"
	"encoding/pem"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestNodeHTTP2 shows Node's own HTTP/2 client streams that fail. The Go client is tested with the binary's other
// processes, in cmd/neuronward.
func TestNodeHTTP2(t *testing.T) {
	bin := build(t)
	cert, key := certificate(t)
	ca, err := os.ReadFile(cert)
	if err != nil {
		t.Fatal(err)
	}
	demo := start(t, bin, "demo", "NEURONWARD_TLS_CERT="+cert, "NEURONWARD_TLS_KEY="+key)
	defer demo.stop()
	cmd := exec.CommandContext(t.Context(), "node", "--test", "--test-reporter=spec", "http2.test.js")
	cmd.Dir = "node"
	cmd.Env = append(cmd.Environ(), "SDKTEST_URL="+demo.url, "SDKTEST_CA="+string(ca))
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "pass 4\n") {
		t.Errorf("node --test http2.test.js: %v\n%s", err, out)
	}
}

// certificate writes the certificate that httptest has for loopback, and its key, into files.
func certificate(t *testing.T) (cert, key string) {
	t.Helper()
	server := httptest.NewTLSServer(nil)
	defer server.Close()
	pair := server.TLS.Certificates[0]
	secret, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
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
	return write("cert.pem", "CERTIFICATE", pair.Certificate[0]), write("key.pem", "PRIVATE KEY", secret)
}
