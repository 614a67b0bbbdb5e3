package toxictest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"
)

// A toxic is one fault of a network, as Toxiproxy's API names it. Upstream is the direction of the call,
// downstream that of its answer.
type toxic struct {
	kind, direction, attributes string
	toxicity                    float64 // the share of the connections that have the fault
}

func up(kind, attributes string) toxic   { return toxic{kind, "upstream", attributes, 1} }
func down(kind, attributes string) toxic { return toxic{kind, "downstream", attributes, 1} }

// resets makes a connection that another toxic closes be reset: Toxiproxy prepares for it wherever this toxic is in the
// chain, whether it applies or not.
func resets(direction string) toxic { return toxic{"reset_peer", direction, "", 0} }

// network returns a Toxiproxy in front of an address. It has an address of its own and is not started yet.
func network(t *testing.T, to string, toxics ...toxic) *toxiproxy.Proxy {
	t.Helper()
	address := freeAddress() // refused until it is started
	p := toxiproxy.NewProxy(toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop()), t.Name(), address,
		to)
	for _, x := range toxics {
		text := fmt.Sprintf(`{"type":%q,"stream":%q,"toxicity":%v,"attributes":{%s}}`,
			x.kind, x.direction, x.toxicity, x.attributes)
		if _, err := p.Toxics.AddToxicJson(strings.NewReader(text)); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(p.Stop)
	return p
}

// freeAddress is one that nobody listens on. Its port is below those that the system gives to whoever asks for any.
func freeAddress() string {
	for {
		address := fmt.Sprint("127.0.0.1:", 12_000+rand.IntN(20_000))
		if ln, err := net.Listen("tcp", address); err == nil {
			ln.Close()
			return address
		}
	}
}

// A dialer counts the connections of the proxy to that network.
type dialer struct {
	refused func() // is called once, the first time that a connection is refused
	once    sync.Once
	open    atomic.Int64
	made    atomic.Int64
}

func (d *dialer) dial(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		d.once.Do(d.refused)
		return nil, err
	}
	d.open.Add(1)
	d.made.Add(1)
	return &counted{Conn: c, d: d}, nil
}

type counted struct {
	net.Conn
	d    *dialer
	once sync.Once
}

func (c *counted) Close() error {
	c.once.Do(func() { c.d.open.Add(-1) })
	return c.Conn.Close()
}

// hanging is how long what hangs is waited for: far longer than a busy machine takes.
const hanging = time.Minute

// soon waits until something is so, and reports whether it came to be.
func soon(is func() bool) bool {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(hanging); time.Now().Before(end); <-tick.C {
		if is() {
			return true
		}
	}
	return is()
}
