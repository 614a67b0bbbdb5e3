package main

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"github.com/neuronward/neuronward/cmd/neuronward/config"
	"github.com/neuronward/neuronward/metrics"
	"github.com/neuronward/neuronward/quota"
)

// More than the free plan gives can only be spent on Workers Paid, whatever the settings say.
func TestMoreThanTheFreePlanGives(t *testing.T) {
	const one = quota.OneNeuron
	for _, tt := range []struct {
		name  string
		set   []string
		spent quota.Neurons
		wrong bool
	}{
		{"plan unset", []string{"NEURONWARD_DAILY_NEURONS=20000"}, 10_001 * one, true},
		{"plan free", []string{"NEURONWARD_DAILY_NEURONS=20000", "NEURONWARD_PLAN=free"}, 10_001 * one, true},
		{"only observed", []string{"NEURONWARD_QUOTA_MODE=observe"}, 10_001 * one, true},
		{"all that it gives", []string{"NEURONWARD_DAILY_NEURONS=20000"}, 10_000 * one, false},
		{"plan paid", []string{"NEURONWARD_PLAN=paid"}, 10_001 * one, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			set := append([]string{"NEURONWARD_STORE=memory:", "NEURONWARD_QUOTA_MODE=enforce"}, tt.set...)
			c, err := config.Load(environ(set...), new(config.Redactor))
			if err != nil {
				t.Fatal(err)
			}
			var text bytes.Buffer
			log := slog.New(slog.NewTextHandler(&text, nil))
			n, err := openQuotas(t.Context(), c, log, metrics.New(metrics.Build{}), nil)
			if err != nil {
				t.Fatal(err)
			}
			for range 2 {
				res, d, err := n.ledger.Reserve(t.Context(), quota.Call{Estimate: tt.spent / 2})
				if err != nil || res == nil {
					t.Fatalf("got %+v, %v, want a reservation", d, err)
				}
				res.Settle(quota.Cost{Neurons: tt.spent / 2})
				n.source(c).Today(t.Context())
			}
			d := n.source(c).Today(t.Context())
			screened := (screen{}).usage(usageReport{Today: d}, d.ResetsAt.Add(-1))
			if d.PlanWrong != tt.wrong {
				t.Errorf("got plan_wrong %v, want %v", d.PlanWrong, tt.wrong)
			}
			if got := strings.Contains(screened, "NEURONWARD_PLAN=paid"); got != tt.wrong {
				t.Errorf("got NEURONWARD_PLAN=paid %v, want %v, in\n%s", got, tt.wrong, screened)
			}
			if err := n.close(0, log); err != nil {
				t.Fatal(err)
			}
			want := 0
			if tt.wrong {
				want = 1
			}
			if got := strings.Count(text.String(), "set NEURONWARD_PLAN=paid"); got != want {
				t.Errorf("got %d warnings, want %d\n%s", got, want, text.String())
			}
		})
	}
}

// What /status and the series show of a day that is spent.
func TestASpentDay(t *testing.T) {
	n, c, m := counting(t)
	if d := n.source(c).Today(t.Context()); d.ExhaustedAt != nil {
		t.Errorf("got exhausted at %v, want null", d.ExhaustedAt)
	}
	res, d, err := n.ledger.Reserve(t.Context(), quota.Call{Estimate: 9992 * quota.OneNeuron})
	if err != nil || res == nil {
		t.Fatalf("got %+v, %v, want a reservation", d, err)
	}
	res.Settle(quota.Cost{Neurons: 9996 * quota.OneNeuron}) // more than was reserved: it is counted nevertheless
	today := n.source(c).Today(t.Context())
	if today.ExhaustedAt == nil || today.ExhaustedAt.After(*today.ResetsAt) {
		t.Fatalf("got exhausted at %v, want a time before %v", today.ExhaustedAt, today.ResetsAt)
	}
	if body := seriesOf(t, m); strings.Contains(body, "\nneuronward_quota_exhaustion_timestamp_seconds 0\n") {
		t.Error("got 0 as the time of exhaustion, want a time")
	}
}
