package conns

import (
	"cmp"
	"context"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// Which connection is closed for one that waits: the one that has been idle for longest, and one that has proven itself
// only where there is no other.
func TestOrderInWhichIdleConnectionsAreClosed(t *testing.T) {
	type state struct {
		name     string
		address  string        // "": loopback
		idle     time.Duration // 0: a request is under way
		proven   bool
		unproven bool // it counts among those of HTTP/2
	}
	long := idleFor + time.Second
	busy := state{name: "busy"}
	lately := state{name: "lately", idle: time.Second}
	quiet := state{name: "quiet", idle: long}
	quieter := state{name: "quieter", idle: 2 * long}
	proven := state{name: "proven", idle: 3 * long, proven: true}
	older := state{name: "older proven", idle: 4 * long, proven: true}
	http2 := state{name: "HTTP/2", idle: time.Millisecond, unproven: true}
	asking := state{name: "HTTP/2, asking", unproven: true}
	const address, another = "192.0.2.1", "192.0.2.2"
	its := state{name: "its", address: address, idle: time.Millisecond, unproven: true}
	another1 := state{name: "another's", address: another, idle: long, unproven: true}
	for _, c := range []struct {
		name     string
		open     []state
		long     time.Duration
		unproven bool
		want     string // the one that is closed; "": none
		of       string // an address; "": of any
	}{
		{"none is idle", []state{busy}, idleFor, false, "", ""},
		{"none is idle for long", []state{busy, lately}, idleFor, false, "", ""},
		{"one is", []state{busy, lately, quiet}, idleFor, false, "quiet", ""},
		{"the longest", []state{quiet, quieter, lately}, idleFor, false, "quieter", ""},
		{"one that is not proven before any that is", []state{proven, quiet, older}, idleFor, false, "quiet", ""},
		{"the longest of those that are proven", []state{proven, lately, older}, idleFor, false, "older proven", ""},
		{"an unproven one however short", []state{quieter, proven, http2, asking}, 0, true, "HTTP/2", ""},
		{"none of them is idle", []state{quieter, older, asking}, 0, true, "", ""},
		{"one of an address", []state{another1, http2, its}, 0, true, "its", address},
		{"none of an address is idle", []state{another1, http2}, 0, true, "", address},
	} {
		t.Run(c.name, func(t *testing.T) {
			for range 16 { // they are looked at in any order
				synctest.Test(t, func(t *testing.T) {
					l := Limit(newPipeListener(), 10, new(logBuffer).logger())
					u := newUnproven(len(c.open))
					var closed []string
					var all []*conn
					for _, s := range c.open {
						ours, theirs := net.Pipe()
						defer theirs.Close()
						l.slots <- struct{}{}
						conn := l.admit(noteClose{from{ours, tcp(s.address)}, func() {
							closed = append(closed, s.name)
						}})
						if s.idle > 0 {
							conn.idle.Store(time.Now().Add(-s.idle).UnixNano())
						}
						conn.proven.Store(s.proven)
						if s.unproven {
							u.take(conn.address)
							conn.unproven.Store(u)
						}
						all = append(all, conn)
					}
					time.Sleep(time.Millisecond)
					l.closeIdle(c.long, c.unproven, addressOf(tcp(c.of)))
					if got := strings.Join(closed, ", "); got != c.want {
						t.Errorf("closed: got %q, want %q", got, c.want)
					}
					for _, conn := range all {
						conn.Close()
					}
				})
			}
		})
	}
}

// tcp is an address, "" that of loopback.
func tcp(address string) *net.TCPAddr {
	return &net.TCPAddr{IP: net.ParseIP(cmp.Or(address, "127.0.0.1"))}
}

// noteClose is a connection that notes that it was closed.
type noteClose struct {
	from
	note func()
}

func (n noteClose) Close() error {
	n.note()
	return n.from.Close()
}

// An admission lets connections of HTTP/2 in on which no call was taken yet.
type admission struct {
	t        *testing.T
	listener *Listener
	unproven *unproven
	closed   []string
}

func newAdmission(t *testing.T, limit int) *admission {
	return &admission{
		t: t, listener: Limit(newPipeListener(), 100, new(logBuffer).logger()), unproven: newUnproven(limit),
	}
}

// admit opens a connection and asks for its admission.
func (a *admission) admit(name, address string) (*conn, chan bool) {
	ours, _ := net.Pipe()
	a.listener.slots <- struct{}{}
	c := a.listener.admit(noteClose{from{ours, tcp(address)}, func() { a.closed = append(a.closed, name) }})
	admitted := make(chan bool, 1)
	go func() { admitted <- a.unproven.admit(c, time.Now().Add(firstRequest)) }()
	synctest.Wait()
	time.Sleep(time.Millisecond)
	return c, admitted
}

// want checks whether a connection was let in, and the names of those that were closed until now.
func (a *admission) want(what string, admitted chan bool, ok bool, names string) {
	a.t.Helper()
	select {
	case got := <-admitted:
		if got != ok {
			a.t.Errorf("%s: got admitted %t, want %t", what, got, ok)
		}
	default:
		a.t.Errorf("%s: got no answer, want one", what)
	}
	if got := strings.Join(a.closed, ", "); got != names {
		a.t.Errorf("%s: got %q closed, want %q", what, got, names)
	}
}

func (a *admission) wantNone() {
	a.t.Helper()
	a.unproven.mu.Lock()
	defer a.unproven.mu.Unlock()
	if n := a.unproven.open; n != 0 {
		a.t.Errorf("unproven connections at the end: got %d, want none", n)
	}
	if n := len(a.unproven.counts); n != 0 {
		a.t.Errorf("addresses of unproven connections at the end: got %d, want none", n)
	}
}

// Beyond the limit of connections of HTTP/2 without a call, one more closes the one that has been idle for longest, or
// waits. One on which a call was taken is none of them any longer.
func TestUnprovenConnectionsAreLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAdmission(t, 2)
		first, admitted := a.admit("first", "")
		a.want("first", admitted, true, "")
		Prove(context.WithValue(t.Context(), noterKey{}, first))
		second, admitted := a.admit("second", "")
		a.want("second", admitted, true, "")
		third, admitted := a.admit("third", "")
		a.want("third", admitted, true, "")
		fourth, admitted := a.admit("fourth", "")
		a.want("fourth", admitted, true, "second")
		third.setIdle(false)
		fourth.setIdle(false)
		fifth, admitted := a.admit("fifth", "")
		time.Sleep(firstRequest / 2)
		synctest.Wait()
		if n := len(admitted); n != 0 {
			t.Errorf("fifth, while no other one is idle: got %d answers, want none", n)
		}
		third.prove()
		synctest.Wait()
		a.want("fifth, once another one has proven itself", admitted, true, "second")
		fifth.setIdle(false)
		_, admitted = a.admit("sixth", "")
		time.Sleep(firstRequest)
		a.want("sixth, when its time is over", admitted, false, "second")
		for _, c := range []*conn{first, second, third, fourth, fifth} {
			c.Close()
		}
		a.wantNone()
		synctest.Wait()
	})
}

