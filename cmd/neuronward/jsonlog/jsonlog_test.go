package jsonlog

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"math"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// standard is slog's own handler, with times as those of a Handler.
func standard(w io.Writer) slog.Handler {
	return slog.NewJSONHandler(w, &slog.HandlerOptions{ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
		if len(groups) == 0 && a.Key == slog.TimeKey {
			return slog.String(a.Key, a.Value.Time().UTC().Format("2006-01-02T15:04:05.000Z"))
		}
		return a
	}})
}

func nothing() error { return nil }

// both returns the line of a record by a Handler and by slog's own.
func both(t *testing.T, r slog.Record) (ours, theirs string) {
	t.Helper()
	var a, b bytes.Buffer
	if err := New(&a, standard(&a), nothing).Handle(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if err := standard(&b).Handle(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	return a.String(), b.String()
}

func FuzzHandler(f *testing.F) {
	f.Add("call", "model", "@cf/meta/llama", int64(200), 12.345, true, int64(1790000000123456789))
	f.Add("say \"hi\"", "a\\b", "<&> ü \x00\xff\u2028", int64(math.MinInt64), 1e21, false, int64(-1))
	f.Add("", "", "\n", int64(0), math.Copysign(0, -1), false, int64(0))
	f.Add("", "", "", int64(0), 1e-7, false, int64(math.MaxInt64))
	f.Add("", "", "", int64(0), 1e21, false, int64(0))
	f.Add("", "", "", int64(0), 1e-6, false, int64(999999))
	f.Fuzz(func(t *testing.T, message, key, text string, n int64, float float64, is bool, at int64) {
		if math.IsNaN(float) || math.IsInf(float, 0) {
			return // slog reports an error
		}
		r := slog.NewRecord(time.Unix(0, at), slog.LevelInfo, message, 0)
		r.AddAttrs(slog.String(key, text), slog.GroupAttrs("", slog.Int64("n", n), slog.Float64("float", float)),
			slog.Bool("is", is))
		if ours, theirs := both(t, r); ours != theirs {
			t.Errorf("got  %swant %s", ours, theirs)
		}
	})
}

func TestHandlerOfOtherValues(t *testing.T) {
	t.Parallel()
	for name, attr := range map[string]slog.Attr{
		"nothing":          {},
		"an error":         slog.Any("err", errors.New("it failed")),
		"a duration":       slog.Duration("d", time.Second),
		"a time":           slog.Time("t", time.Unix(1, 0)),
		"a group":          slog.Group("g", "a", 1),
		"a list in a list": slog.GroupAttrs("", slog.GroupAttrs("", slog.String("a", "b")), slog.Any("c", []int{1})),
	} {
		r := slog.NewRecord(time.Unix(1790000000, 0), slog.LevelError+1, name, 0)
		r.AddAttrs(slog.String("first", "x"), attr)
		if ours, theirs := both(t, r); ours != theirs {
			t.Errorf("%s:\ngot  %swant %s", name, ours, theirs)
		}
	}
	for _, at := range []time.Time{
		{}, time.Date(-1, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC),
	} {
		if ours, theirs := both(t, slog.NewRecord(at, slog.LevelInfo, "none, or an odd one", 0)); ours != theirs {
			t.Errorf("got  %swant %s", ours, theirs)
		}
	}
	var out bytes.Buffer
	slog.New(New(&out, standard(&out), nothing)).With("a", 1).WithGroup("g").Info("m", "b", 2)
	if want := `"a":1,"g":{"b":2}`; !strings.Contains(out.String(), want) {
		t.Errorf("With and WithGroup: got %q, want it to contain %q", out.String(), want)
	}
}

func TestHandlerTakesNoMemory(t *testing.T) {
	h := New(io.Discard, standard(io.Discard), nothing)
	attrs := []slog.Attr{slog.String("model", "m"), slog.Int("status", 200), slog.Float64("ms", 1.5)}
	if got := testing.AllocsPerRun(100, func() {
		r := slog.NewRecord(time.Unix(1790000000, 0), slog.LevelInfo, "call", 0)
		r.AddAttrs(slog.GroupAttrs("", attrs...))
		_ = h.Handle(context.Background(), r)
	}); got > 1 { // under the race detector a pool loses some of what is put into it
		t.Errorf("got %v allocations a line, want none", got)
	}
}

func TestHandlerFlushesWarnings(t *testing.T) {
	t.Parallel()
	flushed := 0
	log := slog.New(New(io.Discard, standard(io.Discard), func() error { flushed++; return nil }))
	log.Info("a")
	if flushed != 0 {
		t.Errorf("after an info: flushed %d times, want 0", flushed)
	}
	log.Warn("b")
	log.Error("c")
	if flushed != 2 {
		t.Errorf("after a warning and an error: flushed %d times, want 2", flushed)
	}
}

// A file keeps what is written to it, and may be slow.
type file struct {
	mu     sync.Mutex
	writes []string
	slow   time.Duration
	err    error
}

func (f *file) Write(p []byte) (int, error) {
	time.Sleep(f.slow)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.writes = append(f.writes, string(p))
	return len(p), f.err
}

func (f *file) joined() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return strings.Join(f.writes, "|")
}

func TestBatchJoinsWhatComesTogether(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &file{}
		b := NewBatch(f)
		write := func(lines ...string) {
			for _, line := range lines {
				if n, err := b.Write([]byte(line)); n != len(line) || err != nil {
					t.Fatalf("Write(%q) = %d, %v", line, n, err)
				}
			}
		}
		equal := func(what, want string) {
			t.Helper()
			synctest.Wait()
			if got := f.joined(); got != want {
				t.Errorf("%s: got the writes %q, want %q", what, got, want)
			}
		}
		write("a")
		equal("the first one is written at once", "a")
		write("b", "c")
		equal("more wait", "a")
		time.Sleep(interval)
		equal("but not for long", "a|bc")
		time.Sleep(interval)
		write("d")
		equal("one that comes alone is written at once", "a|bc|d")
		write("e")
		if err := b.Flush(); err != nil {
			t.Error(err)
		}
		equal("flushed", "a|bc|d|e")
		write("f")
		time.Sleep(interval)
		equal("after the timer of what was flushed", "a|bc|d|e|f")
		time.Sleep(interval)
		write("g")
		time.Sleep(interval / 2)
		write("h")
		time.Sleep(interval / 2)
		write("i")
		equal("what waits is waited for", "a|bc|d|e|f|g")
		time.Sleep(interval / 2)
		equal("since the first of it", "a|bc|d|e|f|g|hi")
		much := strings.Repeat("j", fullBatch)
		write(much)
		equal("much does not wait", "a|bc|d|e|f|g|hi|"+much)
	})
}

