package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
)

// client is a connection of the test's own.
func (r *redisServer) client() *redis.Client {
	c := redis.NewClient(&redis.Options{Network: "unix", Addr: r.socket, Password: redisWord, MaxRetries: -1})
	r.t.Cleanup(func() { c.Close() })
	return c
}

// The password of the store is replaced under load, as an operator does it: the server knows both, the file has the new
// one, the server forgets the old one, and all connections are made anew. No call fails, but where a busy machine is
// late: then a step may meet two connections that have ended, or the server may not answer in time.
func TestTheStoresPasswordIsReplacedUnderLoad(t *testing.T) {
	t.Parallel()
	server := startRedis(t)
	admin := server.client()
	acl := func(rules ...any) {
		t.Helper()
		if err := admin.Do(t.Context(), append([]any{"ACL", "SETUSER", "proxy"}, rules...)...).Err(); err != nil {
			t.Fatal(err)
		}
	}
	acl("on", "resetchannels", "&neuronward:*", "~neuronward:*", "+@read", "+@write", "+@scripting", "+@connection",
		"+time", "+info", "+publish", "+subscribe", ">first-word")
	file := filepath.Join(t.TempDir(), "password")
	write := func(word string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(word+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("first-word")
	f := newFleet(t, server, "NEURONWARD_STORE=unix://proxy@"+server.socket, "NEURONWARD_STORE_PASSWORD_FILE="+file,
		"NEURONWARD_DAILY_NEURONS=100000")
	a, b := f.join(), f.join()
	f.load(8)
	f.until(60)
	acl(">other-word")
	write("other-word")
	for _, p := range []*process{a, b} {
		p.await("the secret file has changed")
	}
	acl("<first-word")
	for range 5 {
		if err := admin.ClientKillByFilter(t.Context(), "USER", "proxy").Err(); err != nil {
			t.Fatal(err)
		}
		f.until(f.billed() + 60)
	}
	f.end()
	f.wait()
	if calls, others := f.asked.Load(), f.count("")+f.count("store_unavailable"); others != calls {
		t.Errorf("got %d calls that failed, want none: %s", calls-others, f.summary())
	}
	outages := 0
	for _, p := range []*process{a, b} {
		for line := range strings.Lines(p.log.String()) {
			if !strings.Contains(line, `"msg":"the store fails"`) {
				continue
			}
			outages++
			lacks(t, "why the store fails", line, "password")
		}
		lacks(t, "the log", p.log.String(), "first-word")
		lacks(t, "the log", p.log.String(), "other-word")
	}
	if failed := f.count("store_unavailable"); failed > 0 && outages == 0 {
		t.Errorf("got %d calls that failed, want none where the store does not fail: %s", failed, f.summary())
	}
}

// Power fails: the server and all proxies end at once. What was billed is used or lost afterwards, where the server
// writes each step to its disk.
func TestAllIsKilledAtOnce(t *testing.T) {
	t.Parallel()
	disk := []string{"--appendonly", "yes", "--appendfsync", "always"}
	server := startRedis(t, disk...)
	f := newFleet(t, server)
	a, b := f.join(), f.join()
	f.load(24)
	f.until(*fleetDay / 4)
	server.kill()
	for _, p := range []*process{a, b} {
		if err := p.cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		p.exit()
	}
	f.end()
	f.wait()
	billed := f.billed()
	server.start(disk...)
	c := f.join()
	var used, lost float64
	c.until("what the killed ones held is lost", func() bool {
		s := c.status()
		used, lost = float64(*s.Used)/1e6, float64(*s.Lost)/1e6
		return used+lost >= billed
	})
	t.Logf("billed %.2f; used %.2f, lost %.2f", billed, used, lost)
	if used > billed {
		t.Errorf("got %.2f used, want at most the %.2f billed", used, billed)
	}
	// Each proxy reported at another moment, when any of the callers may have been at it.
	if limit := 2 * (*fleetDay/100 + 24*fleetEstimate); lost > limit {
		t.Errorf("got %.2f lost, want at most what was held and in flight, %.2f", lost, limit)
	}
	c.stop()
}
