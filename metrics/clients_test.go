package metrics

import (
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
)

func TestGaugesOfTheClientsFile(t *testing.T) {
	m := New(Build{})
	if _, body := scrape(t, m, "text/plain"); strings.Contains(body, "neuronward_clients_") {
		t.Errorf("without a clients file: got\n%s\nwant no gauges of one", body)
	}
	f := ClientsFile{OK: true, LoadedAt: time.UnixMilli(1_500)}
	m.WatchClients(func() ClientsFile { return f })
	for _, c := range []struct {
		ok      bool
		success string
	}{{true, "1"}, {false, "0"}} {
		f.OK = c.ok
		_, body := scrape(t, m, "text/plain")
		for _, want := range []string{
			"neuronward_clients_reload_success " + c.success, "neuronward_clients_reload_timestamp_seconds 1.5",
		} {
			if !strings.Contains(body, want+"\n") {
				t.Errorf("file in use %v: got\n%s\nwant %s", c.ok, body, want)
			}
		}
	}
	if problems, err := testutil.GatherAndLint(m.Gatherer()); err != nil || len(problems) > 0 {
		t.Errorf("got problems %v, error %v; want none", problems, err)
	}
}
