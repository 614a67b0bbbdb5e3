package price

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/neuronward/neuronward/quota/workload"
)

// A CatalogPrice is what Cloudflare's live catalog says about one model.
type CatalogPrice struct {
	Model string
	// Row has the prices in neurons; 0 where the catalog names no such unit. Of its other fields only Task,
	// ContextWindow, RequiresWorkersPaid and DeprecatedOn are read.
	Row Row
	// Priced says that the catalog has prices of the model and that all of them were understood. If all of them are 0
	// the model is not billed.
	Priced bool
	// Unread is a unit that was not understood; "": there is none.
	Unread string
}

// A Deviation is a price of the catalog that is not the table's, or is not taken.
type Deviation struct {
	Model   string  `json:"model"`
	Unit    string  `json:"unit"`    // as the table names it; "" where it is about no single one
	Table   float64 `json:"table"`   // neurons; 0: the table has none
	Live    float64 `json:"live"`    // neurons, by the catalog
	Refused string  `json:"refused"` // why the catalog's price is not taken; "" where it is
}

// rounding is how far a price of the catalog may be from the table's for the table's to stay. The catalog's dollars are
// rounded to cents, the table's neurons are not.
const rounding = 0.02

// WithCatalog returns a table with the catalog laid over t, as of a UTC date, and
// what differs. t is not changed.
//
// Of each model all prices are taken or none: none where one of them is outside the
// limits that Parse has for its unit, and none where a model that is billed by t
// would become free. A unit that the catalog does not name keeps its price, unless
// the catalog names none of the model's units: then the model is billed by other
// units now. An alias stays one unless the catalog's price of it is more than that
// of the model that answers in its place. The plan, the end and the context window
// of a model are those of the catalog in any case, also of one without prices; what
// the catalog does not say of them, or of a task, stays.
func (t *Table) WithCatalog(asOf string, catalog []CatalogPrice) (*Table, []Deviation) {
	merged := &Table{asOf: asOf, usd: t.usd, free: t.free, models: maps.Clone(t.models), documented: map[string]Row{}}
	maps.Copy(merged.documented, t.documented)
	var deviations []Deviation
	for _, c := range catalog {
		ours, known := t.models[c.Model]
		row := ours
		if !known {
			row = t.documented[c.Model]
			row.Task = cmp.Or(c.Row.Task, row.Task)
		}
		row.RequiresWorkersPaid = c.Row.RequiresWorkersPaid
		row.DeprecatedOn = cmp.Or(c.Row.DeprecatedOn, row.DeprecatedOn)
		row.ContextWindow = cmp.Or(max(c.Row.ContextWindow, 0), row.ContextWindow)
		taken := false
		switch refused := c.refused(ours); {
		case refused != "":
			deviations = append(deviations, Deviation{Model: c.Model, Refused: refused})
		case c.Priced:
			deviations = append(deviations, row.take(c.Model, ours, c.Row)...)
			if target, ok := t.models[row.AliasedTo]; ok && dearer(c.Row, target) {
				row.AliasedTo = ""
			}
			taken = true
		}
		if known || taken && slices.Contains(workload.Tasks(), row.Task) {
			merged.models[c.Model] = row
			continue
		}
		for _, col := range row.columns() { // of a task without estimates
			*col.value = 0
		}
		merged.documented[c.Model] = row
	}
	merged.names = slices.Sorted(maps.Keys(merged.models))
	slices.SortStableFunc(deviations, func(a, b Deviation) int { return strings.Compare(a.Model, b.Model) })
	return merged, deviations
}

// refused says why the prices of c are not taken; "": they may be.
func (c CatalogPrice) refused(ours Row) string {
	if c.Unread != "" {
		return fmt.Sprintf("the unit %q is not known", c.Unread)
	}
	if !c.Priced {
		return ""
	}
	for _, col := range c.Row.columns() {
		if v := *col.value; v != 0 && !col.limits.contain(v) {
			return fmt.Sprintf("%s: %v is not between %v and %v neurons", col.name, v, col.limits.low, col.limits.high)
		}
	}
	if c.Row.CachedInputPerM > c.Row.InputPerM {
		return "cached_input_tokens_per_m is dearer than input_tokens_per_m"
	}
	if !c.Row.billed() && ours.billed() {
		return "the catalog says that it is free, the table that it is billed"
	}
	return ""
}

// take puts the catalog's prices into r, whose own ones are ours, and returns
// those that are not ours.
func (r *Row) take(model string, ours, live Row) []Deviation {
	var deviations []Deviation
	mine, theirs, before := r.columns(), live.columns(), ours.columns()
	if !slices.ContainsFunc(mine, func(c column) bool { return *c.value != 0 && *theirs[c.index].value != 0 }) {
		for _, c := range mine {
			*c.value = 0
		}
	}
	known := ours.Task != ""
	for _, c := range mine {
		ours, live := *before[c.index].value, *theirs[c.index].value
		if live == 0 || ours > 0 && (limits{ours * (1 - rounding), ours * (1 + rounding)}).contain(live) {
			continue
		}
		*c.value = live
		if known {
			deviations = append(deviations, Deviation{Model: model, Unit: c.name, Table: ours, Live: live})
		}
	}
	return deviations
}

// dearer reports whether some unit of r costs more than with other.
func dearer(r, other Row) bool {
	theirs := other.columns()
	return slices.ContainsFunc(r.columns(), func(c column) bool {
		return *c.value > *theirs[c.index].value*(1+rounding)
	})
}

// billed reports whether r costs anything.
func (r Row) billed() bool {
	return slices.ContainsFunc(r.columns(), func(c column) bool { return *c.value > 0 })
}
