package main

import (
	"net/http"
	"testing"
	"time"

	"github.com/neuronward/neuronward/cmd/neuronward/admin/status"
)

var (
	answers = reply{
		status: http.StatusOK, contentType: "application/json",
		body: `{"result":{"response":"x","usage":{"prompt_tokens":3,"completion_tokens":5,"total_tokens":8,` +
			`"neurons":2.5}},"success":true,"errors":[],"messages":[]}`,
	}
	dayIsOver = reply{
		status: http.StatusTooManyRequests, contentType: "application/json",
		body: `{"success":false,"result":{},"messages":[],"errors":[{"code":4006,"message":"AiError: you have used ` +
			`up your daily free allocation of 10,000 neurons"}]}`,
	}
	noRoom = reply{
		status: http.StatusTooManyRequests, contentType: "application/json",
		body: `{"success":false,"result":{},"messages":[],"errors":[{"code":3040,"message":"AiError: Capacity ` +
			`temporarily exceeded, please try again."}]}`,
	}
)

// try makes a call and reports whether it was a success.
func (p *process) try() bool {
	p.t.Helper()
	status, _ := p.do(http.MethodPost, p.app+"/run/"+model, `{"prompt":"x","max_tokens":16}`)
	return status == http.StatusOK
}

// What one process learns of Workers AI the others know within a second: that the day is spent, that it is not any
// more, that a model is out of capacity, that it has room again.
func TestProcessesTellEachOther(t *testing.T) {
	server := startRedis(t)
	upstream := newScripted(t)
	upstream.next.Store(&answers)
	environ := upstream.environ(server.url(redisWord), "NEURONWARD_PLAN=free", "NEURONWARD_QUOTA_PROBE=1s",
		"NEURONWARD_RETRIES=1", "NEURONWARD_RETRY_BUDGET=0.001")
	a, b := start(t, environ), start(t, environ)
	heard := func(what string, yes func() bool) {
		t.Helper()
		took := b.until("the other process knows: "+what, yes)
		t.Logf("%s: %v", what, took.Round(100*time.Microsecond))
		if took > time.Second {
			t.Errorf("%s: it took %v", what, took)
		}
	}
	const latched = "neuronward_quota_latched"
	if !a.try() || !b.try() || b.series(latched) != "0" {
		t.Fatal("not as it should begin")
	}
	upstream.next.Store(&dayIsOver)
	a.try()
	heard("the day is spent", func() bool { return b.series(latched) == "1" })
	before := upstream.calls.Load()
	if b.try() || upstream.calls.Load() != before {
		t.Error("the other process asked Workers AI all the same")
	}
	upstream.next.Store(&answers)
	a.until("a probe", a.try)
	heard("the day is not spent", func() bool { return b.series(latched) == "0" })

	upstream.next.Store(&noRoom)
	a.until("the breaker opens", func() bool {
		a.try()
		return len(a.status().Breakers) == 1
	})
	heard("no capacity", func() bool { return len(b.status().Breakers) == 1 })
	upstream.next.Store(&answers)
	a.until("a trial", a.try)
	heard("capacity", func() bool { return len(b.status().Breakers) == 0 })
}

// Whichever process is asked, it tells what all of them spent: of the account, of each model and of each client, with
// budgets that only the other has met.
func TestProcessesTellOfTheAccount(t *testing.T) {
	server := startRedis(t)
	environ, _ := team(t, 0, clientsText("a-team, daily_neurons: 100"), server.url(redisWord), "NEURONWARD_PLAN=free")
	a, b := start(t, environ), start(t, environ)
	if status, body := a.callAs(http.DefaultClient, "a-team"); status != http.StatusOK {
		t.Fatalf("%d %s", status, body)
	}
	a.used("2.5")
	b.used("2.5")
	one, other := a.status().Today, b.status().Today
	for _, d := range []*status.Today{&one, &other} {
		d.Store = status.Store{}
	}
	if asJSON(t, one) != asJSON(t, other) || len(other.Clients) != 1 || asJSON(t, other.Clients[0].Limit) != "100" || asJSON(t, other.Clients[0].Remaining) != "97.5" {
		t.Errorf("%s\n%s", asJSON(t, one), asJSON(t, other))
	}
	for _, p := range []*process{a, b} {
		p.until("the gauge", func() bool {
			return p.series("neuronward_neurons_used") == "2.5" && p.series("neuronward_neurons_remaining") == "9997.5"
		})
	}
}
