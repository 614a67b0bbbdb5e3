package main

import (
	"flag"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// formers are the versions to upgrade from and to go back to, built from the history of the repository. Without any,
// this version stands in for them, since each takes half a minute to build:
//
//	go test -v ./cmd/neuronward -run TestUpgrade -formers 44b7a5c,532bf13
var formers = flag.String("formers", "", "commits of former versions, apart by commas, to upgrade from and go back to")

// eachFormer runs test with the binary of each former version.
func eachFormer(t *testing.T, test func(t *testing.T, former string)) {
	t.Helper()
	if *formers == "" {
		test(t, "neuronward")
		return
	}
	for commit := range strings.SplitSeq(*formers, ",") {
		t.Run(commit, func(t *testing.T) {
			dir := t.TempDir()
			const build = `git -C "$(git rev-parse --show-toplevel)" archive "$1" | tar -x -C "$2" && cd "$2" &&
				go build -buildvcs=false ./cmd/neuronward`
			if out, err := exec.Command("bash", "-euo", "pipefail", "-c", build, "-", commit, dir).
				CombinedOutput(); err != nil {
				t.Fatalf("build %s: got %v, want none\n%s", commit, err, out)
			}
			test(t, filepath.Join(dir, "neuronward"))
		})
	}
}

// nothingIsLost checks that each call at Workers AI was answered, that others were refused by a proxy that begins or
// ends, or whose store was late as it may be on a busy machine, and by nothing else, and that each of the processes has
// counted what was billed, to the last digit.
func (f *fleet) nothingIsLost(ps ...*process) {
	f.t.Helper()
	f.end()
	f.wait()
	billed := f.billed()
	f.t.Logf("billed %.2f; longest call %v; %s", billed, f.longest(), f.summary())
	if made, answered := f.simulator.Calls(), f.count(""); made != answered {
		f.t.Errorf("got %d calls answered, want the %d that Workers AI did", answered, made)
	}
	refused, allowed := f.asked.Load()-f.count(""), f.count("shutting_down")+f.count("store_unavailable")
	if refused != allowed {
		f.t.Errorf("got %d calls that failed, want the %d that a proxy refused at its beginning or end, or whose "+
			"store was late: %s", refused, allowed, f.summary())
	}
	for _, p := range ps {
		p.until("all is counted", func() bool {
			s := p.status()
			return s.InFlight == 0 && fmt.Sprintf("%.6f", float64(*s.Used)/1e6) == fmt.Sprintf("%.6f", billed)
		})
		f.counted(p, billed, 0)
	}
}

// instead lets callers call next instead of p, and ends p while calls of theirs are in flight there.
func (f *fleet) instead(p, next *process) {
	f.t.Helper()
	f.mu.Lock()
	if !slices.Contains(f.live, next) {
		f.live = append(f.live, next)
	}
	f.mu.Unlock()
	f.without(p)
	p.stop()
}

// A proxy with a file is replaced under load by one of another version, and that by the former one again, as a service
// manager does it: the next one waits until the file is let go.
func TestUpgradeAndBackOutWithAFile(t *testing.T) {
	t.Parallel()
	eachFormer(t, func(t *testing.T, former string) {
		f := newFleet(t, &redisServer{}, "NEURONWARD_STORE=file:"+filepath.Join(t.TempDir(), "neurons"),
			"NEURONWARD_DAILY_NEURONS=100000")
		f.takes = 50 * time.Millisecond
		p := f.joinAs(former)
		f.load(4)
		for _, binary := range []string{"neuronward", former} {
			f.until(f.billed() + 200)
			next := launchBinary(t, binary, processLimit, append(f.environ, "NEURONWARD_LOG_LEVEL=info"))
			next.waiting()
			f.instead(p, next)
			next.await("listening")
			p = next
		}
		f.until(f.billed() + 200)
		f.nothingIsLost(p)
		p.stop()
		f.counted(f.join(), f.billed(), 0)
	})
}

// Two proxies on one Redis server are replaced under load one after the other, and then by the former version again.
// Between two steps both versions share the server, and each knows what was billed by both.
func TestUpgradeAndBackOutWithRedis(t *testing.T) {
	t.Parallel()
	eachFormer(t, func(t *testing.T, former string) {
		f := newFleet(t, startRedis(t), "NEURONWARD_DAILY_NEURONS=100000")
		f.takes = 50 * time.Millisecond
		ps := []*process{f.joinAs(former), f.joinAs(former)}
		f.load(4)
		for _, binary := range []string{"neuronward", former} {
			for i, p := range ps {
				f.until(f.billed() + 200)
				ps[i] = f.joinAs(binary)
				f.instead(p, ps[i])
				f.until(f.billed() + 200)
				for _, p := range ps {
					billed := f.billed()
					p.until("what both have spent is known", func() bool {
						return float64(*p.status().Used)/1e6 >= billed
					})
				}
			}
		}
		f.nothingIsLost(append(ps, f.join())...)
	})
}

// Proxies of two accounts share a server. Neither account knows what the other one spent, or that its day is over.
func TestTwoAccountsShareAServer(t *testing.T) {
	t.Parallel()
	environ := costly(t, startRedis(t).url(redisWord), "NEURONWARD_PLAN=free", "NEURONWARD_ESTIMATE=bound",
		"NEURONWARD_DAILY_NEURONS=10")
	other := append(slices.Clip(environ), "CLOUDFLARE_ACCOUNT_ID="+strings.Repeat("f", len(hexAccount)))
	a, b, c := start(t, environ), start(t, environ), start(t, other)
	c.spend()
	for range 2 {
		a.spend()
		b.spend()
	}
	for p, want := range map[*process]string{a: "10", b: "10", c: "2.5"} {
		p.used(want)
	}
	for _, p := range []*process{a, b} {
		equal(t, "replicas of the one account", p.status().Replicas, 2)
		equal(t, "a call beyond its limit", p.try(), false)
	}
	equal(t, "replicas of the other account", c.status().Replicas, 1)
	for range 3 {
		c.spend()
	}
	c.used("10")
	equal(t, "a call beyond its limit", c.try(), false)
}
