package price

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/neuronward/neuronward/quota"
)

// A bound is what a unit may cost. Cheapest and dearest model of a unit lie well
// within it, and it is narrow enough that none of them can be a million times
// too dear or too cheap, as a slip of the unit would make it.
type bound struct{ low, high float64 }

var (
	perMillionTokens = bound{10, 5_000_000} // $0.00011 to $55
	perTile          = bound{0.01, 10_000}
	perStep          = bound{0.01, 10_000}
	perMegapixel     = bound{0.1, 100_000}
	perImage         = bound{0.001, 10_000}
	perAudioMinute   = bound{0.01, 100_000}
	perKCharacters   = bound{0.1, 100_000}
)

type priceFile struct {
	AsOf     string              `json:"as_of"`
	AsOfNote string              `json:"as_of_note"`
	USD      float64             `json:"usd_per_1000_neurons"`
	Free     float64             `json:"free_daily_neurons"`
	Reset    string              `json:"reset"`
	Units    map[string]string   `json:"units"`
	Models   map[string]priceRow `json:"models"`
}

// priceRow is a row as it is written. Pointers tell a free unit from one that
// is not billed.
type priceRow struct {
	Task            quota.Task `json:"task"`
	InputPerM       *float64   `json:"input_tokens_per_m"`
	CachedInputPerM *float64   `json:"cached_input_tokens_per_m"`
	OutputPerM      *float64   `json:"output_tokens_per_m"`
	Tile            *float64   `json:"tile"`
	Step            *float64   `json:"step"`
	InputTile       *float64   `json:"input_tile"`
	OutputTile      *float64   `json:"output_tile"`
	InputTileStep   *float64   `json:"input_tile_step"`
	OutputTileStep  *float64   `json:"output_tile_step"`
	FirstMegapixel  *float64   `json:"first_megapixel"`
	NextMegapixel   *float64   `json:"subsequent_megapixel"`
	InputMegapixel  *float64   `json:"input_megapixel"`
	Image           *float64   `json:"image"`
	ImagesPerM      *float64   `json:"images_per_m"`
	AudioMinute     *float64   `json:"audio_minute"`
	AudioMinuteLive *float64   `json:"audio_minute_websocket"`
	CharactersPerK  *float64   `json:"characters_per_k"`
	DefaultWidth    int        `json:"default_width"`
	DefaultHeight   int        `json:"default_height"`
	DefaultSteps    int        `json:"default_steps"`
	MaxSteps        int        `json:"max_steps"`
	DefaultOutput   int64      `json:"default_output_tokens"`
	RequiresPaid    bool       `json:"requires_workers_paid"`
	DeprecatedOn    string     `json:"deprecated_on"`
	AliasedTo       string     `json:"aliased_to"`

	// Notes for people; nothing is computed from them.
	AudioIs        string  `json:"audio_is"`
	USDAudioMinute float64 `json:"usd_audio_minute"`
	USDPerMInput   float64 `json:"derived_from_usd_per_m_input"`
	Warning        string  `json:"warning"`
}

