package metrics

import "github.com/prometheus/client_golang/prometheus"

// Sessions are the sessions over WebSockets of a process, and what has passed in all of them so far.
type Sessions struct {
	Open                    int
	Seconds                 float64 // of sound that was given to models
	Characters              int64   // that were given to be spoken
	MessagesIn, MessagesOut int64   // from apps, from models
}

// WatchSessions adds the series of sessions over WebSockets. Each scrape calls read once. It may be called once.
func (m *Metrics) WatchSessions(read func() Sessions) {
	m.registry.MustRegister(&sessionCollector{
		read: read,
		open: prometheus.NewDesc("neuronward_sessions", "Sessions over WebSockets that are open.", nil, nil),
		seconds: prometheus.NewDesc("neuronward_session_sound_seconds_total",
			"Seconds of sound that were given to models over WebSockets, as they are counted.", nil, nil),
		characters: prometheus.NewDesc("neuronward_session_characters_total",
			"Characters that were given to models over WebSockets to be spoken.", nil, nil),
		messages: prometheus.NewDesc("neuronward_session_messages_total",
			"Messages that passed over WebSockets, by direction: in from apps, out from models.",
			[]string{"direction"}, nil),
	})
}

type sessionCollector struct {
	read                                func() Sessions
	open, seconds, characters, messages *prometheus.Desc
}

// Describe implements prometheus.Collector.
func (c *sessionCollector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.open, c.seconds, c.characters, c.messages} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (c *sessionCollector) Collect(out chan<- prometheus.Metric) {
	s := c.read()
	out <- prometheus.MustNewConstMetric(c.open, prometheus.GaugeValue, float64(s.Open))
	count := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, v, labels...)
	}
	count(c.seconds, s.Seconds)
	count(c.characters, float64(s.Characters))
	count(c.messages, float64(s.MessagesIn), "in")
	count(c.messages, float64(s.MessagesOut), "out")
}
