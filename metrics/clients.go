package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// ClientsFile is the result of the last reading of the clients file.
type ClientsFile struct {
	OK       bool      // the file as it is now is in use; false: the last valid one is
	LoadedAt time.Time // when the one in use was read
	Keys     []ClientKey
}

// ClientKey is one key of a client. ID is the first eight digits of its hash, by which people find it in the file.
type ClientKey struct {
	Client, ID string
	Expires    time.Time // zero: never
	LastUsed   time.Time // zero: not since the start
}

// WatchClients adds the gauges of the clients file. Each scrape calls read once. It may be called once; without it
// there are no such gauges.
func (m *Metrics) WatchClients(read func() ClientsFile) {
	gauge := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, labels, nil)
	}
	m.registry.MustRegister(&clientsCollector{
		read: read,
		success: gauge("neuronward_clients_reload_success",
			"1 while the clients file as it is now is in use, 0 after a change that was refused: "+
				"the last valid one stays in use."),
		loaded: gauge("neuronward_clients_reload_timestamp_seconds",
			"Unix time at which the clients in use were read from their file."),
		keyUsed: gauge("neuronward_client_key_last_used_timestamp_seconds",
			"Unix time at which a call last came with the key, 0 where none has since the start. "+
				"key: the first eight digits of its hash.", "client", "key"),
		keyExpires: gauge("neuronward_client_key_expiry_timestamp_seconds",
			"Unix time at which the key expires. There is none for a key that does not.", "client", "key"),
	})
}

// clientsCollector exports a ClientsFile.
type clientsCollector struct {
	read                                 func() ClientsFile
	success, loaded, keyUsed, keyExpires *prometheus.Desc
}

// Describe implements prometheus.Collector.
func (c *clientsCollector) Describe(out chan<- *prometheus.Desc) {
	out <- c.success
	out <- c.loaded
	out <- c.keyUsed
	out <- c.keyExpires
}

// Collect implements prometheus.Collector.
func (c *clientsCollector) Collect(out chan<- prometheus.Metric) {
	f := c.read()
	success := 0.0
	if f.OK {
		success = 1
	}
	out <- prometheus.MustNewConstMetric(c.success, prometheus.GaugeValue, success)
	out <- prometheus.MustNewConstMetric(c.loaded, prometheus.GaugeValue, unixTime(f.LoadedAt))
	for _, k := range f.Keys {
		out <- prometheus.MustNewConstMetric(c.keyUsed, prometheus.GaugeValue, unixTime(k.LastUsed), k.Client, k.ID)
		if !k.Expires.IsZero() {
			out <- prometheus.MustNewConstMetric(c.keyExpires, prometheus.GaugeValue, unixTime(k.Expires), k.Client,
				k.ID)
		}
	}
}
