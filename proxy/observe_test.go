package proxy

import (
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/neuronward/neuronward/proxy/workersai"
	"github.com/neuronward/neuronward/quota"
)

// In observe mode a call that would have been refused says so: in a header, on its log line, in the series and in the
// counts of its client and model, once and by the first reason.
func TestObserveSaysWhomItWouldHit(t *testing.T) {
	virtually(t, func(t *testing.T) {
		g := newGuarded(t, quota.Options{Mode: quota.Observe}, workersai.Options{},
			withClients(t, "small, daily_neurons: 1, requests_per_minute: 1", "slow, requests_per_minute: 1", "free"),
			atPace(t, "text-generation=1000", 0))
		defer g.close()
		for _, c := range []struct{ name, client, want string }{
			{"within its limits", "free", ""},
			{"the first of a minute", "slow", ""},
			{"the second of a minute", "slow", "rate"},
			{"beyond its budget", "small", "client_budget"},
			{"beyond its budget and its rate", "small", "client_budget"},
		} {
			body := chat
			if c.client == "small" {
				body = strings.Replace(chat, "{", `{"max_tokens":1000,`, 1)
			}
			before := g.log.String()
			w := g.post(chatPath, body, "X-Api-Key", keyOf(c.client))
			if w.Code != 200 {
				t.Fatalf("%s: got %d %s, want 200", c.name, w.Code, w.Body)
			}
			wantEqual(t, c.name+": header", w.Header().Get("X-Neuronward-Would-Refuse"), c.want)
			line := strings.TrimPrefix(g.log.String(), before)
			if got := strings.Contains(line, `"would_refuse":"`+c.want+`"`); got != (c.want != "") {
				t.Errorf("%s: got the line %s, want would_refuse %q", c.name, line, c.want)
			}
		}
		for client, want := range map[string]float64{"free": 0, "slow": 1, "small": 2} {
			n := count(t, g.config.Metrics, "neuronward_preempted_total", "mode", "observe", "client", client)
			wantEqual(t, "series of "+client, n, want)
		}
		models, clients := g.config.Metrics.Minutes().WouldRefuseToday(time.Now())
		for what, got := range map[string]map[string]int64{"small": clients["small"], "slow": clients["slow"]} {
			want := map[string]map[string]int64{"small": {"client_budget": 2}, "slow": {"rate": 1}}[what]
			if !maps.Equal(got, want) {
				t.Errorf("%s: got %v, want %v", what, got, want)
			}
		}
		wantEqual(t, "clients counted", len(clients), 2)
		if got, want := models[testModel], map[string]int64{"client_budget": 2, "rate": 1}; !maps.Equal(got, want) {
			t.Errorf("%s: got %v, want %v", testModel, got, want)
		}
	})
}
