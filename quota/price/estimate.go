package price

import (
	"math"
	"slices"
	"sync/atomic"

	"github.com/neuronward/neuronward/quota"
)

// The bounds by which a call is estimated where it does not say enough. Each is
// as much as a call can be, not what is usual.
const (
	// A tokenizer makes at most one token of a byte, and the JSON around a message is longer than what a chat template puts in its
	// place. templateTokens is what a template puts before the first.
	templateTokens = 64

	// unknownOutput is what a model puts out where the call has no limit and the table does not know the model's own.
	unknownOutput = 2048

	// audioTokens is what a second of sound given to a language model counts as: the encoders in use make a frame each 20 ms (Whisper's)
	// and join several of them into a token.
	audioTokens = 50

	// imageTokens is what an image given to a language model counts as: four tiles of 1,601 tokens.
	imageTokens = 6404

	// pairTokens is the most that a reranker reads of a query and one of its contexts.
	pairTokens = 512

	defaultSide  = 1024 // pixels, where neither the call nor the table says
	longestSide  = 4096
	unknownSteps = 50 // what diffusion models are run with at most where nobody says; it is FLUX.2 [dev]'s own default
	mostSteps    = 1000
	megapixel    = 1024 * 1024

	// Speech is stored in no fewer bytes a second (6 kbit/s, Opus), and spoken in no fewer characters.
	bytesASecond      = 750
	charactersASecond = 8

	leastEstimate = quota.OneNeuron / 1000 // nothing that reaches a model is free
)

// Mode says how much is reserved for a call.
type Mode uint8

// The modes.
const (
	Bound    Mode = iota // an upper bound: the ceiling is never passed
	Expected             // what 99 of 100 calls of the model stayed below: more calls at once
)

// A request is a quota.Request with what it costs.
type request quota.Request

// An Estimate is what a call may cost.
type Estimate struct {
	Neurons quota.Neurons // to be reserved
	Bound   quota.Neurons // by the table alone, for Estimator.Learn
	Known   bool          // the table has the model
	Foreign bool          // the bound goes by what a recording says of itself, or by its size: the cost says nothing of the model
}

// An Estimator says what calls may cost. It is used by many goroutines at once.
type Estimator struct {
	mode   Mode
	prices atomic.Pointer[Table]
	learnt learnt
}

// NewEstimator returns an estimator by prices; nil stands for the embedded
// table.
func NewEstimator(prices *Table, mode Mode) *Estimator {
	if prices == nil {
		prices = Embedded()
	}
	e := &Estimator{mode: mode}
	e.prices.Store(prices)
	return e
}

// SetTable replaces the table.
func (e *Estimator) SetTable(p *Table) { e.prices.Store(p) }

// Table returns the table in use.
func (e *Estimator) Table() *Table { return e.prices.Load() }

// Estimate returns what a call r of m may cost: by the table and the bounds of this
// package, times what the wire has shown of the model. A batch costs the sum of
// its parts. It is never zero. A model that the table does not know is taken
// for the dearest still answered of all tasks that the call may be of.
func (e *Estimator) Estimate(m Model, r quota.Request) Estimate {
	if len(r.Parts) > 0 {
		sum := Estimate{Known: m.Known}
		for _, part := range r.Parts {
			part.Parts = nil // a batch in a batch does not exist
			one := e.Estimate(m, part)
			sum.Neurons, sum.Bound = sum.Neurons.Add(one.Neurons), sum.Bound.Add(one.Bound)
			sum.Foreign = sum.Foreign || one.Foreign
		}
		return sum
	}
	var bound quota.Neurons
	if m.Known {
		bound = request(r).floored(m.Row).bound(m.BilledAs, m.Row)
	} else {
		bound = m.table.dearest(request(r), request(r).tasks(m.Name))
	}
	bound = min(max(bound, leastEstimate), quota.MaxCost)
	factor := e.learnt.factor(m.Name, e.mode)
	return Estimate{
		Neurons: max(quota.FromFloat(bound.Float()*factor), leastEstimate),
		Bound:   bound, Known: m.Known, Foreign: r.AudioSeconds > 0 || r.AudioBytes > 0,
	}
}

// dearest is the bound of r by the dearest of all models that are of one of these
// tasks and have not come to their end when the table was made.
func (t *Table) dearest(r request, tasks []quota.Task) (bound quota.Neurons) {
	for _, name := range t.names {
		if p := t.models[name]; slices.Contains(tasks, p.Task) && !p.ended(t.asOf) {
			bound = max(bound, r.floored(p).bound(name, p))
		}
	}
	return bound
}

