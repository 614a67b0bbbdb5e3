package price

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/workload"
)

// tableFile is a table as it is written.
type tableFile struct {
	AsOf     string             `json:"as_of"`
	AsOfNote string             `json:"as_of_note"`
	USD      float64            `json:"usd_per_1000_neurons"`
	Free     float64            `json:"free_daily_neurons"`
	Reset    string             `json:"reset"`
	Units    map[string]string  `json:"units"`
	Models   map[string]fileRow `json:"models"`
}

// fileRow is a row as it is written.
type fileRow struct {
	Row
	ImagesPerM *float64 `json:"images_per_m"` // in place of image

	// Notes for people; nothing is computed from them.
	AudioIs        string  `json:"audio_is"`
	USDAudioMinute float64 `json:"usd_audio_minute"`
	USDPerMInput   float64 `json:"derived_from_usd_per_m_input"`
	Warning        string  `json:"warning"`
}

// Parse reads a table in the form of the embedded one. It is strict: an unknown or
// repeated key, a price outside the limits of its unit, a task, date or alias that
// does not exist refuse the whole table. The error names all mistakes. What a row
// does not say of the model's limits is taken from the embedded limits.json.
func Parse(data []byte) (*Table, error) {
	var f tableFile
	// Which keys a row has tells a free unit from one that is not billed.
	var given struct {
		Models map[string]map[string]any `json:"models"`
	}
	if err := cmp.Or(uniqueKeys(data), decode(data, &f, true), decode(data, &given, false)); err != nil {
		return nil, fmt.Errorf("price table: %w", err)
	}
	if err := f.check(given.Models); err != nil {
		return nil, fmt.Errorf("price table: %w", err)
	}
	return f.table(), nil
}

// check returns all mistakes of the table. given has the keys that each row is written with.
func (f *tableFile) check(given map[string]map[string]any) error {
	var errs mistakes
	if _, err := time.Parse(time.DateOnly, f.AsOf); err != nil {
		errs.add("as_of: %q is not a date", f.AsOf)
	}
	if f.USD < 0.0001 || f.USD > 1 {
		errs.add("usd_per_1000_neurons: %v is not between 0.0001 and 1", f.USD)
	}
	if f.Free < 0 || f.Free > 1e9 {
		errs.add("free_daily_neurons: %v is not between 0 and 1,000,000,000", f.Free)
	}
	if len(f.Models) == 0 {
		errs.add("models: there is none")
	}
	for _, name := range slices.Sorted(maps.Keys(f.Models)) {
		if err := f.Models[name].check(given[name], f.Models); err != nil {
			errs.add("%s: %w", name, err)
		}
	}
	return errors.Join(errs...)
}

// table returns the table, which check has found no mistake in.
func (f *tableFile) table() *Table {
	t := &Table{
		asOf: f.AsOf, usd: f.USD, free: quota.FromFloat(f.Free),
		models: make(map[string]Row, len(f.Models)), names: slices.Sorted(maps.Keys(f.Models)),
		documented: parseLimits(),
	}
	for name, r := range f.Models {
		row := r.Row
		if r.ImagesPerM != nil {
			row.Image = *r.ImagesPerM / 1e6
		}
		row.join(t.documented[name])
		t.models[name] = row
	}
	return t
}

func decode(data []byte, v any, strict bool) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	if strict {
		dec.DisallowUnknownFields()
	}
	return dec.Decode(v)
}

type mistakes []error

func (m *mistakes) add(format string, args ...any) { *m = append(*m, fmt.Errorf(format, args...)) }

