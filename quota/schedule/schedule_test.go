package schedule_test

import (
	"maps"
	"runtime"
	"slices"
	"testing"
	"time"
	"weak"

	"github.com/neuronward/neuronward/quota/schedule"
)

// The order in which calls are served that arrive in the order of the table.
func TestQueue(t *testing.T) {
	type call struct {
		client string
		amount int64
	}
	for _, c := range []struct {
		name  string
		calls []call
		want  []int
	}{
		{"one client, in the order of arrival", []call{{"x", 5}, {"x", 900}, {"x", 1}}, []int{0, 1, 2}},
		{"one of another client behind many", []call{{"x", 5}, {"x", 5}, {"x", 5}, {"y", 5}}, []int{0, 3, 1, 2}},
		{
			"a large one is behind as much of each other client", // which has 30, too, when it is served
			[]call{{"x", 30}, {"x", 30}, {"y", 10}, {"y", 10}, {"y", 10}, {"y", 10}},
			[]int{0, 2, 3, 4, 1, 5},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			var q schedule.Queue[int, int64]
			for i, call := range c.calls {
				q.Add(i, call.client, call.amount)
			}
			if got := q.List(); !slices.Equal(got, c.want) {
				t.Errorf("got the order %v, want %v", got, c.want)
			}
		})
	}
}

// A client that comes late does not go before what was asked for meanwhile, one whose call gave up is not behind for
// it, one whose call waited for nothing is, and nothing is remembered once nobody waits.
func TestTheQueueGoesOn(t *testing.T) {
	var q schedule.Queue[string, int64]
	order := func(what string, want ...string) {
		t.Helper()
		if got := q.List(); !slices.Equal(got, want) {
			t.Errorf("%s: got the order %q, want %q", what, got, want)
		}
	}
	q.Add("x1", "x", 10)
	q.Add("x2", "x", 10)
	q.Add("x3", "x", 10)
	q.Remove("x1", true)
	q.Remove("x2", true)
	q.Add("y1", "y", 30)
	q.Add("x4", "x", 10)
	q.Add("y2", "y", 10)
	order("y comes late", "y1", "x3", "x4", "y2")
	q.Remove("y2", false)
	q.Remove("y1", false)
	q.Add("y3", "y", 10)
	order("both of y gave up", "y3", "x3", "x4")
	q.Pass("z", 15)
	q.Add("z1", "z", 10)
	order("z had something meanwhile", "y3", "x3", "z1", "x4")
	q.Replace("x4", "x5")
	order("x5 in place of x4", "y3", "x3", "z1", "x5")
	q.Remove("x4", true) // is not there any more
	for _, w := range q.List() {
		q.Remove(w, true)
	}
	q.Add("x6", "x", 1)
	q.Add("z2", "z", 1)
	order("when nobody had waited", "x6", "z2")
}

// What calls in flight of a model give back, and when.
func TestReturns(t *testing.T) {
	var (
		f     schedule.InFlight[string, int64]
		usual schedule.Usual
		begin = time.Unix(1000, 0)
	)
	one := func(what string, age time.Duration, elsewhere int64, want schedule.Return[int64]) {
		t.Helper()
		got := slices.Collect(f.Returns("b", begin.Add(age), elsewhere))
		if !slices.Equal(got, []schedule.Return[int64]{want}) {
			t.Errorf("%s: got %v, want %v", what, got, want)
		}
	}
	one("of others", 0, 100, schedule.Return[int64]{In: 15 * time.Second, Amount: 75})
	c := &schedule.Call[string, int64]{Budgets: [2]string{"a", "b"}, Amount: 1000, Began: begin, Usual: &usual}
	other := &schedule.Call[string, int64]{Budgets: [2]string{"a"}, Amount: 1, Began: begin, Usual: &usual}
	f.Add(other)
	f.Add(c)
	f.Add(&schedule.Call[string, int64]{Budgets: [2]string{"a", "c"}, Amount: 1, Began: begin, Usual: &usual})
	f.Remove(other)
	one("of a model that is not known", 0, 0, schedule.Return[int64]{In: 15 * time.Second, Amount: 750})
	usual.Observe(10*time.Second, 100, 20)
	usual.Observe(30*time.Second, 300, 60)
	one("of one that has begun", 0, 0, schedule.Return[int64]{In: 20 * time.Second, Amount: 800})
	one("of one that has taken a while", 5*time.Second, 0, schedule.Return[int64]{In: 15 * time.Second, Amount: 800})
	one("of one that takes longer than usual", time.Hour, 0, schedule.Return[int64]{In: 10 * time.Second, Amount: 800})
	for range 200 {
		usual.Observe(time.Second, 1000, 2000)
	}
	if got := slices.Collect(f.Returns("b", begin, 0)); len(got) != 1 || got[0].Amount != 0 {
		t.Errorf("of one that costs more than it reserves: got %v, want one of 0", got)
	}
	f.Remove(c)
	if got := f.Len(); got != 1 {
		t.Errorf("calls in flight: got %d, want 1", got)
	}
}

// A call that is kept somewhere after its end does not keep its former neighbours in memory.
func TestACallThatHasEndedKeepsNoOther(t *testing.T) {
	var f schedule.InFlight[string, int64]
	var calls [3]*schedule.Call[string, int64]
	for i := range calls {
		calls[i] = &schedule.Call[string, int64]{Usual: &schedule.Usual{}}
		f.Add(calls[i])
	}
	kept, older, newer := calls[1], weak.Make(calls[0]), weak.Make(calls[2])
	f.Remove(calls[1])
	f.Remove(calls[0])
	f.Remove(calls[2])
	clear(calls[:])
	runtime.GC()
	if older.Value() != nil || newer.Value() != nil {
		t.Errorf("in memory: the older call %v, the newer one %v; want neither", older.Value(), newer.Value())
	}
	runtime.KeepAlive(kept)
}

func TestAmounts(t *testing.T) {
	us := schedule.Usuals{}
	us.Of("none has ended")
	us.Of("m").Observe(time.Second, 100, 1)
	us.Of("m").Observe(time.Second, 300, 1)
	got, want := schedule.Amounts[int64](us), map[string]int64{"m": 200}
	if !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestExpect(t *testing.T) {
	returns := []schedule.Return[int64]{{3 * time.Second, 10}, {time.Second, 10}, {time.Hour, 10}}
	for _, c := range []struct {
		need int64
		want time.Duration
	}{
		{1, 1250 * time.Millisecond},
		{10, 1250 * time.Millisecond},
		{11, 3250 * time.Millisecond},
		{21, schedule.MaxWait},
		{1000, schedule.MaxWait},
	} {
		if got := schedule.Expect(c.need, slices.Values(returns)); got != c.want {
			t.Errorf("%d: got %v, want %v", c.need, got, c.want)
		}
	}
	if got, want := schedule.Expect(50, slices.Values(returns[:2])), 8125*time.Millisecond; got != want {
		t.Errorf("two and a half times what comes back: got %v, want %v", got, want)
	}
	if got := schedule.Expect(1000, slices.Values(returns[:0])); got != 0 {
		t.Errorf("nothing in flight: got %v, want 0", got)
	}
}