// bound is the most that r can cost at p, with what was measured above the
// table.
func (r request) bound(model string, p Row) quota.Neurons {
	in, out := r.tokens(p)
	made := float64(max(r.MakeImages, 1))
	width, height := side(r.Width, p.DefaultWidth), side(r.Height, p.DefaultHeight)
	tiles := math.Ceil(width/quota.TileSide) * math.Ceil(height/quota.TileSide)
	// Models with a price for a tile and one for a step were measured to the cent: by area, and each step in each tile.
	area := max(width*height/(quota.TileSide*quota.TileSide), 1)
	megapixels := max(math.Ceil(width*height/megapixel), 1)
	steps := r.steps(p)
	given := float64(max(r.Images, 0))
	looked := max(given, 1)
	inputTiles := r.inputTiles()

	micro := in*p.InputPerM + out*p.OutputPerM // neurons per million tokens are micro-neurons per token
	neurons := made*(area*(p.Tile+p.Step*steps)+tiles*(p.OutputTile+p.OutputTileStep*steps)+
		p.FirstMegapixel+p.NextMegapixel*(megapixels-1)) +
		inputTiles*(p.InputTile+p.InputTileStep*steps) + given*p.InputMegapixel +
		looked*p.Image + r.minutes(p)*r.minute(p) + float64(r.characters())/1000*p.CharactersPerK
	return quota.FromFloat((micro/float64(quota.OneNeuron) + neurons) * measuredFactor(model))
}

// inputTiles bounds the tiles of all images given.
func (r request) inputTiles() float64 {
	images := max(r.Images, 0)
	sized := min(max(r.Sized, 0), images)
	return float64(images-sized)*quota.MaxInputTiles + float64(min(max(r.SizedTiles, sized), sized*quota.MaxInputTiles))
}

// floored returns r with no less than the defaults of a picture: some models
// ignore the size and the steps that they are given.
func (r request) floored(p Row) request {
	if r.Width > 0 {
		r.Width = max(r.Width, int64(side(0, p.DefaultWidth)))
	}
	if r.Height > 0 {
		r.Height = max(r.Height, int64(side(0, p.DefaultHeight)))
	}
	if r.Steps > 0 {
		r.Steps = max(r.Steps, int64(p.DefaultSteps))
	}
	return r
}

// tokens bounds the tokens of r. Models that are not billed by tokens have
// rates of 0 for them.
func (r request) tokens(p Row) (in, out float64) {
	in = float64(max(r.PromptBytes, 0)) + templateTokens + r.mediaTokens()
	switch p.Task {
	case quota.TextClassification:
		in += float64(max(r.Texts, 0)) * pairTokens
	case quota.Translation:
		// As many as the text has bytes, whatever the language.
		if r.MaxTokens <= 0 {
			return in, in
		}
	}
	limit := float64(r.MaxTokens)
	if r.MaxTokens <= 0 {
		limit = unknownOutput
		if p.DefaultOutput > 0 {
			limit = float64(p.DefaultOutput)
		}
	}
	if p.Task == quota.TextGeneration && p.ContextWindow > 0 { // what is longer is refused, or cut
		in, limit = min(in, float64(p.ContextWindow)), min(limit, float64(p.ContextWindow))
	}
	return in, limit * float64(max(r.Answers, 1))
}

func (r request) steps(p Row) float64 {
	steps := r.Steps
	switch {
	case steps > 0:
	case p.DefaultSteps > 0:
		steps = int64(p.DefaultSteps)
	default:
		steps = unknownSteps
	}
	most := int64(mostSteps)
	if p.MaxSteps > 0 {
		most = int64(p.MaxSteps)
	}
	return float64(min(steps, most))
}

// mediaTokens bounds what images and sound given to a language model count as.
func (r request) mediaTokens() float64 {
	tokens := float64(max(r.Images, 0)) * imageTokens
	if r.AudioSeconds > 0 || r.AudioBytes > 0 {
		tokens += r.seconds() * audioTokens
	}
	return tokens
}

// side is a side of the image made: what the call says, else the model's own.
func side(pixels int64, usual int) float64 {
	switch {
	case pixels > 0:
		return float64(min(pixels, longestSide))
	case usual > 0:
		return float64(usual)
	}
	return defaultSide
}

// minute is the price of a minute of audio. A model that is only billed live
// has only that price.
func (r request) minute(p Row) float64 {
	if r.Live || p.AudioMinute == 0 {
		return p.AudioMinuteLive
	}
	return p.AudioMinute
}

// minutes bounds the audio that is billed: what is given, or what is spoken.
func (r request) minutes(p Row) float64 {
	if p.Task == quota.TextToSpeech {
		return (1 + float64(r.characters())/charactersASecond) / 60
	}
	return r.seconds() / 60
}

// seconds bounds the length of the audio given.
func (r request) seconds() float64 {
	if r.AudioSeconds > 0 {
		return min(r.AudioSeconds, 1e9)
	}
	return 1 + float64(max(r.AudioBytes, 0))/bytesASecond
}

func (r request) characters() int64 {
	if r.Characters > 0 {
		return r.Characters
	}
	return max(r.PromptBytes, 0)
}
