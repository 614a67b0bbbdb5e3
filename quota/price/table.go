package price

import (
	_ "embed"
	"slices"
	"sync"
	"time"

	"github.com/neuronward/neuronward/quota"
)

// Row is what one model costs, in neurons per unit. A unit that a model is
// not billed by is 0; so is a unit that is free.
type Row struct {
	Task quota.Task

	InputPerM       float64 // per 1,000,000 input tokens
	CachedInputPerM float64 // per 1,000,000 input tokens served from the prefix cache
	OutputPerM      float64 // per 1,000,000 output tokens

	Tile            float64 // per 512x512 tile of the image made, by area
	Step            float64 // per diffusion step and such tile
	InputTile       float64 // per 512x512 tile of an image given
	OutputTile      float64 // per 512x512 tile of the image made
	InputTileStep   float64 // per 512x512 tile of an image given, per step
	OutputTileStep  float64 // per 512x512 tile of the image made, per step
	FirstMegapixel  float64 // for the first 1024x1024 of the image made
	NextMegapixel   float64 // per further 1024x1024 of the image made
	InputMegapixel  float64 // per 1024x1024 of an image given
	Image           float64 // per image looked at
	AudioMinute     float64 // per minute of audio, given or made
	AudioMinuteLive float64 // per minute of audio over a WebSocket
	CharactersPerK  float64 // per 1,000 input characters

	DefaultWidth  int // pixels of the image made where the caller names none; 0: not published
	DefaultHeight int
	DefaultSteps  int // steps where the caller names none; 0: not published
	MaxSteps      int // most steps that the model takes; 0: not published

	DefaultOutput int64 // most output tokens where the caller sets no limit, by the model's schema; 0: not published

	ContextWindow int64 // most tokens that the model reads and puts out, by the live catalog; 0: not known

	RequiresWorkersPaid bool   // answered on the Workers Paid plan only
	DeprecatedOn        string // UTC date "2026-05-30" of its end; "" means none is known
	AliasedTo           string // model that answers in its place at its own price; "" means itself
}

// Tokens returns what a call costs by its tokens, rounded up to a millionth of
// a neuron. Input counts all input tokens and cached those among them that came
// from the prefix cache; where no cached rate is listed they cost what the
// others do. Counts below 0 are taken as 0 and more cached than input tokens as
// all of them.
func (p Row) Tokens(input, cached, output int64) quota.Neurons {
	input, output = max(input, 0), max(output, 0)
	cached = min(max(cached, 0), input)
	rate := p.CachedInputPerM
	if rate == 0 {
		rate = p.InputPerM
	}
	// Neurons per million tokens are micro-neurons per token.
	return quota.FromMicro(float64(input-cached)*p.InputPerM + float64(cached)*rate + float64(output)*p.OutputPerM)
}

// Deprecated reports whether the model has come to its end at now.
func (p Row) Deprecated(now time.Time) bool {
	return p.ended(now.UTC().Format(time.DateOnly))
}

// ended reports whether the model has come to its end on a UTC date.
func (p Row) ended(date string) bool {
	return p.DeprecatedOn != "" && date >= p.DeprecatedOn
}

// Table is a table of prices. It is never changed once made and may be used by
// many goroutines.
type Table struct {
	asOf   string
	usd    float64
	free   quota.Neurons
	models map[string]Row
	names  []string
}

//go:embed prices.json
var embedded []byte

var parseEmbedded = sync.OnceValue(func() *Table {
	p, err := Parse(embedded)
	if err != nil {
		panic("quota: the embedded price table: " + err.Error())
	}
	return p
})

// Embedded returns the table that is part of the program. It is parsed once.
func Embedded() *Table {
	return parseEmbedded()
}

// Row returns the row of the model called name, exactly so, and whether there is
// one. An alias gives its own row: Row.AliasedTo says whose price holds.
func (t *Table) Row(name string) (Row, bool) {
	row, ok := t.models[name]
	return row, ok
}

// Models returns the names of all models, sorted.
func (t *Table) Models() []string {
	return slices.Clone(t.names)
}

// AsOf returns the UTC date of the table, "2026-08-28".
func (t *Table) AsOf() string { return t.asOf }

// USD returns what one neuron costs in US dollars beyond the free allocation.
func (t *Table) USD() float64 { return t.usd / 1000 }

// DailyFree returns the free daily allocation of an account.
func (t *Table) DailyFree() quota.Neurons { return t.free }
