package cuttest

import (
	"bufio"
	"context"
	"crypto/rand"
	"fmt"
	mathrand "math/rand/v2"
	"net"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/redisstore"
)

const (
	n     = quota.OneNeuron
	limit = 400 * n
	wait  = 3 * time.Second // of a call
)

// startRedis starts a server that ends with the test, and returns its address. Another process may take the port first:
// then the next one is tried.
func startRedis(t *testing.T) string {
	t.Helper()
	for range 20 {
		if address, ok := tryRedis(t); ok {
			return address
		}
	}
	t.Fatal("redis-server ended on each of 20 ports, want it to accept connections")
	return ""
}

func tryRedis(t *testing.T) (address string, ok bool) {
	t.Helper()
	address = freeAddress()
	_, port, _ := net.SplitHostPort(address)
	cmd := exec.Command("redis-server", "--port", port, "--bind", "127.0.0.1", "--dir", t.TempDir(), "--save", "")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("this test needs redis-server, of the Debian package redis-server: %v", err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		t.Log(lines.Text())
		if strings.Contains(lines.Text(), "eady to accept connections") {
			go func() {
				for lines.Scan() { // or the server blocks
				}
			}()
			return address, true
		}
	}
	return "", false
}

// freeAddress is one that nobody listens on. Its port is below those that the system gives to whoever asks for any.
func freeAddress() string {
	for {
		address := fmt.Sprint("127.0.0.1:", 12_000+mathrand.IntN(20_000))
		if ln, err := net.Listen("tcp", address); err == nil {
			ln.Close()
			return address
		}
	}
}

// between starts a toxiproxy to a server.
func between(t *testing.T, server string) *toxiproxy.Proxy {
	t.Helper()
	api := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(prometheus.NewRegistry()), zerolog.Nop())
	p := toxiproxy.NewProxy(api, "redis", freeAddress(), server)
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Stop)
	return p
}

// Two ledgers, as two processes have them, spend a day while the network between
// them and the server fails for a second, at first for one of them and then for
// both. Nothing is spent beyond the limit, no call waits longer than its wait, and
// afterwards the rest is spent.
func TestCut(t *testing.T) {
	toxic := func(text string) func(*testing.T, *toxiproxy.Proxy) func() {
		return func(t *testing.T, p *toxiproxy.Proxy) func() {
			if _, err := p.Toxics.AddToxicJson(strings.NewReader(text)); err != nil {
				t.Error(err)
			}
			return func() { p.Toxics.ResetToxics(context.Background()) }
		}
	}
	for _, c := range []struct {
		name string
		fail func(*testing.T, *toxiproxy.Proxy) (repair func())
	}{
		{"cut", func(t *testing.T, p *toxiproxy.Proxy) func() {
			p.Stop()
			return func() {
				if err := p.Start(); err != nil {
					t.Error(err)
				}
			}
		}},
		{"reset", toxic(`{"name":"x","type":"reset_peer","stream":"downstream","attributes":{"timeout":0}}`)},
		{"questions vanish", toxic(`{"name":"x","type":"timeout","stream":"upstream","attributes":{"timeout":0}}`)},
		{"answers vanish", toxic(`{"name":"x","type":"timeout","stream":"downstream","attributes":{"timeout":0}}`)},
		{"answers come too late", toxic(`{"name":"x","type":"latency","stream":"downstream",
			"attributes":{"latency":120,"jitter":60}}`)},
		{"answers in small pieces", toxic(`{"name":"x","type":"slicer","stream":"downstream",
			"attributes":{"average_size":7,"size_variation":3,"delay":50}}`)},
		{"answers end in the middle", toxic(`{"name":"x","type":"limit_data","stream":"downstream",
			"attributes":{"bytes":300}}`)},
	} {
		for _, allow := range []bool{false, true} {
			name := c.name + ", deny"
			if allow {
				name = c.name + ", allow"
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				cut(t, allow, c.fail)
			})
		}
	}
}

// replica is a ledger with the proxy between it and the server.
type replica struct {
	ledger *quota.Ledger
	proxy  *toxiproxy.Proxy
}

func cut(t *testing.T, allow bool, fail func(*testing.T, *toxiproxy.Proxy) func()) {
	server, account := startRedis(t), rand.Text()
	var all []*replica
	for range 2 {
		p := between(t, server)
		address, err := redisstore.Parse("redis://" + p.Listen)
		if err != nil {
			t.Fatal(err)
		}
		s := redisstore.Open(address, account, redisstore.Options{})
		t.Cleanup(func() { s.Close() })
		o := quota.Options{Store: s, Limit: limit, Wait: wait, AllowOfflineGrant: allow}
		l, err := quota.New(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, &replica{l, p})
	}
	var billed, refused, failed, longest atomic.Int64
	spend := func(ctx context.Context, r *replica) {
		for ctx.Err() == nil {
			began := time.Now()
			res, d, err := r.ledger.Reserve(ctx, quota.Call{Model: "m", Estimate: n})
			for took := int64(time.Since(began)); ; {
				if was := longest.Load(); took <= was || longest.CompareAndSwap(was, took) {
					break
				}
			}
			switch {
			case res != nil:
				pause(ctx, 10*time.Millisecond)
				res.Settle(quota.Cost{Neurons: n})
				billed.Add(int64(n))
			case err != nil:
				failed.Add(1)
				pause(ctx, 10*time.Millisecond) // as a caller would
			case d.Outcome == quota.Exhausted:
				return
			default:
				refused.Add(1)
			}
		}
	}
	var spending sync.WaitGroup
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	for _, r := range all {
		spending.Go(func() { spend(ctx, r) })
		spending.Go(func() { spend(ctx, r) })
	}
	pause(ctx, 1200*time.Millisecond) // a new server grants nothing for a second
	repair := fail(t, all[0].proxy)
	pause(ctx, 500*time.Millisecond)
	repairOther := fail(t, all[1].proxy)
	pause(ctx, 500*time.Millisecond)
	repair()
	repairOther()
	spending.Wait()
	slowest := time.Duration(longest.Load()).Round(time.Millisecond)
	t.Logf("billed %v of %v, %d calls failed, %d were refused, the longest took %v",
		quota.Neurons(billed.Load()), limit, failed.Load(), refused.Load(), slowest)
	// A ledger with offline grants takes its share, half of what it last saw free, while the other may take all.
	maxBilled := limit
	if allow {
		maxBilled += limit / 2
	}
	if got := quota.Neurons(billed.Load()); got > maxBilled || got < limit*98/100 {
		t.Errorf("got %v billed, want %v to %v", got, limit*98/100, maxBilled)
	}
	if maxTime := time.Minute; slowest > maxTime { // the rest is for a busy machine: one that hangs takes for ever
		t.Errorf("the longest call took %v, want its wait of %v, and %v at most", slowest, wait, maxTime)
	}
	for _, r := range all {
		if err := r.ledger.Close(context.Background()); err != nil {
			t.Error(err)
		}
	}
}

// pause waits for d, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}
