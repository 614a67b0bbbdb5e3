package redisstore

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/neuronward/neuronward/quota"
)

// A far server is one whose answers, and connections, take so long. It knows the script of a lease alone.
type far struct {
	takes atomic.Int64
	mu    sync.Mutex
	ends  []net.Conn
}

func (f *far) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	select {
	case <-time.After(time.Duration(f.takes.Load())):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	client, server := net.Pipe()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ends = append(f.ends, server)
	go f.serve(server)
	return client, nil
}

func (f *far) serve(c net.Conn) {
	defer c.Close()
	r := bufio.NewReader(c)
	for {
		words, err := question(r)
		if err != nil {
			return
		}
		time.Sleep(time.Duration(f.takes.Load()))
		answer := "+OK\r\n"
		switch strings.ToUpper(words[0]) {
		case "PING":
			answer = "+PONG\r\n"
		case "HELLO":
			answer = "*2\r\n$5\r\nproto\r\n:2\r\n"
		case "INFO":
			answer = "-NOPERM\r\n"
		case "EVALSHA":
			answer = fmt.Sprintf("*2\r\n$%d\r\n%s\r\n$1\r\n1\r\n", len(words[4]), words[4])
		}
		if _, err := io.WriteString(c, answer); err != nil {
			return
		}
	}
}

// question reads a command of Redis' protocol.
func question(r *bufio.Reader) (words []string, err error) {
	number := func() int {
		line, readErr := r.ReadString('\n')
		if readErr != nil {
			err = readErr
			return 0
		}
		n, parseErr := strconv.Atoi(strings.TrimSpace(line[1:]))
		err = errors.Join(err, parseErr)
		return n
	}
	for range number() {
		word := make([]byte, number()+len("\r\n"))
		if _, readErr := io.ReadFull(r, word); readErr != nil {
			return nil, readErr
		}
		words = append(words, strings.TrimSpace(string(word)))
	}
	return words, err
}

// away runs a test on a store whose server is so far away.
func away(t *testing.T, trip time.Duration, test func(t *testing.T, f *far, s *Store)) {
	synctest.Test(t, func(t *testing.T) {
		f := &far{}
		f.takes.Store(int64(trip))
		address, err := Parse("redis://user:word@far:6379")
		if err != nil {
			t.Fatal(err)
		}
		s := Open(address, "account", Options{dial: f.dial})
		test(t, f, s)
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Hour) // what the server still does ends
		for _, c := range f.ends {
			c.Close()
		}
	})
}

// leases returns how many of some steps fail, and checks that those that do are late.
func leases(t *testing.T, s *Store, steps int) (failed int) {
	t.Helper()
	for range steps {
		if _, err := s.Lease(t.Context(), "x", time.Second); err != nil {
			failed++
			if !errors.Is(err, quota.ErrLate) || !strings.Contains(err.Error(), "no answer within ") {
				t.Errorf("got the error %q, want one of an answer that is late", err)
			}
		}
		time.Sleep(100 * time.Millisecond)
	}
	return failed
}

// However far away a server is, up to a quarter of a second, steps have time enough once it was reached.
func TestAServerThatIsFarAway(t *testing.T) {
	for _, ms := range []int{1, 10, 30, 60, 100, 200, 240} {
		t.Run(fmt.Sprint(ms, " ms"), func(t *testing.T) {
			trip := time.Duration(ms) * time.Millisecond
			away(t, trip, func(t *testing.T, _ *far, s *Store) {
				warnings, err := s.Inspect(t.Context())
				if err != nil {
					t.Fatalf("Inspect: got %v, want no error", err)
				}
				if got, want := len(warnings) > 0, ms > 100; got != want {
					t.Errorf("Inspect warns: got %q, want a warning: %v", warnings, want)
				}
				if got, want := s.RoundTrip(), trip; got != want {
					t.Errorf("round trip: got %v, want %v", got, want)
				}
				if got := leases(t, s, 20); got != 0 {
					t.Errorf("steps that failed: got %d, want 0", got)
				}
				s.reconnect(s.client.Load())
				if got := leases(t, s, 1); got != 0 {
					t.Error("the step that made a new connection failed")
				}
			})
		})
	}
}

