package reconcile_test

import (
	"testing"

	"github.com/neuronward/neuronward/quota/reconcile"
)

func TestJump(t *testing.T) {
	t.Parallel()
	type spending = reconcile.Spending[int64]
	for _, tt := range []struct {
		name      string
		shown     []spending // one after the other
		explained int64
		want      []int64 // what counts after each
	}{
		{"within a hundredth of the limit", []spending{{at(5), 10 * n}, {at(6), 20 * n}}, 0, []int64{10 * n, 20 * n}},
		{"beyond it, twice", []spending{{at(5), 11 * n}, {at(6), 11 * n}}, 0, []int64{0, 11 * n}},
		{"beyond it once", []spending{{at(5), 900 * n}, {at(6), 5 * n}}, 0, []int64{0, 5 * n}},
		{"there is a reason", []spending{{at(5), 60 * n}}, 50 * n, []int64{60 * n}},
		{"the second shows less", []spending{{at(5), 900 * n}, {at(6), 500 * n}}, 0, []int64{0, 500 * n}},
		{"the second shows more", []spending{{at(5), 500 * n}, {at(6), 900 * n}}, 0, []int64{0, 500 * n}},
		{
			"which a third confirms",
			[]spending{{at(5), 500 * n}, {at(6), 900 * n}, {at(7), 901 * n}},
			0,
			[]int64{0, 500 * n, 901 * n},
		},
		{
			"twice the pace before",
			[]spending{{at(5), 10 * n}, {at(10), 30 * n}, {at(15), 70 * n}},
			0,
			[]int64{10 * n, 30 * n, 70 * n},
		},
		{
			"more than that",
			[]spending{{at(5), 10 * n}, {at(10), 30 * n}, {at(15), 71 * n}},
			0,
			[]int64{10 * n, 30 * n, 30 * n},
		},
		{
			"a tenth of the limit at most",
			[]spending{{at(5), 500 * n}, {at(6), 500 * n}, {at(11), 601 * n}},
			0,
			[]int64{0, 500 * n, 500 * n},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var j reconcile.Jump[int64]
			last := spending{At: at(0)}
			for i, shown := range tt.shown {
				counts, ok := j.Accept(shown, last, 1000*n, tt.explained)
				if ok {
					last = spending{At: shown.At, Amount: counts}
				}
				if counts != tt.want[i] {
					t.Errorf("Accept(%v) = %d, want %d", shown, counts, tt.want[i])
				}
			}
		})
	}
}

// A figure that has waited for long, while another replica read others, confirms nothing.
func TestAJumpThatIsOverConfirmsNothing(t *testing.T) {
	t.Parallel()
	var j reconcile.Jump[int64]
	j.Accept(reconcile.Spending[int64]{At: at(5), Amount: 900 * n}, reconcile.Spending[int64]{At: at(0)}, 1000*n, 0)
	last := reconcile.Spending[int64]{At: at(30), Amount: 3 * n}
	if counts, ok := j.Accept(reconcile.Spending[int64]{At: at(35), Amount: 900 * n}, last, 1000*n, 0); ok {
		t.Errorf("Accept: got %d that count, want none", counts)
	}
}
