package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Certificate is the state of the app listener's certificate.
type Certificate struct {
	ExpiresAt time.Time // of the one in use
	LoadedAt  time.Time // when it came into use
	Stale     bool      // its files have changed and cannot be used
}

// WatchCertificate adds the gauges of the app listener's certificate. Each scrape calls read. It may be called once;
// without it there are no such gauges.
func (m *Metrics) WatchCertificate(read func() Certificate) {
	gauge := func(name, help string, value func(Certificate) float64) prometheus.Collector {
		o := prometheus.GaugeOpts{Name: name, Help: help}
		return prometheus.NewGaugeFunc(o, func() float64 { return value(read()) })
	}
	m.registry.MustRegister(
		gauge("neuronward_tls_certificate_expiry_timestamp_seconds",
			"Unix time at which the certificate in use expires.",
			func(c Certificate) float64 { return unixTime(c.ExpiresAt) }),
		gauge("neuronward_tls_reload_timestamp_seconds",
			"Unix time at which the certificate in use was read.",
			func(c Certificate) float64 { return unixTime(c.LoadedAt) }),
		gauge("neuronward_tls_reload_success",
			"1 while the certificate in use is the one in its files, 0 while the files cannot be used.",
			func(c Certificate) float64 {
				if c.Stale {
					return 0
				}
				return 1
			}),
	)
}