// While a write lasts, what comes waits for its end together, up to maxBatch: then whoever writes waits, too.
func TestBatchBehindASlowWrite(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &file{slow: time.Second}
		b := NewBatch(f)
		b.Write([]byte("a"))
		began := time.Now()
		b.Write([]byte("b"))
		b.Write([]byte("c"))
		if took := time.Since(began); took != 0 {
			t.Errorf("writes behind a slow one took %v, want them to wait for nothing", took)
		}
		b.Write(make([]byte, maxBatch))
		b.Write([]byte("d"))
		if took := time.Since(began); took != time.Second {
			t.Errorf("with a full batch a write took %v, want it to wait for the slow one", took)
		}
		if err := b.Flush(); err != nil {
			t.Error(err)
		}
		if got, want := len(f.joined()), len("a|bcd")+maxBatch; got != want && got != want+1 {
			t.Errorf("wrote %d bytes, want %d", got, want)
		}
		if kept := max(cap(b.waiting), cap(b.spare)); kept > 2*fullBatch {
			t.Errorf("keeps a buffer of %d bytes, want %d at most", kept, 2*fullBatch)
		}
	})
}

// Once waits are limited, a write that lasts keeps nobody for longer: neither whoever makes it, nor whoever waits for
// room or flushes. When it has ended, what comes is written again.
func TestBatchWithLimitedWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &file{slow: time.Hour}
		b := NewBatch(f)
		began := time.Now()
		var group sync.WaitGroup
		waits := func(do func() error) {
			group.Go(func() {
				if err := do(); err == nil {
					t.Error("got no error, want one: it was not written")
				}
			})
			synctest.Wait()
		}
		_, _ = b.Write([]byte("a"))
		waits(b.Flush)
		_, _ = b.Write(make([]byte, maxBatch))
		waits(func() error { _, err := b.Write([]byte("b")); return err })
		time.Sleep(time.Minute)
		b.LimitWaits(time.Second)
		group.Wait()
		if took, want := time.Since(began), time.Minute+time.Second; took != want {
			t.Errorf("those who waited go on after %v, want %v", took, want)
		}
		waits(func() error { _, _ = b.Write([]byte("c")); return b.Flush() })
		group.Wait()
		if took, want := time.Since(began), time.Minute+time.Second; took != want {
			t.Errorf("further ones go on after %v, want %v", took, want)
		}
		time.Sleep(time.Hour)
		if err := b.Flush(); !errors.Is(err, errNoReader) {
			t.Errorf("Flush() = %v, want it to say that something was lost", err)
		}
		f.slow = time.Second / 2
		_, _ = b.Write([]byte("d"))
		if err := b.Flush(); err != nil {
			t.Error(err)
		}
		f.slow = time.Hour
		began = time.Now()
		_, _ = b.Write([]byte("e"))
		if err := b.Flush(); !errors.Is(err, errNoReader) || time.Since(began) != time.Second {
			t.Errorf("Flush() while a write lasts = %v after %v, want an error after 1 s", err, time.Since(began))
		}
		time.Sleep(time.Hour)
		if got, want := f.joined(), "a|d|e"; got != want {
			t.Errorf("got the writes %q, want %q", got, want)
		}
	})
}

