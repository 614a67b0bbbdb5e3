package main

import (
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/neuronward/neuronward/cmd/neuronward/config"
	"github.com/neuronward/neuronward/metrics"
	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/memstore"
	"github.com/neuronward/neuronward/quota/price"
)

func seriesOf(t *testing.T, m *metrics.Metrics) string {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", http.NoBody))
	body, err := io.ReadAll(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// counting returns what openQuotas makes, with calls settled: 1.5 reported and 0.5 priced neurons of m1 by team, 2
// estimated of m2 by other, and 3 in flight.
func counting(t *testing.T, set ...string) (*quotas, *config.Config, *metrics.Metrics) {
	t.Helper()
	set = append([]string{
		"NEURONWARD_STORE=memory:", "NEURONWARD_QUOTA_MODE=enforce", "NEURONWARD_ESTIMATE=bound",
	}, set...)
	c, err := config.Load(environ(set...), new(config.Redactor))
	if err != nil {
		t.Fatal(err)
	}
	m := metrics.New(metrics.Build{})
	n, err := openQuotas(t.Context(), c, slog.New(slog.DiscardHandler), m, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.close(0, slog.New(slog.DiscardHandler)); err != nil {
			t.Error(err)
		}
	})
	if n.ledger == nil {
		return n, c, m
	}
	reserve := func(model, client string, limit, estimate quota.Neurons) *quota.Reservation {
		call := quota.Call{Model: model, Client: client, ClientLimit: limit, Estimate: estimate}
		res, d, err := n.ledger.Reserve(t.Context(), call)
		if err != nil || res == nil {
			t.Fatalf("got %+v, %v, want a reservation", d, err)
		}
		t.Cleanup(res.Release)
		return res
	}
	const one = quota.OneNeuron
	reserve("m1", "team", 50*one, 10*one).Settle(quota.Cost{Neurons: one + one/2, Basis: quota.Reported})
	reserve("m1", "team", 50*one, 10*one).Settle(quota.Cost{Neurons: one / 2, Basis: quota.Priced})
	reserve("m2", "other", 0, 10*one).Settle(quota.Cost{Neurons: 2*one + 1, Basis: quota.Estimated})
	reserve("m2", "other", 0, 3*one)
	return n, c, m
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestToday has parts of the JSON of /status for what the environment says.
func TestToday(t *testing.T) {
	const (
		used    = `"used":4.000001,"reserved":3,"lost":0,"external":0,`
		nowhere = `"reconciliation":{"counted_until":null,"failure":null},`
	)
	for _, tt := range []struct {
		name string
		set  []string
		want []string
	}{
		{"a limit", nil, []string{
			`"plan":"free","plan_wrong":false,"mode":"enforce",` + used +
				`"limit":10000,"margin":0,"remaining":9992.999999,`,
			`"exhausted_at":null,"expected_at":null,"latched":false,"retry_at":null,"forecast":null,"hours":[`,
			`],"yesterday":{"day":"`, `"basis_shares":{"reported":0.375,"priced":0.125,"estimated":0.5}`,
			`"models":[{"name":"m2","calls":1,"neurons":2.000001,"reported":0,"priced":0,"estimated":2.000001,` +
				`"usd":0,"fits_now":999,"would_refuse":{}},` +
				`{"name":"m1","calls":2,"neurons":2,"reported":1.5,"priced":0.5,"estimated":0,` +
				`"usd":0,"fits_now":999,"would_refuse":{}}]`,
			`{"name":"team","calls":2,"neurons":2,"reported":1.5,"priced":0.5,"estimated":0,"usd":0,` +
				`"limit":50,"remaining":48,"month":null,"would_refuse":{}}`,
			`{"name":"other","calls":1,"neurons":2.000001,"reported":0,"priced":0,"estimated":2.000001,"usd":0,` +
				`"limit":null,"remaining":null,"month":null,"would_refuse":{}}`,
			`"holders":1,"in_flight":1,"waiting":0,` + nowhere +
				`"store":{"kind":"memory","policy":"deny","healthy":true,"failures":0,"failure":null,` +
				`"round_trip_ms":null,"grants_uncopied":0}`,
		}},
		{"no limit", []string{"NEURONWARD_PLAN=paid", "NEURONWARD_ON_STORE_FAILURE=allow"}, []string{
			`"plan":"paid","plan_wrong":false,"mode":"enforce",` + used + `"limit":null,"margin":0,"remaining":null,`,
			`"policy":"allow"`,
		}},
		{"observed", []string{"NEURONWARD_QUOTA_MODE=observe", "NEURONWARD_DAILY_NEURONS=1"}, []string{
			`"mode":"observe",` + used + `"limit":1,"margin":0,"remaining":0,`,
		}},
		{"off", []string{"NEURONWARD_QUOTA_MODE=off"}, []string{
			`{"day":null,"plan":"free","plan_wrong":false,"mode":"off","used":null,"reserved":null,"lost":null,` +
				`"external":null,"limit":null,"margin":null,"remaining":null,"resets_at":null,`,
			`"hours":null,"yesterday":null,`,
			`"models":[],"clients":[],"holders":0,"in_flight":0,"waiting":0,` + nowhere + `"store":{"kind":"none",`,
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n, c, _ := counting(t, tt.set...)
			got := asJSON(t, n.source(c).Today(t.Context()))
			for _, want := range tt.want {
				if !strings.Contains(got, want) {
					t.Errorf("got %s\nwant %s", got, want)
				}
			}
		})
	}
}

func TestABlockedDay(t *testing.T) {
	n, c, m := counting(t)
	n.ledger.Block(time.Time{})
	d := n.source(c).Today(t.Context())
	if !d.Blocked || d.RetryAt == nil {
		t.Errorf("got blocked %v, retry at %v; want true, a time", d.Blocked, d.RetryAt)
	}
	if got, want := asJSON(t, d.ResetsAt), `T00:00:00Z"`; !strings.HasSuffix(got, want) {
		t.Errorf("got a reset at %s, want …%s", got, want)
	}
	if got, want := seriesOf(t, m), "\nneuronward_quota_latched 1\n"; !strings.Contains(got, want) {
		t.Errorf("got\n%s\nwant %s", got, want)
	}
}

func TestGaugesAgreeWithStatus(t *testing.T) {
	_, _, m := counting(t)
	got := seriesOf(t, m)
	for _, want := range []string{
		"neuronward_neurons_used 4.000001", "neuronward_neurons_reserved 3", "neuronward_neurons_limit 10000",
		"neuronward_neurons_remaining 9992.999999", "neuronward_quota_latched 0",
		"neuronward_quota_exhaustion_timestamp_seconds 0",
		`neuronward_client_neurons_used{client="team"} 2`, `neuronward_client_neurons_limit{client="team"} 50`,
	} {
		if !strings.Contains(got, want+"\n") {
			t.Errorf("got\n%s\nwant %s", got, want)
		}
	}
	lacks(t, "series without a limit of the month", got, "_month_")
	n, _, m := counting(t, "NEURONWARD_MONTHLY_NEURONS=1e6")
	res, d, err := n.ledger.Reserve(t.Context(), quota.Call{
		Model: "m1", Client: "monthly", ClientMonth: 40 * quota.OneNeuron, CountClient: true, Estimate: quota.OneNeuron,
	})
	if err != nil || res == nil {
		t.Fatalf("Reserve() = %+v, %v, want a reservation", d, err)
	}
	defer res.Release()
	got = seriesOf(t, m)
	for _, want := range []string{
		"neuronward_neurons_month_limit 1e+06", "neuronward_neurons_month_remaining 999991.999999",
		`neuronward_client_neurons_month_limit{client="monthly"} 40`,
		`neuronward_client_neurons_month_remaining{client="monthly"} 39`,
	} {
		contains(t, "series of the month", got, want+"\n")
	}
	lacks(t, "series of a client without a budget of the month", got, `_month_limit{client="team"}`)
	for _, set := range []string{"NEURONWARD_QUOTA_MODE=off", "NEURONWARD_PLAN=paid"} {
		_, _, m := counting(t, set)
		if strings.Contains(seriesOf(t, m), "neuronward_neurons_limit") {
			t.Errorf("%s: got a limit, want none", set)
		}
	}
}

// While the store fails, the page still shows what this process knows. Readiness depends on the policy.
func TestAStoreThatFails(t *testing.T) {
	const ten = 10 * quota.OneNeuron
	for _, tt := range []struct {
		name  string
		o     quota.Options
		ready bool
	}{
		{"a limit, deny", quota.Options{Limit: ten}, false},
		{"a limit, allow", quota.Options{Limit: ten, AllowOfflineGrant: true}, true},
		{"no limit", quota.Options{}, true},
		{"observed", quota.Options{Limit: ten, Mode: quota.Observe}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.o.Store = &fallible{Store: memstore.New(nil), err: errors.New("disk on fire")}
			c := &config.Config{OnStoreFailure: "deny", Store: config.Store{Kind: config.StoreFile, Path: "/x"}}
			closeStore := func() error { return nil }
			n, err := newQuotas(t.Context(), tt.o, c.Clients.HasBudgets, price.Bound, 0.011, closeStore)
			if err != nil {
				t.Fatal(err)
			}
			reason := n.unready()
			if got := reason == ""; got != tt.ready {
				t.Errorf("got ready %v (%s), want %v", got, reason, tt.ready)
			}
			if !tt.ready && !strings.Contains(reason, "disk on fire") {
				t.Errorf("got the reason %q, want the disk on fire", reason)
			}
			d := n.source(c).Today(t.Context())
			if d.Store.Healthy || d.Store.Failures == 0 {
				t.Errorf("got store %+v, want one that fails", d.Store)
			}
			if d.Store.Kind != "file" {
				t.Errorf("got a store of the kind %s, want file", d.Store.Kind)
			}
			if d.Store.Failure == nil || !strings.Contains(*d.Store.Failure, "disk on fire") {
				t.Errorf("got the failure %v, want the disk on fire", d.Store.Failure)
			}
			if d.Used == nil {
				t.Error("got no figure of what is used, want that of this process")
			}
			if _, err := n.source(c).History(t.Context(), 2); err == nil {
				t.Error("got no error of the days, want that of the store")
			}
			if err := n.close(0, slog.New(slog.DiscardHandler)); err == nil {
				t.Error("got no error of closing, want that of the store")
			}
		})
	}
}
