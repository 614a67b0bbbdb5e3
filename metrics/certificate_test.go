package metrics

import (
	"strings"
	"testing"
	"time"
)

func TestGaugesOfTheCertificate(t *testing.T) {
	m := New(Build{})
	if _, body := scrape(t, m, "text/plain"); strings.Contains(body, "neuronward_tls_") {
		t.Errorf("without a certificate: got\n%s\nwant no gauges of one", body)
	}
	c := Certificate{ExpiresAt: time.Unix(1_795_392_000, 0), LoadedAt: time.Unix(1_795_390_000, 500_000_000)}
	m.WatchCertificate(func() Certificate { return c })
	want := func(success string) {
		t.Helper()
		_, body := scrape(t, m, "text/plain")
		holds(t, body, lines(
			"neuronward_tls_certificate_expiry_timestamp_seconds 1.795392e+09",
			"neuronward_tls_reload_timestamp_seconds 1.7953900005e+09",
			"neuronward_tls_reload_success "+success,
		)...)
	}
	want("1")
	c.Stale = true
	want("0")
}