// What came while a write lasted is written soon after it, by itself. Flush waits for both.
func TestBatchAfterASlowWrite(t *testing.T) {
	t.Parallel()
	for _, flush := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			f := &file{slow: time.Second}
			b := NewBatch(f)
			b.Write([]byte("a"))
			began := time.Now()
			b.Write([]byte("b"))
			if flush {
				if err := b.Flush(); err != nil || time.Since(began) != 2*f.slow {
					t.Errorf("Flush() = %v after %v, want none after both writes", err, time.Since(began))
				}
			} else {
				time.Sleep(2*f.slow + interval)
				synctest.Wait()
			}
			if got := f.joined(); got != "a|b" {
				t.Errorf("flushed %v: got the writes %q, want one behind the other", flush, got)
			}
		})
	}
}

func TestBatchReportsErrors(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &file{err: io.ErrShortWrite}
		b := NewBatch(f)
		for _, line := range []string{"a", "b"} { // one that is written at once, and one that waits
			if _, err := b.Write([]byte(line)); err != nil {
				t.Errorf("Write(%q): got the error %v, want none yet", line, err)
			}
			time.Sleep(interval)
			synctest.Wait()
			f.err = nil
		}
		if err := b.Flush(); !errors.Is(err, io.ErrShortWrite) {
			t.Errorf("Flush() = %v, want the error of the first write", err)
		}
		if err := b.Flush(); err != nil {
			t.Errorf("Flush() again = %v, want none", err)
		}
	})
}

// No line is lost, torn or overtaken by a later one of the same writer.
func TestBatchLosesNothing(t *testing.T) {
	t.Parallel()
	const writers, lines = 16, 500
	f := &file{}
	b := NewBatch(f)
	var group sync.WaitGroup
	for w := range writers {
		group.Go(func() {
			for i := range lines {
				_, _ = b.Write([]byte(strconv.Itoa(w) + " " + strconv.Itoa(i) + "\n"))
				if i%100 == w {
					_ = b.Flush()
				}
			}
		})
	}
	group.Wait()
	if err := b.Flush(); err != nil {
		t.Fatal(err)
	}
	next := make([]int, writers)
	for line := range strings.Lines(strings.Join(f.writes, "")) {
		writer, n, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		w, err := strconv.Atoi(writer)
		if err != nil || strconv.Itoa(next[w]) != n {
			t.Fatalf("got the line %q, want number %d of its writer", line, next[w])
		}
		next[w]++
	}
	for w, n := range next {
		if n != lines {
			t.Errorf("writer %d: got %d lines, want %d", w, n, lines)
		}
	}
}
