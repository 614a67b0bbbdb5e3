package metrics

import "testing"

func TestSeriesOfSpans(t *testing.T) {
	m := New(Build{})
	m.WatchSpans(func() int64 { return 7 })
	_, body := scrape(t, m, "text/plain")
	holds(t, body, lines("neuronward_spans_dropped_total 7")...)
}
