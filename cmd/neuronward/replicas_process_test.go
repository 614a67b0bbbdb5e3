package main

import (
	"net/http"
	"sync"
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
	t.Parallel()
	server := startRedis(t)
	upstream := newScripted(t)
	upstream.next.Store(&answers)
	environ := upstream.environ(server.url(redisWord), "NEURONWARD_PLAN=free", "NEURONWARD_QUOTA_PROBE=1s",
		"NEURONWARD_RETRIES=1", "NEURONWARD_RETRY_BUDGET=0.001", "NEURONWARD_DAILY_NEURONS=100")
	a, b := start(t, environ), start(t, environ)
	learns := func(what string, yes func() bool) {
		t.Helper()
		took := b.until("the other process knows: "+what, yes)
		t.Logf("%s: %v", what, took.Round(100*time.Microsecond))
	}
	const blocked = "neuronward_quota_latched"
	// Until an hour after the reset a block is taken for one of the day before, unless half of the limit is spent.
	// On a busy machine Redis may answer too late for a call, which then fails before it is made.
	for range 10 {
		a.until("a call", a.try)
		b.until("a call", b.try)
	}
	a.used("50")
	if got := b.series(blocked); got != "0" {
		t.Fatalf("got %s %s, want 0", blocked, got)
	}
	upstream.next.Store(&dayIsOver)
	a.until("a call that is refused", func() bool {
		a.try()
		return a.series(blocked) == "1"
	})
	learns("the day is spent", func() bool { return b.series(blocked) == "1" })
	b.until("a call is refused without Workers AI", func() bool { // one in a second is a probe
		before := upstream.calls.Load()
		equal(t, "a call of the other process succeeds", b.try(), false)
		return upstream.calls.Load() == before
	})
	upstream.next.Store(&answers)
	a.until("a probe", a.try)
	learns("the day is not spent", func() bool { return b.series(blocked) == "0" })

	// The message that there is capacity may be lost, where Redis answers too late: then b finds out by its own calls.
	for tries := 1; ; tries++ {
		upstream.next.Store(&noRoom)
		a.until("the breaker opens", func() bool {
			var calls sync.WaitGroup // it takes 25 failures within 30 s
			for range 8 {
				calls.Go(func() { a.callAs(http.DefaultClient, "anybody") })
			}
			calls.Wait()
			return len(a.status().Breakers) == 1
		})
		learns("no capacity", func() bool {
			a.try() // which says it again
			return len(b.status().Breakers) == 1
		})
		upstream.next.Store(&answers)
		a.until("a trial", a.try)
		lost := time.Now().Add(5 * time.Second)
		learns("capacity", func() bool {
			if time.Now().After(lost) {
				b.try()
			}
			return len(b.status().Breakers) == 0
		})
		if time.Now().Before(lost) {
			break
		}
		if tries == 5 {
			t.Fatalf("got no message that there is capacity, %d times, want one", tries)
		}
	}
}

// Each process reports what all of them spent: of the account, of each model and of each client, with
// budgets that only the other has met.
func TestProcessesTellOfTheAccount(t *testing.T) {
	t.Parallel()
	server := startRedis(t)
	environ, _ := team(t, 0, clientsText("a-team, daily_neurons: 100"), server.url(redisWord), "NEURONWARD_PLAN=free",
		"NEURONWARD_ESTIMATE=bound")
	a, b := start(t, environ), start(t, environ)
	a.answered(func() (int, string) { return a.callAs(http.DefaultClient, "a-team") })
	a.used("2.5")
	b.used("2.5")
	one, other := a.status().Today, b.status().Today
	for _, d := range []*status.Today{&one, &other} {
		d.Store = status.Store{}
		forgetFits(d.Models)
	}
	equal(t, "the day, by the other process", asJSON(t, other), asJSON(t, one))
	if len(other.Clients) != 1 {
		t.Fatalf("got the clients %s, want 1", asJSON(t, other.Clients))
	}
	equal(t, "the client's limit", asJSON(t, other.Clients[0].Limit), "100")
	equal(t, "the client's remainder", asJSON(t, other.Clients[0].Remaining), "97.5")
	for _, p := range []*process{a, b} {
		p.until("the gauge", func() bool {
			return p.series("neuronward_neurons_used") == "2.5" && p.series("neuronward_neurons_remaining") == "9997.5"
		})
	}
}
