package conns

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"
)

func TestOneMoreConnectionWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log logBuffer
		pipes := newPipeListener()
		l := Limit(pipes, 3, log.logger())
		a := acceptAll(l)
		for range 5 {
			pipes.dial("127.0.0.1")
		}
		time.Sleep(time.Minute)
		a.wantCount(t, "three fit", 3)
		if n := log.count("all connections are in use"); n != 1 {
			t.Errorf("got %d lines that say so, want 1", n)
		}
		for range 2 { // a second Close gives nothing back
			a.at(1).Close()
			synctest.Wait()
			a.wantCount(t, "one has ended", 4)
		}
		a.at(0).Close()
		synctest.Wait()
		a.wantCount(t, "another one has ended", 5)
		l.Close()
		synctest.Wait()
		if err := a.failure(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("after Close: got error %v, want %v", err, net.ErrClosed)
		}
	})
}

// Who has said nothing for long makes room for who waits, the quietest first.
func TestIdleConnectionsMakeRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log logBuffer
		pipes := newPipeListener()
		l := Limit(pipes, 3, log.logger())
		a := acceptAll(l)
		var callers []net.Conn
		for range 3 {
			callers = append(callers, pipes.dial("127.0.0.1"))
		}
		synctest.Wait()
		busy, older, younger := a.at(0).(*conn), a.at(1).(*conn), a.at(2).(*conn)
		older.setIdle(true)
		time.Sleep(time.Second)
		younger.setIdle(true)
		pipes.dial("127.0.0.1")
		time.Sleep(idleFor - 2*time.Second)
		a.wantCount(t, "no connection has been idle for long", 3)
		time.Sleep(2 * time.Second)
		a.wantCount(t, "one has", 4)
		if _, err := callers[1].Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			t.Errorf("the one that was idle for longest: got %v, want %v", err, io.EOF)
		}
		busy.setIdle(true)
		busy.setIdle(false)
		pipes.dial("127.0.0.1")
		time.Sleep(time.Minute)
		a.wantCount(t, "the next one has", 5)
		if _, err := callers[2].Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			t.Errorf("the next one: got %v, want %v", err, io.EOF)
		}
		if busy.Conn.SetDeadline(time.Time{}) != nil {
			t.Error("the busy one was closed, want it open")
		}
		l.Close()
	})
}

func TestOneAddressHasHalf(t *testing.T) {
	for _, c := range []struct {
		name   string
		others func(i int) string
		open   int // of 20 connections, with room for 10
	}{
		{"one address", func(int) string { return "192.0.2.1" }, 5},
		{"one IPv4 address as IPv6", func(int) string { return "::ffff:192.0.2.1" }, 5},
		{"one network of IPv6", func(i int) string { return fmt.Sprintf("2001:db8::%d", i+1) }, 5},
		{"many networks of IPv6", func(i int) string { return fmt.Sprintf("2001:db8:0:%d::1", i+1) }, 10},
		{"many addresses", func(i int) string { return fmt.Sprintf("192.0.2.%d", i+1) }, 10},
		{"loopback", func(int) string { return "127.0.0.1" }, 10},
		{"loopback of IPv6", func(int) string { return "::1" }, 10},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log logBuffer
				pipes := newPipeListener()
				l := Limit(pipes, 10, log.logger())
				a := acceptAll(l)
				for i := range 20 {
					pipes.dial(c.others(i))
				}
				synctest.Wait()
				a.wantCount(t, "of 20", c.open)
				if got, want := log.count("has its share"), min(10-c.open, 1); got != want {
					t.Errorf("got %d lines about a share, want %d", got, want)
				}
				pipes.dial("198.51.100.7") // another address has room, if there is any
				synctest.Wait()
				a.wantCount(t, "with one of another address", min(c.open+1, 10))
				a.at(0).Close()
				pipes.dial(c.others(0))
				synctest.Wait()
				a.wantCount(t, "after one has ended", min(c.open+2, 11))
				l.Close()
			})
		})
	}
}

// A server that only leaves the listener to another one does so also while all connections are in use.
func TestADeadlineEndsTheWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log logBuffer
		pipes := newPipeListener()
		l := Limit(pipes, 1, log.logger())
		first := acceptAll(l)
		pipes.dial("127.0.0.1")
		pipes.dial("127.0.0.1")
		synctest.Wait()
		first.wantCount(t, "one fits", 1)
		for range 2 {
			if err := l.SetDeadline(time.Unix(1, 0)); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if err := first.failure(); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Fatalf("got error %v, want %v", err, os.ErrDeadlineExceeded)
			}
			if err := l.SetDeadline(time.Time{}); err != nil {
				t.Fatal(err)
			}
		}
		second := acceptAll(l)
		first.at(0).Close()
		synctest.Wait()
		second.wantCount(t, "the one that waited", 1)
		l.Close()
	})
}

func TestFit(t *testing.T) {
	const inFlight = 1024
	for _, c := range []struct {
		name    string
		allowed uint64
		known   bool
		want    int
	}{
		{"as many files as one likes", 1 << 20, true, 4096},
		{"not known", 0, false, 4096},
		{"just enough", 4096 + inFlight + otherFiles, true, 4096},
		{"one too few", 4095 + inFlight + otherFiles, true, 4095},
		{"half of what is needed", 4096, true, 4096 - inFlight - otherFiles},
		{"hardly any", 1024, true, 512},
		{"none", 0, true, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, needed, _ := fit(4096, inFlight, c.allowed, c.known)
			if got != c.want {
				t.Errorf("got %d connections, want %d", got, c.want)
			}
			if want := uint64(4096 + inFlight + otherFiles); needed != want {
				t.Errorf("got %d files needed, want %d", needed, want)
			}
		})
	}
}