// check returns what is wrong with the row. given has the keys that it is written with, all has the rows of all models.
func (r fileRow) check(given map[string]any, all map[string]fileRow) error {
	var errs mistakes
	units := 0
	check := func(name string, v float64, l limits) {
		if !l.contain(v) {
			errs.add("%s: %v is not between %v and %v neurons", name, v, l.low, l.high)
		}
		units++
	}
	for _, c := range r.columns() {
		// Some models do not bill their output.
		if written(given, c.name) && (*c.value != 0 || c.value != &r.OutputPerM) {
			check(c.name, *c.value, c.limits)
		}
	}
	if !slices.Contains(workload.Tasks(), r.Task) {
		errs.add("task: %q is none of %v", r.Task, workload.Tasks())
	}
	if r.ImagesPerM != nil {
		each := *r.ImagesPerM / 1e6
		check("images_per_m, for each", each, perImage)
		if written(given, "image") && (each < r.Image*0.999 || each > r.Image*1.001) {
			errs.add("image: %v a piece is not images_per_m, %v a million", r.Image, *r.ImagesPerM)
		}
	}
	if r.CachedInputPerM > r.InputPerM {
		errs.add("cached_input_tokens_per_m: %v is dearer than input_tokens_per_m", r.CachedInputPerM)
	}
	if units == 0 {
		errs.add("it has no price")
	}
	if r.DefaultSteps < 0 || r.MaxSteps < 0 || r.MaxSteps > 1000 || (r.MaxSteps > 0 && r.DefaultSteps > r.MaxSteps) {
		errs.add("default_steps %d and max_steps %d do not go together", r.DefaultSteps, r.MaxSteps)
	}
	if min(r.DefaultWidth, r.DefaultHeight) < 0 || max(r.DefaultWidth, r.DefaultHeight) > maxSide {
		errs.add("default_width %d and default_height %d are not between 0 and %d",
			r.DefaultWidth, r.DefaultHeight, maxSide)
	}
	if r.DefaultOutput < 0 || r.DefaultOutput > 10_000_000 {
		errs.add("default_output_tokens: %d is not between 0 and 10,000,000", r.DefaultOutput)
	}
	if r.ContextWindow < 0 || r.ContextWindow > 100_000_000 {
		errs.add("context_window: %d is not between 0 and 100,000,000", r.ContextWindow)
	}
	if r.DeprecatedOn != "" {
		if _, err := time.Parse(time.DateOnly, r.DeprecatedOn); err != nil {
			errs.add("deprecated_on: %q is not a date", r.DeprecatedOn)
		}
	}
	if r.AliasedTo != "" {
		if target, ok := all[r.AliasedTo]; !ok || target.AliasedTo != "" {
			errs.add("aliased_to: %q is no model of the table that answers itself", r.AliasedTo)
		}
	}
	return errors.Join(errs...)
}

// written reports whether a row has a key, in whatever case: encoding/json reads it
// in any.
func written(given map[string]any, name string) bool {
	for key, value := range given {
		if strings.EqualFold(key, name) {
			return value != nil
		}
	}
	return false
}

// uniqueKeys returns an error for a key that occurs twice in an object, in whatever
// case, since encoding/json would keep the last, and for data after the table.
func uniqueKeys(data []byte) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	type level struct {
		keys  map[string]bool // nil in an array
		value bool            // the next token is the value of a key
	}
	var stack []*level
	for {
		tok, err := dec.Token()
		if errors.Is(err, io.EOF) && len(stack) == 0 {
			return nil
		}
		if err != nil {
			return err
		}
		var top *level
		if len(stack) > 0 {
			top = stack[len(stack)-1]
		}
		if key, ok := tok.(string); ok && top != nil && top.keys != nil && !top.value {
			fold := strings.ToLower(key)
			if top.keys[fold] {
				return fmt.Errorf("the key %q is there twice", key)
			}
			top.keys[fold], top.value = true, true
			continue
		}
		if top != nil {
			top.value = false
		}
		switch tok {
		case json.Delim('{'):
			stack = append(stack, &level{keys: map[string]bool{}})
		case json.Delim('['):
			stack = append(stack, &level{})
		case json.Delim('}'), json.Delim(']'):
			stack = stack[:len(stack)-1]
			if len(stack) == 0 && dec.More() {
				return errors.New("there is more after the table")
			}
		}
	}
}
