package deploytest

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"

	"github.com/neuronward/neuronward/metrics"
	"github.com/neuronward/neuronward/normalize"
	"github.com/neuronward/neuronward/quota"
)

// catalogue is every series that the code can have, by name, with its labels and the values of them that are known.
type catalogue map[string]map[string]map[string]bool

// familiesOfTheCode asks the product's own package for all of its series, those with values that only the load gives
// included.
func familiesOfTheCode(t *testing.T) []*dto.MetricFamily {
	t.Helper()
	m := metrics.New(metrics.Build{})
	m.WatchQuota(func() metrics.Quota {
		month := &metrics.MonthQuota{Limit: 1}
		return metrics.Quota{
			Limit: 1, Month: month, USD: map[string]float64{"day": 1, "month": 1, "month_forecast": 1},
			Clients: []metrics.ClientQuota{{Client: metrics.Other, Limit: 1, Month: month}},
		}
	})
	m.WatchPace(func() []metrics.Pace { return []metrics.Pace{{}} })
	m.WatchSessions(func() metrics.Sessions { return metrics.Sessions{} })
	m.WatchSpans(func() int64 { return 0 })
	m.WatchBreakers(func() []string { return []string{metrics.Other} })
	m.WatchClients(func() metrics.ClientsFile {
		return metrics.ClientsFile{Keys: []metrics.ClientKey{{Client: "a", ID: "00000000"}}}
	})
	m.WatchCertificate(func() metrics.Certificate { return metrics.Certificate{} })
	for _, stream := range []bool{false, true} {
		m.Began()
		m.Ended(&metrics.Call{Result: metrics.ResultOK, Stream: stream, FirstByte: 1})
	}
	m.Began()
	m.Ended(&metrics.Call{Result: metrics.ResultClientGone})
	for _, e := range normalize.Catalog() {
		m.Began()
		m.Ended(&metrics.Call{Result: e.Slug})
	}
	m.Unclassified(501)
	for _, b := range []quota.Basis{quota.Reported, quota.Priced, quota.Estimated} {
		m.Spent("", "", b.String(), 1)
	}
	m.Tokens("", "", 1)
	m.EstimateRatio("", 1)
	families, err := m.Gatherer().Gather()
	if err != nil {
		t.Fatal(err)
	}
	return families
}

// seriesOfTheCode is the catalogue of familiesOfTheCode.
func seriesOfTheCode(t *testing.T) catalogue {
	t.Helper()
	all := catalogue{"up": {}} // which Prometheus makes
	for _, family := range familiesOfTheCode(t) {
		name := family.GetName()
		names := []string{name}
		if family.GetType() == dto.MetricType_HISTOGRAM || family.GetType() == dto.MetricType_SUMMARY {
			names = []string{name + "_bucket", name + "_sum", name + "_count"}
		}
		for _, name := range names {
			for _, metric := range family.GetMetric() {
				labels := map[string]string{}
				for _, l := range metric.GetLabel() {
					labels[l.GetName()] = l.GetValue()
				}
				all.add(name, labels)
				for _, b := range metric.GetHistogram().GetBucket() {
					if strings.HasSuffix(name, "_bucket") {
						labels["le"] = strconv.FormatFloat(b.GetUpperBound(), 'g', -1, 64)
						all.add(name, labels)
					}
				}
			}
		}
	}
	return all
}

func (c catalogue) add(name string, labels map[string]string) {
	if c[name] == nil {
		c[name] = make(map[string]map[string]bool)
	}
	for label, value := range labels {
		if c[name][label] == nil {
			c[name][label] = make(map[string]bool)
		}
		c[name][label][value] = true
	}
}

// product are the names of the series that are the product's own rather than those of Go or of the process.
func (c catalogue) product() []string {
	names := slices.Sorted(maps.Keys(c))
	return slices.DeleteFunc(names, func(name string) bool { return !strings.HasPrefix(name, "neuronward_") })
}
