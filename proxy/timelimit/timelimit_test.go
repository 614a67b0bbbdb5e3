package timelimit

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// deadlines is a writer that is told the deadlines of reads.
type deadlines struct {
	http.ResponseWriter
	set func(time.Time)
}

func (d deadlines) SetReadDeadline(at time.Time) error {
	d.set(at)
	return nil
}

// A caller who was late and has caught up may pause again.
func TestNoLimitForACallerWhoCaughtUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var deadline time.Time
		first := true
		b := &Body{
			ReadCloser: io.NopCloser(readerFunc(func(p []byte) (int, error) {
				if first {
					first = false
					time.Sleep(29 * time.Second)
					return 1, nil
				}
				return len(p), nil
			})),
			rate:   UploadRate{30 * time.Second, 1 << 10},
			caller: deadlines{set: func(at time.Time) { deadline = at }},
		}
		for i, want := range []time.Duration{time.Second, time.Second + time.Second/1024, 30 * time.Second} {
			if _, err := b.Read(make([]byte, 64<<10)); err != nil {
				t.Fatalf("read %d: got error %v, want none", i+1, err)
			}
			if left := time.Until(deadline); (left - want).Abs() > time.Millisecond {
				t.Errorf("left at read %d: got %v, want %v", i+1, left, want)
			}
		}
	})
}

// A deadline over HTTP/2 strikes whether anybody reads or not; it must be gone while nobody does.
func TestLimitsOverHTTP2(t *testing.T) {
	t.Parallel()
	for http2, want := range map[bool]string{false: "1m0s none", true: "1m0s none 1m0s none"} {
		synctest.Test(t, func(t *testing.T) {
			var set []string
			b := &Body{
				ReadCloser: io.NopCloser(strings.NewReader("ab")), rate: UploadRate{time.Minute, 1 << 10}, http2: http2,
				caller: deadlines{set: func(at time.Time) {
					if at.IsZero() {
						set = append(set, "none")
					} else {
						set = append(set, time.Until(at).String())
					}
				}},
			}
			if got, err := io.ReadAll(b); string(got) != "ab" || err != nil {
				t.Fatalf("HTTP/2 %v: got %q and error %v, want \"ab\" and no error", http2, got, err)
			}
			if got := strings.Join(set, " "); got != want {
				t.Errorf("HTTP/2 %v: got the deadlines %q, want %q", http2, got, want)
			}
			if !b.Over() {
				t.Errorf("HTTP/2 %v: Over() = false after the end, want true", http2)
			}
		})
	}
}

func TestSlowError(t *testing.T) {
	t.Parallel()
	for _, behind := range []bool{false, true} {
		var b Body
		b.Limit(httptest.NewRecorder(), &http.Request{Body: io.NopCloser(readerFunc(func([]byte) (int, error) {
			return 0, os.ErrDeadlineExceeded
		}))}, UploadRate{time.Minute, 1 << 10})
		if behind {
			b.waited = time.Second
		}
		_, err := b.Read(make([]byte, 1))
		slow, ok := errors.AsType[*SlowError](err)
		if !ok {
			t.Fatalf("Read() = %v, want a SlowError", err)
		}
		if want := (SlowError{UploadRate{time.Minute, 1 << 10}, behind}); *slow != want {
			t.Errorf("Read() = %+v, want %+v", *slow, want)
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Read() = %v, want it to be %v", err, os.ErrDeadlineExceeded)
		}
	}
}

// stuck is a caller that takes what is written once a deadline is set.
type stuck struct {
	http.ResponseWriter
	deadline chan struct{}
}

func (s *stuck) SetWriteDeadline(time.Time) error {
	close(s.deadline)
	return nil
}

func (s *stuck) Write([]byte) (int, error) {
	<-s.deadline
	return 0, os.ErrDeadlineExceeded
}

func TestWatchdog(t *testing.T) {
	t.Parallel()
	limits := Limits{FirstByte: time.Minute, Idle: 10 * time.Second, Stalled: 30 * time.Second}
	for _, c := range []struct {
		name  string
		run   func(*Watchdog)
		cause error // it ends the call with
		after time.Duration
		cut   bool // it ends a write to the caller
	}{
		{name: "no answer", run: func(*Watchdog) {}, cause: ErrFirstByte, after: time.Minute},
		{
			name:  "an answer that pauses, as a whole within no limit",
			cause: ErrIdle, after: 20*9*time.Second + 10*time.Second,
			run: func(w *Watchdog) {
				w.Begin(true)
				for range 20 {
					_, _ = w.Read(readerFunc(func([]byte) (int, error) {
						time.Sleep(9 * time.Second)
						return 1, nil
					}), nil)
				}
				go func() {
					_, _ = w.Read(readerFunc(func([]byte) (int, error) {
						time.Sleep(time.Hour)
						return 0, io.EOF
					}), nil)
				}()
			},
		},
		{
			name: "a caller that reads nothing", cut: true,
			run: func(w *Watchdog) {
				w.Begin(false)
				_, _ = w.Write([]byte("x"))
			},
		},
		{name: "stopped", run: (*Watchdog).Stop},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				var cause error
				var after time.Duration
				w := &Watchdog{
					Limits: limits, Began: began, Caller: &stuck{deadline: make(chan struct{})},
					Expired: func(err error) { cause, after = err, time.Since(began) },
				}
				w.Await()
				c.run(w)
				if !c.cut {
					time.Sleep(2 * time.Hour)
				}
				synctest.Wait()
				if !errors.Is(cause, c.cause) {
					t.Errorf("got the cause %v, want %v", cause, c.cause)
				}
				if after != c.after {
					t.Errorf("ended after %v, want %v", after, c.after)
				}
				if got := w.HasCut(); got != c.cut {
					t.Errorf("HasCut() = %v, want %v", got, c.cut)
				}
				w.Stop()
			})
		})
	}
}
