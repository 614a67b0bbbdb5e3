package price

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/neuronward/neuronward/quota"
)

// An CatalogPrice is what Cloudflare's live catalog says of one model.
type CatalogPrice struct {
	Model string
	// Row has the prices in neurons; 0 where the catalog names no such unit. Of the rest only Task, ContextWindow,
	// RequiresWorkersPaid and DeprecatedOn are read.
	Row Row
	// Priced says that the catalog has prices for the model and that all of them were understood. Table that are all 0
	// are those of a model that is not billed.
	Priced bool
	// Unread is a unit that was not understood, "" if there is none.
	Unread string
}

// A Deviation is a live price that is far from the table's, or one that is not
// taken.
type Deviation struct {
	Model   string  `json:"model"`
	Unit    string  `json:"unit"`    // as the table names it; "" where it is about no single one
	Table   float64 `json:"table"`   // neurons; 0: the table has none
	Live    float64 `json:"live"`    // neurons
	Refused string  `json:"refused"` // why the live price is not taken; "" where it is
}

const (
	// roundedBy is how far a live price may be from the table's for the table's to stay: the catalog's dollars are rounded to
	// cents, the table's neurons are not.
	roundedBy = 0.02
	// farBy is from where on a difference is a Deviation.
	farBy = 0.2
)

// WithCatalog returns a table of p with the offers over it, as of a UTC date, and what
// is worth telling of them. p is not changed.
//
// Table must be within the bounds that Parse has for their units, or none
// of the model's is taken. A unit that the offer does not name keeps its price,
// unless the offer names none of the table's units: then the model is billed
// otherwise by now. What was measured above the table stays where it is more, and
// so does what an alias costs by the model that answers for it. A model that is
// billed by the table does not become free. What an offer says of the plan, the
// end and the context of a model is taken in any case.
func (p *Table) WithCatalog(asOf string, offers []CatalogPrice) (*Table, []Deviation) {
	merged := &Table{asOf: asOf, usd: p.usd, free: p.free, models: maps.Clone(p.models)}
	var told []Deviation
	for _, o := range offers {
		ours, known := p.models[o.Model]
		row := ours
		if !known {
			row.Task = o.Row.Task
		}
		row.RequiresWorkersPaid = o.Row.RequiresWorkersPaid
		row.DeprecatedOn = cmp.Or(o.Row.DeprecatedOn, ours.DeprecatedOn)
		row.ContextWindow = max(o.Row.ContextWindow, 0)
		taken := false
		switch refused := o.refused(ours); {
		case refused != "":
			told = append(told, Deviation{Model: o.Model, Refused: refused})
		case o.Priced:
			told = append(told, row.take(o.Model, ours, o.Row)...)
			if target, ok := p.models[row.AliasedTo]; ok && dearer(o.Row, target) {
				row.AliasedTo = ""
			}
			taken = true
		}
		if known || taken && slices.Contains(quota.Tasks(), row.Task) {
			merged.models[o.Model] = row
		}
	}
	merged.names = slices.Sorted(maps.Keys(merged.models))
	slices.SortStableFunc(told, func(a, b Deviation) int { return strings.Compare(a.Model, b.Model) })
	return merged, told
}

// refused says why the prices of an offer are not taken, "" where there is no
// reason.
func (o CatalogPrice) refused(ours Row) string {
	if o.Unread != "" {
		return fmt.Sprintf("the unit %q is not known", o.Unread)
	}
	if !o.Priced {
		return ""
	}
	for _, c := range o.Row.columns() {
		if v := *c.value; v != 0 && !(v >= c.bound.low && v <= c.bound.high) {
			return fmt.Sprintf("%s: %v is not between %v and %v neurons", c.name, v, c.bound.low, c.bound.high)
		}
	}
	if o.Row.CachedInputPerM > o.Row.InputPerM {
		return "cached_input_tokens_per_m is dearer than input_tokens_per_m"
	}
	if !o.Row.billed() && ours.billed() {
		return "the catalog says that it is free, the table that it is billed"
	}
	return ""
}

// take puts live prices into p, whose own ones are ours, and returns those that
// are far from them.
func (p *Row) take(model string, ours, live Row) []Deviation {
	var told []Deviation
	mine, theirs := p.columns(), live.columns()
	if !slices.ContainsFunc(mine, func(c column) bool { return *c.value != 0 && *theirs[c.place].value != 0 }) {
		for _, c := range mine {
			*c.value = 0
		}
	}
	before := ours.columns()
	factor := measuredFactor(model)
	for _, c := range mine {
		ours, live := *before[c.place].value, *theirs[c.place].value
		if live == 0 || ours > 0 && between(live, ours*(1-roundedBy), ours*factor*(1+roundedBy)) {
			continue
		}
		*c.value = live
		if live > ours*factor { // which is put on the price again where it bounds a call
			*c.value = live / factor
		}
		if ours > 0 && !between(live, ours*(1-farBy), ours*(1+farBy)) {
			told = append(told, Deviation{Model: model, Unit: c.name, Table: ours, Live: live})
		}
	}
	return told
}

func between(v, low, high float64) bool { return v >= low && v <= high }

// dearer reports whether some unit of p costs more than with other.
func dearer(p, other Row) bool {
	theirs := other.columns()
	return slices.ContainsFunc(p.columns(), func(c column) bool { return *c.value > *theirs[c.place].value*(1+roundedBy) })
}

// billed reports whether p costs anything.
func (p Row) billed() bool {
	return slices.ContainsFunc(p.columns(), func(c column) bool { return *c.value > 0 })
}

// A column is one unit of a Row.
type column struct {
	place int // in columns
	name  string
	bound bound
	value *float64
}

// columns are all units of p, in the order of its fields and with the names of
// the file.
func (p *Row) columns() []column {
	all := []column{
		{name: "input_tokens_per_m", bound: perMillionTokens, value: &p.InputPerM},
		{name: "cached_input_tokens_per_m", bound: perMillionTokens, value: &p.CachedInputPerM},
		{name: "output_tokens_per_m", bound: perMillionTokens, value: &p.OutputPerM},
		{name: "tile", bound: perTile, value: &p.Tile},
		{name: "step", bound: perStep, value: &p.Step},
		{name: "input_tile", bound: perTile, value: &p.InputTile},
		{name: "output_tile", bound: perTile, value: &p.OutputTile},
		{name: "input_tile_step", bound: perTile, value: &p.InputTileStep},
		{name: "output_tile_step", bound: perTile, value: &p.OutputTileStep},
		{name: "first_megapixel", bound: perMegapixel, value: &p.FirstMegapixel},
		{name: "subsequent_megapixel", bound: perMegapixel, value: &p.NextMegapixel},
		{name: "input_megapixel", bound: perMegapixel, value: &p.InputMegapixel},
		{name: "image", bound: perImage, value: &p.Image},
		{name: "audio_minute", bound: perAudioMinute, value: &p.AudioMinute},
		{name: "audio_minute_websocket", bound: perAudioMinute, value: &p.AudioMinuteLive},
		{name: "characters_per_k", bound: perKCharacters, value: &p.CharactersPerK},
	}
	for i := range all {
		all[i].place = i
	}
	return all
}
