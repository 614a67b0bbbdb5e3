package metrics

import (
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
)

func TestClientsFileIsShownOnlyWhereThereIsOne(t *testing.T) {
	m := New(Build{})
	if _, body := scrape(t, m, "text/plain"); strings.Contains(body, "neuronward_clients_") {
		t.Error("there are gauges of a clients file, and there is none")
	}
	f := ClientsFile{OK: true, LoadedAt: time.UnixMilli(1_500)}
	m.WatchClients(func() ClientsFile { return f })
	for _, want := range []string{"neuronward_clients_reload_success 1", "neuronward_clients_reload_timestamp_seconds 1.5"} {
		if _, body := scrape(t, m, "text/plain"); !strings.Contains(body, want+"\n") {
			t.Errorf("missing: %s", want)
		}
	}
	f.OK = false
	for _, want := range []string{"neuronward_clients_reload_success 0", "neuronward_clients_reload_timestamp_seconds 1.5"} {
		if _, body := scrape(t, m, "text/plain"); !strings.Contains(body, want+"\n") {
			t.Errorf("after a refused file, missing: %s", want)
		}
	}
	if problems, err := testutil.GatherAndLint(m.Gatherer()); err != nil || len(problems) > 0 {
		t.Errorf("%v %v", problems, err)
	}
}
