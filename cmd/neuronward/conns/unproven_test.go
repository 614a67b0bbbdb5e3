package conns

import (
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
	for _, c := range []struct {
		name     string
		open     []state
		long     time.Duration
		unproven bool
		want     string // the one that is closed; "": none
	}{
		{"none is idle", []state{busy}, idleFor, false, ""},
		{"none is idle for long", []state{busy, lately}, idleFor, false, ""},
		{"one is", []state{busy, lately, quiet}, idleFor, false, "quiet"},
		{"the longest", []state{quiet, quieter, lately}, idleFor, false, "quieter"},
		{"one that is not proven before any that is", []state{proven, quiet, older}, idleFor, false, "quiet"},
		{"the longest of those that are proven", []state{proven, lately, older}, idleFor, false, "older proven"},
		{"an unproven one however short", []state{quieter, proven, http2, asking}, 0, true, "HTTP/2"},
		{"none of them is idle", []state{quieter, older, asking}, 0, true, ""},
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
						conn := l.admit(noteClose{from{ours, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}}, func() {
							closed = append(closed, s.name)
						}})
						if s.idle > 0 {
							conn.idle.Store(time.Now().Add(-s.idle).UnixNano())
						}
						conn.proven.Store(s.proven)
						if s.unproven {
							u.slots <- struct{}{}
							conn.unproven.Store(u)
						}
						all = append(all, conn)
					}
					time.Sleep(time.Millisecond)
					l.closeIdle(c.long, c.unproven)
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

// noteClose is a connection that notes that it was closed.
type noteClose struct {
	from
	note func()
}

func (n noteClose) Close() error {
	n.note()
	return n.from.Close()
}

// Beyond the limit of connections of HTTP/2 without a call, one more closes the one that has been idle for longest, or
// waits. One on which a call was taken is none of them any longer.
func TestUnprovenConnectionsAreLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := Limit(newPipeListener(), 10, new(logBuffer).logger())
		u := newUnproven(2)
		var closed []string
		admit := func(name string) (*conn, chan bool) {
			ours, _ := net.Pipe()
			l.slots <- struct{}{}
			c := l.admit(noteClose{from{ours, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}}, func() {
				closed = append(closed, name)
			}})
			admitted := make(chan bool, 1)
			go func() { admitted <- u.admit(c, time.Now().Add(firstRequest)) }()
			synctest.Wait()
			time.Sleep(time.Millisecond)
			return c, admitted
		}
		want := func(what string, admitted chan bool, ok bool, names string) {
			t.Helper()
			select {
			case got := <-admitted:
				if got != ok {
					t.Errorf("%s: got admitted %t, want %t", what, got, ok)
				}
			default:
				t.Errorf("%s: got no answer, want one", what)
			}
			if got := strings.Join(closed, ", "); got != names {
				t.Errorf("%s: got %q closed, want %q", what, got, names)
			}
		}
		first, admitted := admit("first")
		want("first", admitted, true, "")
		Prove(context.WithValue(t.Context(), noterKey{}, first))
		second, admitted := admit("second")
		want("second", admitted, true, "")
		third, admitted := admit("third")
		want("third", admitted, true, "")
		fourth, admitted := admit("fourth")
		want("fourth", admitted, true, "second")
		third.setIdle(false)
		fourth.setIdle(false)
		fifth, admitted := admit("fifth")
		time.Sleep(firstRequest / 2)
		synctest.Wait()
		if n := len(admitted); n != 0 {
			t.Errorf("fifth, while no other one is idle: got %d answers, want none", n)
		}
		third.prove()
		synctest.Wait()
		want("fifth, once another one has proven itself", admitted, true, "second")
		fifth.setIdle(false)
		_, admitted = admit("sixth")
		time.Sleep(firstRequest)
		want("sixth, when its time is over", admitted, false, "second")
		for _, c := range []*conn{first, second, third, fourth, fifth} {
			c.Close()
		}
		if n := len(u.slots); n != 0 {
			t.Errorf("unproven connections at the end: got %d, want none", n)
		}
		synctest.Wait()
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