// One address beyond loopback has half of them: one more of it closes one of its own, or waits, while others come in.
func TestUnprovenConnectionsOfOneAddress(t *testing.T) {
	for name, c := range map[string]struct{ first, second, other string }{
		"IPv4":                   {"192.0.2.1", "192.0.2.1", "192.0.2.2"},
		"a network of IPv6":      {"2001:db8::1", "2001:db8::2", "2001:db8:0:1::1"},
		"an address beside ours": {"192.0.2.1", "192.0.2.1", "127.0.0.1"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := newAdmission(t, 4)
				_, admitted := a.admit("first", c.first)
				a.want("first", admitted, true, "")
				second, admitted := a.admit("second", c.second)
				a.want("second", admitted, true, "")
				third, admitted := a.admit("third", c.first)
				a.want("third", admitted, true, "first")
				second.setIdle(false)
				third.setIdle(false)
				fourth, late := a.admit("fourth", c.second)
				others := []*conn{second, third, fourth}
				for _, name := range []string{"other", "another"} {
					other, admitted := a.admit(name, c.other)
					a.want(name, admitted, true, "first")
					others = append(others, other)
				}
				if n := len(late); n != 0 {
					t.Errorf("fourth, while its address has its share: got %d answers, want none", n)
				}
				second.prove()
				synctest.Wait()
				a.want("fourth, once there is room", late, true, "first")
				for _, c := range others {
					c.Close()
				}
				a.wantNone()
				synctest.Wait()
			})
		})
	}
	synctest.Test(t, func(t *testing.T) {
		a := newAdmission(t, 4)
		for range 4 {
			c, admitted := a.admit("one", "127.0.0.1")
			a.want("loopback", admitted, true, "")
			defer c.Close()
		}
	})
}

// While many requests of unproven connections are under way no more are read, but those that are under way for a second
// count no longer: they wait for something else than us.
func TestRequestsOfUnprovenConnectionsAreLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := newUnproven(1)
		var ends []func()
		for range maxRequests {
			ends = append(ends, u.begin())
		}
		u.wait() // not yet
		began := time.Now()
		ends = append(ends, u.begin())
		time.AfterFunc(briefly/2, ends[0])
		u.wait()
		if took := time.Since(began); took != briefly/2 {
			t.Errorf("until one has ended: got %v, want %v", took, briefly/2)
		}
		ends = append(ends, u.begin())
		u.wait()
		if took := time.Since(began); took != briefly {
			t.Errorf("until others are under way for long: got %v, want %v", took, briefly)
		}
		time.Sleep(briefly)
		for _, end := range ends[1:] {
			end()
		}
		synctest.Wait()
		u.mu.Lock()
		defer u.mu.Unlock()
		if u.requests != 0 {
			t.Errorf("requests at the end: got %d, want none", u.requests)
		}
	})
}