// Parse reads a table in the form of the embedded one. It is strict: an
// unknown or repeated key, a price outside the bounds of its unit, a task, date
// or alias that does not exist refuse the whole table. The error tells all
// mistakes at once.
func Parse(data []byte) (*Table, error) {
	if err := uniqueKeys(data); err != nil {
		return nil, fmt.Errorf("price table: %w", err)
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	var f priceFile
	if err := dec.Decode(&f); err != nil {
		return nil, fmt.Errorf("price table: %w", err)
	}
	p := &Table{asOf: f.AsOf, usd: f.USD, free: quota.FromFloat(f.Free), models: make(map[string]Row, len(f.Models))}
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if _, err := time.Parse(time.DateOnly, f.AsOf); err != nil {
		bad("as_of: %q is not a date", f.AsOf)
	}
	if f.USD < 0.0001 || f.USD > 1 {
		bad("usd_per_1000_neurons: %v is not between 0.0001 and 1", f.USD)
	}
	if f.Free < 0 || f.Free > 1e9 {
		bad("free_daily_neurons: %v is not between 0 and 1,000,000,000", f.Free)
	}
	if len(f.Models) == 0 {
		bad("models: there is none")
	}
	for _, name := range slices.Sorted(maps.Keys(f.Models)) { // so that errors come in order
		price, err := f.Models[name].price(f.Models)
		if err != nil {
			bad("%s: %w", name, err)
		}
		p.models[name] = price
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("price table: %w", err)
	}
	p.names = slices.Sorted(maps.Keys(p.models))
	return p, nil
}

// price checks a row and returns it as a Row.
func (r priceRow) price(all map[string]priceRow) (Row, error) {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	units := 0
	take := func(column string, v *float64, b bound, mayBeFree bool) float64 {
		if v == nil {
			return 0
		}
		if *v == 0 && mayBeFree {
			return 0
		}
		if !(*v >= b.low && *v <= b.high) {
			bad("%s: %v is not between %v and %v neurons", column, *v, b.low, b.high)
		}
		units++
		return *v
	}
	p := Row{
		Task:            r.Task,
		InputPerM:       take("input_tokens_per_m", r.InputPerM, perMillionTokens, false),
		CachedInputPerM: take("cached_input_tokens_per_m", r.CachedInputPerM, perMillionTokens, false),
		OutputPerM:      take("output_tokens_per_m", r.OutputPerM, perMillionTokens, true),
		Tile:            take("tile", r.Tile, perTile, false),
		Step:            take("step", r.Step, perStep, false),
		InputTile:       take("input_tile", r.InputTile, perTile, false),
		OutputTile:      take("output_tile", r.OutputTile, perTile, false),
		InputTileStep:   take("input_tile_step", r.InputTileStep, perTile, false),
		OutputTileStep:  take("output_tile_step", r.OutputTileStep, perTile, false),
		FirstMegapixel:  take("first_megapixel", r.FirstMegapixel, perMegapixel, false),
		NextMegapixel:   take("subsequent_megapixel", r.NextMegapixel, perMegapixel, false),
		InputMegapixel:  take("input_megapixel", r.InputMegapixel, perMegapixel, false),
		Image:           take("image", r.Image, perImage, false),
		AudioMinute:     take("audio_minute", r.AudioMinute, perAudioMinute, false),
		AudioMinuteLive: take("audio_minute_websocket", r.AudioMinuteLive, perAudioMinute, false),
		CharactersPerK:  take("characters_per_k", r.CharactersPerK, perKCharacters, false),
		DefaultWidth:    r.DefaultWidth, DefaultHeight: r.DefaultHeight, DefaultSteps: r.DefaultSteps, MaxSteps: r.MaxSteps, DefaultOutput: r.DefaultOutput,
		RequiresWorkersPaid: r.RequiresPaid, DeprecatedOn: r.DeprecatedOn, AliasedTo: r.AliasedTo,
	}
	if !slices.Contains(quota.Tasks(), r.Task) {
		bad("task: %q is none of %v", r.Task, quota.Tasks())
	}
	if r.ImagesPerM != nil {
		each := *r.ImagesPerM / 1e6
		take("images_per_m, for each", &each, perImage, false)
		if r.Image != nil && (each < *r.Image*0.999 || each > *r.Image*1.001) {
			bad("image: %v a piece is not images_per_m, %v a million", *r.Image, *r.ImagesPerM)
		}
		p.Image = each
	}
	if p.CachedInputPerM > p.InputPerM {
		bad("cached_input_tokens_per_m: %v is dearer than input_tokens_per_m", p.CachedInputPerM)
	}
	if units == 0 {
		bad("it has no price")
	}
	if r.DefaultSteps < 0 || r.MaxSteps < 0 || r.MaxSteps > 1000 || (r.MaxSteps > 0 && r.DefaultSteps > r.MaxSteps) {
		bad("default_steps %d and max_steps %d do not go together", r.DefaultSteps, r.MaxSteps)
	}
	if min(r.DefaultWidth, r.DefaultHeight) < 0 || max(r.DefaultWidth, r.DefaultHeight) > longestSide {
		bad("default_width %d and default_height %d are not between 0 and %d", r.DefaultWidth, r.DefaultHeight, longestSide)
	}
	if r.DefaultOutput < 0 || r.DefaultOutput > 10_000_000 {
		bad("default_output_tokens: %d is not between 0 and 10,000,000", r.DefaultOutput)
	}
	if r.DeprecatedOn != "" {
		if _, err := time.Parse(time.DateOnly, r.DeprecatedOn); err != nil {
			bad("deprecated_on: %q is not a date", r.DeprecatedOn)
		}
	}
	if r.AliasedTo != "" {
		if target, ok := all[r.AliasedTo]; !ok || target.AliasedTo != "" {
			bad("aliased_to: %q is no model of the table that answers itself", r.AliasedTo)
		}
	}
	return p, errors.Join(errs...)
}

// uniqueKeys reports a key that occurs twice in an object, also in another case:
// encoding/json would silently keep the last. It reports data after the value too.
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
