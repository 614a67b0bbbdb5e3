package reconcile_test

import (
	"testing"
	"time"

	"github.com/neuronward/neuronward/quota/reconcile"
)

const n = 1_000_000 // one neuron

type (
	state  = reconcile.State[int64]
	figure = reconcile.Figure[int64]
)

// at returns a second of the day, so many minutes after noon.
func at(minutes int) time.Time { return time.Date(2000, 1, 1, 12, minutes, 0, 0, time.UTC) }

// Ten neurons a minute were settled for half an hour, and the figure counts until the end of the twentieth minute.
func TestCompare(t *testing.T) {
	t.Parallel()
	const settled = 200 * n // by then
	for _, tt := range []struct {
		name               string
		billed, former     int64
		lost               int64 // all the time
		external, released int64
	}{
		{"nobody else spends", settled, 0, 0, 0, 0},
		{"somebody else does", settled + 50*n, 0, 0, 40 * n, 0}, // calls of the next minute may be billed already
		{"what was external stays so", settled + 50*n, 50 * n, 0, 50 * n, 0},
		{"but not beyond the figure", settled + 50*n, 70 * n, 0, 50 * n, 0},
		{"what is lost was not spent", settled, 0, 30 * n, 0, 30 * n},
		{"some of it was", settled + 10*n, 0, 30 * n, 0, 20 * n},
		{"the figure lacks some", settled - 10*n, 0, 30 * n, 0, 20 * n},
		{"all of it was, and somebody else spends", settled + 100*n, 0, 30 * n, 60 * n, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := reconcile.History[int64]{MaxWait: 5 * time.Second}
			if h.Known() {
				t.Error("Known() = true before a record, want false")
			}
			for minute := range 30 {
				h.Record(at(minute), state{Spent: int64(minute+1) * 10 * n, Lost: tt.lost})
			}
			if !h.Known() {
				t.Error("Known() = false, want true")
			}
			external, released := h.Compare(at(5), at(29), at(19).Add(59*time.Second), tt.billed, tt.former)
			if external != tt.external {
				t.Errorf("external: got %d, want %d", external, tt.external)
			}
			if released != tt.released {
				t.Errorf("released: got %d, want %d", released, tt.released)
			}
		})
	}
}

// A figure that was compared with none, and was too high, gives way to the next one, unless that cannot be.
func TestDropFromAFirstFigure(t *testing.T) {
	t.Parallel()
	d, last := reconcile.Drop[int64]{First: true}, figure{At: at(0), Billed: 100 * n}
	for _, tt := range []struct {
		billed int64
		want   bool
	}{{-1, false}, {3 * n, false}, {40 * n, true}, {100 * n, true}, {99 * n, false}} {
		if billed, ok := d.Accept(figure{at(1), tt.billed}, last, 4*n); ok != tt.want || billed != tt.billed {
			t.Errorf("Accept(%d) = %d, %v, want %d, %v", tt.billed, billed, ok, tt.billed, tt.want)
		}
	}
}

// A store that has less than before may get its rows back: nothing is compared until then. What it has forgotten for
// good was not settled.
func TestAStoreThatForgets(t *testing.T) {
	t.Parallel()
	h := reconcile.History[int64]{MaxWait: 5 * time.Second}
	h.Record(at(0), state{Spent: 100 * n})
	h.Record(at(1), state{Spent: 40 * n, Joined: true})
	if h.Known() {
		t.Error("Known() = true after rows were lost, want false")
	}
	h.Record(at(1).Add(5*time.Second), state{Spent: 40 * n})
	if !h.Known() {
		t.Error("Known() = false after the wait, want true")
	}
	if least, most := h.Settled(at(0).Add(59 * time.Second)); least != 40*n || most != 40*n {
		t.Errorf("Settled: got %d and %d, want %d and %d", least, most, 40*n, 40*n)
	}
}

func TestDrop(t *testing.T) {
	t.Parallel()
	last := figure{At: at(0), Billed: 100 * n}
	for _, tt := range []struct {
		name    string
		figures []figure
		settled int64
		want    bool // of the last of them
	}{
		{"higher", []figure{{at(5), 101 * n}}, 0, true},
		{"lower by a fraction", []figure{{at(5), 100*n - 10_000}}, 0, true},
		{"lower once", []figure{{at(5), 90 * n}}, 0, false},
		{"lower for almost an hour", []figure{{at(5), 90 * n}, {at(64), 90 * n}}, 0, false},
		{"lower for an hour", []figure{{at(5), 90 * n}, {at(65), 91 * n}}, 0, true},
		{"it drops itself", []figure{{at(5), 90 * n}, {at(30), 80 * n}, {at(65), 90 * n}}, 0, false},
		{"a higher one between", []figure{{at(5), 90 * n}, {at(30), 100 * n}, {at(65), 90 * n}}, 0, false},
		{"it lacks what was settled", []figure{{at(5), 90 * n}, {at(65), 90 * n}}, 95 * n, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var d reconcile.Drop[int64]
			for i, f := range tt.figures {
				_, ok := d.Accept(f, last, tt.settled)
				if i == len(tt.figures)-1 && ok != tt.want {
					t.Errorf("Accept(%v) = %v, want %v", f, ok, tt.want)
				}
			}
		})
	}
}
