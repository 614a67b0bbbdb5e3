package main

import (
	"context"
	"crypto/tls"
	"flag"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/neuronward/neuronward/cmd/neuronward/certtest"
)

// How many hostile connections there are, and for how long: make soak has 6,000 of them for a minute.
var (
	hostileConns = flag.Int("hostile", 600, "hostile connections at once")
	hostileFor   = flag.Duration("hostile-time", 2*time.Second, "how long they are there")
)

// What proxy/README.md says of the memory of a process under hostile connections: with 4,096 of them, the default of
// NEURONWARD_MAX_CONNECTIONS, it stays below 256 MiB.
const (
	maxHostile  = 4096
	hostileRest = 128 << 20
	perHostile  = (256<<20 - hostileRest) / maxHostile
)

// TestHostileConnections opens connections that never become a call, of every kind in equal shares, and again what the
// process closes. Its memory has a limit, and a caller beside them notices nothing.
func TestHostileConnections(t *testing.T) {
	binary, err := plainBinary()
	if err != nil {
		t.Fatalf("the binary: got %v, want it built", err)
	}
	t.Run("plain", func(t *testing.T) { hostile(t, binary, plainKinds(), nil) })
	t.Run("TLS", func(t *testing.T) {
		pair := certtest.New(t, 1, time.Now())
		hostile(t, binary, secureKinds(), &tls.Config{RootCAs: trust(t, pair)}, certtest.NewFiles(t, pair).Environ()...)
	})
}

func hostile(t *testing.T, binary string, kinds []hostileKind, secure *tls.Config, environ ...string) {
	more, _ := team(t, 0, clientsText("healthy,"))
	p := launchBinary(t, binary, *hostileFor+10*time.Minute, append(more, environ...))
	p.listening()
	before := p.peak()
	healthy := newHealthyCallers(t, p, secure)

	ctx, end := context.WithCancel(t.Context())
	var attackers sync.WaitGroup
	for i := range *hostileConns {
		attackers.Go(func() { attack(ctx, p, kinds[i%len(kinds)], i) })
	}
	const hanging = 5 * time.Minute
	want := min(*hostileConns, maxHostile) * 3 / 4
	deadline := time.Now().Add(hanging)
	for tick := time.NewTicker(50 * time.Millisecond); p.opened() < want; <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("connections after %v: got %d, want %d at least", hanging, p.opened(), want)
		}
	}
	<-time.After(*hostileFor)
	opened := p.opened()
	end()
	took, failed := healthy.end()
	attackers.Wait()

	peak := p.peak()
	t.Logf("%d hostile connections of %d kinds, %d files open at the end: %d calls beside them, %d failed, half "+
		"within %v, 99 %% within %v; %d MiB at the peak, %d MiB before",
		*hostileConns, len(kinds), opened, len(took), failed,
		took[len(took)/2].Round(time.Microsecond), took[len(took)*99/100].Round(time.Microsecond), peak>>20, before>>20)
	if failed > 0 {
		t.Errorf("calls beside hostile connections: got %d of %d failed, want none", failed, len(took))
	}
	if limit := int64(hostileRest + min(*hostileConns, maxHostile)*perHostile); peak > limit {
		t.Errorf("peak of resident memory: got %d MiB, want at most %d MiB", peak>>20, limit>>20)
	}
}

// attack opens connections of a kind, one after the other, from one of several addresses of loopback: one address has
// too few ports.
func attack(ctx context.Context, p *process, kind hostileKind, i int) {
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 1, byte(1+i%16))}}
	_, at, _ := strings.Cut(p.app, "://")
	for ctx.Err() == nil {
		conn, err := d.DialContext(ctx, "tcp", at)
		if err == nil {
			stop := context.AfterFunc(ctx, func() { conn.Close() })
			c := conn
			if kind.protocol != "" && strings.HasPrefix(p.app, "https") {
				secure := tls.Client(conn, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{kind.protocol}})
				if err = secure.HandshakeContext(ctx); err == nil {
					c = secure
				}
			}
			if err == nil {
				kind.attack(ctx, c)
			}
			stop()
			conn.Close()
		}
		select {
		case <-ctx.Done():
		case <-time.After(rand.N(hostileTick)):
		}
	}
}

// healthyCallers each make a call every 100 ms, by every protocol that there is.
type healthyCallers struct {
	stop    context.CancelFunc
	running sync.WaitGroup

	mu     sync.Mutex
	took   []time.Duration
	failed int
}

func newHealthyCallers(t *testing.T, p *process, secure *tls.Config) *healthyCallers {
	ctx, stop := context.WithCancel(t.Context())
	h := &healthyCallers{stop: stop}
	protocols := []bool{false}
	if secure != nil {
		protocols = append(protocols, true)
	}
	for _, http2 := range protocols {
		transport := &http.Transport{Protocols: new(http.Protocols)}
		transport.Protocols.SetHTTP1(!http2)
		transport.Protocols.SetHTTP2(http2)
		if secure != nil {
			transport.TLSClientConfig = secure.Clone()
		}
		client := &http.Client{Transport: transport}
		h.call(t, p, client) // its connection is there before the others
		h.running.Go(func() {
			tick := time.NewTicker(100 * time.Millisecond)
			for {
				h.call(t, p, client)
				select {
				case <-ctx.Done():
					return
				case <-tick.C:
				}
			}
		})
	}
	return h
}

func (h *healthyCallers) call(t *testing.T, p *process, client *http.Client) {
	began := time.Now()
	status, body := p.callAs(client, "healthy")
	took := time.Since(began)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.took = append(h.took, took)
	if status != http.StatusOK {
		h.failed++
		t.Logf("a call beside hostile connections: got %d %.300s, want 200", status, body)
	}
}

// end stops the callers and returns how long their calls took, sorted, and how many failed.
func (h *healthyCallers) end() (took []time.Duration, failed int) {
	h.stop()
	h.running.Wait()
	slices.Sort(h.took)
	return h.took, h.failed
}
