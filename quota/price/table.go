package price

import (
	_ "embed"
	"slices"
	"sync"
	"time"

	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/workload"
)

// A Row is what one model costs, in neurons per unit. A unit that the model is
// not billed by is 0; so is a unit that is free. Its JSON is that of a table.
type Row struct {
	Task workload.Task `json:"task"`

	InputPerM       float64 `json:"input_tokens_per_m"`        // per 1,000,000 input tokens
	CachedInputPerM float64 `json:"cached_input_tokens_per_m"` // per 1,000,000 of them from the prefix cache
	OutputPerM      float64 `json:"output_tokens_per_m"`       // per 1,000,000 output tokens

	Tile            float64 `json:"tile"`                   // per 512x512 tile of the image made, by area
	Step            float64 `json:"step"`                   // per diffusion step and such tile
	InputTile       float64 `json:"input_tile"`             // per 512x512 tile of an image given
	OutputTile      float64 `json:"output_tile"`            // per 512x512 tile of the image made
	InputTileStep   float64 `json:"input_tile_step"`        // per 512x512 tile of an image given, per step
	OutputTileStep  float64 `json:"output_tile_step"`       // per 512x512 tile of the image made, per step
	FirstMegapixel  float64 `json:"first_megapixel"`        // for the first 1024x1024 of the image made
	NextMegapixel   float64 `json:"subsequent_megapixel"`   // per further 1024x1024 of the image made
	InputMegapixel  float64 `json:"input_megapixel"`        // per 1024x1024 of an image given
	Image           float64 `json:"image"`                  // per image looked at
	AudioMinute     float64 `json:"audio_minute"`           // per minute of audio, given or made
	AudioMinuteLive float64 `json:"audio_minute_websocket"` // per minute of audio over a WebSocket
	CharactersPerK  float64 `json:"characters_per_k"`       // per 1,000 input characters

	// What holds where the caller names none; 0: not published.
	DefaultWidth  int   `json:"default_width"` // of the image made, in pixels
	DefaultHeight int   `json:"default_height"`
	DefaultSteps  int   `json:"default_steps"`
	DefaultOutput int64 `json:"default_output_tokens"` // of max_tokens, beside a prompt and beside messages

	MaxSteps int `json:"max_steps"` // 0: not published

	// ContextWindow is how many tokens the model reads and puts out at most; 0: not known.
	ContextWindow int64 `json:"context_window"`

	WebSocket bool `json:"websocket"` // called over a WebSocket, too

	RequiresWorkersPaid bool   `json:"requires_workers_paid"` // answered on the Workers Paid plan only
	DeprecatedOn        string `json:"deprecated_on"`         // UTC date "2026-05-30" of its end; "": none is known

	// SmallVocabulary says that package tokens may count less than the model reads: count a token a byte. Resolve sets
	// it, by the model's name.
	SmallVocabulary bool `json:"-"`

	// AliasedTo is the model that answers in its place, at its own price; "": there is none.
	AliasedTo string `json:"aliased_to"`
}

// Tokens returns what a call costs by its tokens, rounded up to a millionth of a
// neuron. Input counts all input tokens; cached counts those among them that came
// from the prefix cache, which cost the same as the others where no cached rate is
// listed. Counts below 0 are taken as 0, and cached as at most input.
func (r Row) Tokens(input, cached, output int64) quota.Neurons {
	input, output = max(input, 0), max(output, 0)
	cached = min(max(cached, 0), input)
	rate := r.CachedInputPerM
	if rate == 0 {
		rate = r.InputPerM
	}
	// Neurons per million tokens are micro-neurons per token.
	return quota.FromMicro(float64(input-cached)*r.InputPerM + float64(cached)*rate + float64(output)*r.OutputPerM)
}

// Deprecated reports whether the model has come to its end at now.
func (r Row) Deprecated(now time.Time) bool {
	return r.deprecatedOn(now.UTC().Format(time.DateOnly))
}

// deprecatedOn reports whether the model has come to its end on a UTC date.
func (r Row) deprecatedOn(date string) bool {
	return r.DeprecatedOn != "" && date >= r.DeprecatedOn
}

// A Table has the prices of all models. It is immutable and may be used by many
// goroutines.
type Table struct {
	asOf   string
	usd    float64 // of 1,000 neurons
	free   quota.Neurons
	models map[string]Row
	names  []string // of models, sorted

	// documented are models of Workers AI by what is known of them beside prices, for those that have none: beta, or
	// new. No price of these rows is set.
	documented map[string]Row
}

//go:embed prices.json
var embedded []byte

// parseEmbedded leaves the checks of Parse to a test: they would be most of the time that it takes, and a process that
// starts waits for it.
var parseEmbedded = sync.OnceValue(func() *Table {
	var f tableFile
	if err := decode(embedded, &f, true); err != nil {
		panic("price: the embedded table: " + err.Error())
	}
	return f.table()
})

// Embedded returns the table that is part of the program. It is parsed once.
func Embedded() *Table {
	return parseEmbedded()
}

// Row returns the row of the model called name, and whether there is one. An
// alias has a row of its own, which is not the one that its calls pay: see
// Resolve.
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
