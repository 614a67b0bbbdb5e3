package config

import (
	"strings"
	"testing"
)

// Only the free plan has a limit by itself.
func TestPlans(t *testing.T) {
	for plan, want := range map[string]float64{PlanFree: 10_000, "paid": 0, PlanPrepaid: 0} {
		c, err := Load(environ("NEURONWARD_PLAN="+plan), new(Redactor))
		if err != nil {
			t.Fatal(err)
		}
		if c.Plan != plan || c.DailyNeurons != want {
			t.Errorf("got the plan %q with %v neurons a day, want %q with %v", c.Plan, c.DailyNeurons, plan, want)
		}
	}
	_, err := Load(environ("NEURONWARD_PLAN=credits"), new(Redactor))
	if err == nil || !strings.Contains(err.Error(), "free or paid or prepaid") {
		t.Errorf("got %v, want a mistake that names the plans", err)
	}
}
