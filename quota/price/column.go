package price

// limits are what a unit may cost. The cheapest and the dearest model lie well
// within them, and they are narrow enough that a price that is a million times too
// low or too high, as by a slip of its unit, lies outside.
type limits struct{ low, high float64 }

func (l limits) contain(v float64) bool { return v >= l.low && v <= l.high }

var (
	perMillionTokens = limits{10, 5_000_000} // $0.00011 to $55
	perTile          = limits{0.01, 10_000}
	perStep          = limits{0.01, 10_000}
	perMegapixel     = limits{0.1, 100_000}
	perImage         = limits{0.001, 10_000}
	perAudioMinute   = limits{0.01, 100_000}
	perKCharacters   = limits{0.1, 100_000}
)

// A column is one unit of a Row.
type column struct {
	index  int // in columns
	name   string
	limits limits
	value  *float64
}

// columns returns all units of r, in the order of its fields and with the names of
// its JSON.
func (r *Row) columns() []column {
	all := []column{
		{name: "input_tokens_per_m", limits: perMillionTokens, value: &r.InputPerM},
		{name: "cached_input_tokens_per_m", limits: perMillionTokens, value: &r.CachedInputPerM},
		{name: "output_tokens_per_m", limits: perMillionTokens, value: &r.OutputPerM},
		{name: "tile", limits: perTile, value: &r.Tile},
		{name: "step", limits: perStep, value: &r.Step},
		{name: "input_tile", limits: perTile, value: &r.InputTile},
		{name: "output_tile", limits: perTile, value: &r.OutputTile},
		{name: "input_tile_step", limits: perTile, value: &r.InputTileStep},
		{name: "output_tile_step", limits: perTile, value: &r.OutputTileStep},
		{name: "first_megapixel", limits: perMegapixel, value: &r.FirstMegapixel},
		{name: "subsequent_megapixel", limits: perMegapixel, value: &r.NextMegapixel},
		{name: "input_megapixel", limits: perMegapixel, value: &r.InputMegapixel},
		{name: "image", limits: perImage, value: &r.Image},
		{name: "audio_minute", limits: perAudioMinute, value: &r.AudioMinute},
		{name: "audio_minute_websocket", limits: perAudioMinute, value: &r.AudioMinuteLive},
		{name: "characters_per_k", limits: perKCharacters, value: &r.CharactersPerK},
	}
	for i := range all {
		all[i].index = i
	}
	return all
}