// Steps that come without a pause, and end their connections since the server is further away than it seemed, do not
// keep it from being measured.
func TestAFarServerIsMeasuredUnderLoad(t *testing.T) {
	away(t, 200*time.Millisecond, func(t *testing.T, _ *far, s *Store) {
		var callers sync.WaitGroup
		for range 8 {
			callers.Go(func() {
				for range 40 {
					_, _ = s.Lease(t.Context(), "x", time.Second) // the first ones are late
				}
			})
		}
		callers.Wait()
		if got := leases(t, s, 5); got != 0 {
			t.Errorf("steps that failed of 5 after 320: got %d, want 0", got)
		}
	})
}

// A server that was not reached at first, or is far away all of a sudden, is found to be there after a few steps, which
// do not wait for that longer than their deadline.
func TestAServerThatMovesAway(t *testing.T) {
	for _, trip := range []time.Duration{0, time.Millisecond} {
		away(t, trip, func(t *testing.T, f *far, s *Store) {
			if trip > 0 {
				leases(t, s, 5)
			}
			f.takes.Store(int64(60 * time.Millisecond))
			began := time.Now()
			if got := leases(t, s, 5); got == 0 || got == 5 {
				t.Errorf("steps that failed of the first 5: got %d, want some", got)
			}
			if took := time.Since(began); took > 5*(100+60+70)*time.Millisecond {
				t.Errorf("5 steps took %v", took)
			}
			if got := leases(t, s, 50); got != 0 {
				t.Errorf("steps that failed of the next 50: got %d, want 0", got)
			}
			f.takes.Store(int64(time.Millisecond))
			leases(t, s, 50)
			if got := s.deadline(false); got != minDeadline {
				t.Errorf("the deadline, 50 steps after the server is near again: got %v, want %v", got, minDeadline)
			}
		})
	}
}

// A server that hangs does not make the deadline longer, and one that is further away than any may be has an end.
func TestTheDeadlineHasBounds(t *testing.T) {
	away(t, time.Millisecond, func(t *testing.T, f *far, s *Store) {
		leases(t, s, 5)
		f.takes.Store(int64(time.Minute))
		began := time.Now()
		if got := leases(t, s, 20); got != 20 {
			t.Errorf("steps that failed: got %d, want all 20", got)
		}
		if took := time.Since(began); took > 20*(100*time.Millisecond+minDeadline+4*time.Millisecond) {
			t.Errorf("20 steps took %v, want %v each", took, minDeadline)
		}
		if got := s.deadline(false); got != minDeadline {
			t.Errorf("the deadline: got %v, want %v", got, minDeadline)
		}
	})
	var far roundTrip
	for range 10 {
		far.observe(10 * time.Second)
	}
	if got, want := far.deadline(false), maxDeadline; got != want {
		t.Errorf("the longest deadline: got %v, want %v", got, want)
	}
	if got, want := far.deadline(true), maxDeadline*3/2; got != want {
		t.Errorf("the longest deadline with a connection: got %v, want %v", got, want)
	}
	if got := (Options{Timeout: time.Hour}); Open(Address{}, "x", got).deadline(true) != time.Hour {
		t.Error("a deadline that is set does not hold")
	}
}

// A server that moves away while it is in use is told of once, and once more when it is near again.
func TestADistanceThatChangesIsTold(t *testing.T) {
	away(t, 10*time.Millisecond, func(t *testing.T, f *far, s *Store) {
		var told []bool
		s.o.OnDistance = func(trip time.Duration, far bool) {
			told = append(told, far)
			if far != (trip > farAway) {
				t.Errorf("told of %v: got far %v, want %v", trip, far, !far)
			}
		}
		for i, step := range []struct {
			ms   int64
			told string
		}{{10, "[]"}, {95, "[]"}, {150, "[true]"}, {95, "[true]"}, {10, "[true false]"}, {150, "[true false true]"}} {
			f.takes.Store(step.ms * int64(time.Millisecond))
			for range 100 {
				_, _ = s.Lease(t.Context(), "x", time.Second) // some are late
				time.Sleep(100 * time.Millisecond)
			}
			if got := fmt.Sprint(told); got != step.told {
				t.Errorf("after step %d, of %d ms: told %s, want %s", i, step.ms, got, step.told)
			}
		}
	})
}
