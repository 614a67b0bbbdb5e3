package storetest

import (
	"testing"
	"time"

	"github.com/neuronward/neuronward/quota"
)

// at is the time of day of a reading, in minutes after noon.
func at(minute int) time.Time {
	return day.Start().Add(12*time.Hour + time.Duration(minute)*time.Minute)
}

func external(t *testing.T, open Place) {
	s := open(t)
	a, b := replica{name: "a"}, replica{name: "b"}
	read := quota.External{Spent: 4_000 * n, Billed: 4_100 * n, At: at(0)}
	r := a.report(request(100*n, 0, 1, 50*n), clientRequest(9_000*n, 0, 9_000*n))
	r.External = read
	reply := send(t, s, r)
	wantReply(t, reply, 50*n, quota.Balance{Spent: 100 * n, Held: 50 * n, Free: limit - 4_150*n})
	if reply.Granted[1] != 9_000*n {
		t.Errorf("client's budget: got %v granted, want %v: external use is the account's", reply.Granted[1], 9_000*n)
	}
	for _, reported := range []quota.External{{}, read, {Spent: 9_000 * n, At: at(-1)}} {
		r = b.report(request(0, 0, 0, 0))
		r.External = reported
		wantExternal(t, send(t, s, r), read, limit-4_150*n)
	}
	s = open(t)
	c := replica{name: "c"}
	r = c.report(request(0, 0, 1, limit))
	reply = send(t, s, r)
	wantExternal(t, reply, read, 0)
	if reply.Granted[0] != limit-4_150*n {
		t.Errorf("after opening again: got %v granted, want %v", reply.Granted[0], limit-4_150*n)
	}
	if again := send(t, s, r); again.External != read || again.Granted[0] != reply.Granted[0] {
		t.Errorf("repeated report: got external %+v, %v granted; want %+v, %v",
			again.External, again.Granted[0], read, reply.Granted[0])
	}
	later := quota.External{Spent: 3_000 * n, Billed: 4_200 * n, At: at(1)}
	r = c.report(request(0, limit-4_150*n, 0, 0))
	r.External = later
	wantExternal(t, send(t, s, r), later, 1_000*n)
	r = c.report(request(0, 0, 0, 0))
	r.Day++
	wantExternal(t, send(t, s, r), quota.External{}, limit)
}

func wantExternal(t *testing.T, r quota.Reply, want quota.External, free quota.Neurons) {
	t.Helper()
	if r.External != want || r.Balances[0].Free != free {
		t.Errorf("got external %+v, %v free; want %+v, %v", r.External, r.Balances[0].Free, want, free)
	}
}

func released(t *testing.T, open Place) {
	s := open(t)
	a, b := replica{name: "a"}, replica{name: "b"}
	r := a.report(request(10*n, 90*n, 0, 0))
	r.Leave = true
	send(t, s, r)
	for i, c := range []struct{ released, free quota.Neurons }{
		{30 * n, limit - 70*n},
		{90 * n, limit - 10*n},
		{500 * n, limit - 10*n},
	} {
		r = b.report(request(0, 0, 0, 0))
		r.External = quota.External{Released: c.released, At: at(i)}
		wantReply(t, send(t, s, r), 0, quota.Balance{Spent: 10 * n, Lost: 90 * n, Free: c.free})
	}
	reply := send(t, s, b.report(request(0, 0, 1, limit)))
	wantReply(t, reply, limit-10*n, quota.Balance{Spent: 10 * n, Lost: 90 * n, Held: limit - 10*n})
}
