package filestore

import (
	"fmt"

	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/memstore"
)

// maxFigure is more than a day can hold: what is above it was not counted. Sums of such figures do not wrap.
const maxFigure = 9 * quota.MaxCost

// checkDay returns an error if a figure of d cannot be: negative where it never is, or absurd. It would lift a limit,
// or end a day that has hardly begun.
func checkDay(d *memstore.SavedDay) error {
	type figure struct {
		name string
		n    quota.Neurons
		min  quota.Neurons
	}
	figures := []figure{
		{"the external neurons", d.External.Spent, 0},
		{"the released neurons", d.External.Released, 0},
		{"the billed neurons", d.External.Billed, 0},
		{"the price", quota.Neurons(d.Price.Nanodollars), 0},
	}
	for name, b := range d.Budgets {
		of := " of the budget " + string(name)
		figures = append(figures,
			figure{"the limit" + of, b.Limit, 0}, figure{"what is spent" + of, b.Spent, 0},
			figure{"what is held" + of, b.Held, 0})
	}
	for _, r := range d.Records { // a correction may take back more than a record has
		of := " of the model " + r.Model
		figures = append(figures,
			figure{"what is reported" + of, r.Reported, -maxFigure},
			figure{"what is priced" + of, r.Priced, -maxFigure},
			figure{"what is estimated" + of, r.Estimated, -maxFigure},
			figure{"the table's cost" + of, r.Table, -maxFigure},
			figure{"the calls" + of, quota.Neurons(r.Calls), 0},
			figure{"the silent calls" + of, quota.Neurons(r.Silent), 0})
	}
	for hour, n := range d.Hours {
		figures = append(figures, figure{fmt.Sprintf("what hour %d spent", hour), n, -maxFigure})
	}
	for id, b := range d.Batches {
		figures = append(figures, figure{"what was charged for the batch " + id, b.Charged, 0})
	}
	if n := len(d.Batches); n > quota.MaxBatches {
		return fmt.Errorf("%d batches on %v are too many", n, d.Day)
	}
	for _, f := range figures {
		if f.n < f.min || f.n > maxFigure {
			return fmt.Errorf("%s on %v cannot be %d", f.name, d.Day, f.n)
		}
	}
	return nil
}
