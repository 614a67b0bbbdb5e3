package pace_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/pace"
)

// lavish is a Pace with the largest limit for each of many models, of which
// enough calls pass at once for a benchmark to see no refusal, and their keys.
type lavish struct {
	limits pace.Table
	keys   []pace.Key
	pace   *pace.Limiter
	calls  int
}

// enough calls pass of a lavish Pace before it is made anew.
const enough = 5_000_000

func newLavish(tb testing.TB, client string, clientLimit int) *lavish {
	tb.Helper()
	v := &lavish{}
	text := ""
	for i := range 64 {
		model := fmt.Sprintf("@cf/bench/m%d", i)
		text += "," + model + "=1000000"
		k := pace.Key{Task: quota.TextGeneration, Model: model, ClientLimit: clientLimit}
		if clientLimit > 0 {
			k.Client = fmt.Sprint(client, i)
		}
		v.keys = append(v.keys, k)
	}
	var err error
	if v.limits, err = pace.ParseTable(text[1:]); err != nil {
		tb.Fatal(err)
	}
	v.pace = pace.New(v.limits)
	return v
}

func (v *lavish) acquire() bool {
	if v.calls++; v.calls%enough == 0 {
		v.pace = pace.New(v.limits)
	}
	d, _ := v.pace.Acquire(context.Background(), v.keys[v.calls%len(v.keys)], 0)
	return d.OK
}

func BenchmarkPace(b *testing.B) {
	for _, c := range []struct {
		name        string
		clientLimit int
		refused     bool
	}{
		{"model", 0, false},
		{"model+client", 1_000_000, false},
		{"refused", 1, true},
	} {
		b.Run(c.name, func(b *testing.B) {
			v := newLavish(b, "c", c.clientLimit)
			for range v.keys {
				v.acquire()
			}
			b.ReportAllocs()
			for b.Loop() {
				if v.acquire() == c.refused {
					b.Fatal("not as it should be")
				}
			}
		})
	}
	for _, shared := range []bool{false, true} {
		b.Run(fmt.Sprintf("parallel/shared=%v", shared), func(b *testing.B) {
			v := newLavish(b, "", 0)
			var next atomic.Int64
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				key := v.keys[0]
				if !shared {
					key = v.keys[int(next.Add(1))%len(v.keys)]
				}
				for pb.Next() {
					_, _ = v.pace.Acquire(context.Background(), key, 0)
				}
			})
		})
	}
	b.Run("snapshot", func(b *testing.B) {
		v := newLavish(b, "", 0)
		for range v.keys {
			v.acquire()
		}
		for b.Loop() {
			v.pace.Snapshot(time.Now())
		}
	})
}
