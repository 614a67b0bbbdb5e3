package quota

import (
	"math"
	"slices"
	"sync/atomic"
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
	tileSide     = 512
	givenTiles   = 4 // 512x512 tiles of an image given: at 512x512 FLUX.2's inputs end, and what is larger is scaled down to a megapixel
	megapixel    = 1024 * 1024

	// Speech is stored in no fewer bytes a second (6 kbit/s, Opus), and spoken in no fewer characters.
	bytesASecond      = 750
	charactersASecond = 8

	leastEstimate = OneNeuron / 1000 // nothing that reaches a model is free
)

// EstimateMode says how much is reserved for a call.
type EstimateMode uint8

// The modes.
const (
	Bound    EstimateMode = iota // an upper bound: the ceiling is never passed
	Expected                     // what 99 of 100 calls of the model stayed below: more calls at once
)

// A Request is what is known of a call before it is made. What does not apply
// stays zero.
type Request struct {
	Model        string
	Task         Task    // where the table does not know the model; "": text generation
	PromptBytes  int64   // of what may become input tokens: the JSON body, less images and audio in it
	Texts        int64   // to be embedded or ranked
	MaxTokens    int64   // of one answer
	Answers      int64   // asked for; 0: 1
	Images       int64   // given
	Sized        int64   // how many of the images given have a known size
	SizedTiles   int64   // of those, by InputTiles
	MakeImages   int64   // to be made; 0: 1
	Width        int64   // of the image made, in pixels
	Height       int64   //
	Steps        int64   // of diffusion
	AudioSeconds float64 // of the audio given, from its header
	AudioBytes   int64   // of the audio given, where its duration is not known
	Live         bool    // audio over a WebSocket
	Characters   int64   // to be spoken; 0: PromptBytes
	Parts        []Request

	// Assumed says that figures of a picture stand for the most they can be, because what the call says of them could not be read.
	Assumed bool
}

// An Estimate is what a call may cost.
type Estimate struct {
	Neurons Neurons // to be reserved
	Bound   Neurons // by the table alone, for Estimator.Learn
	Known   bool    // the table has the model
	Foreign bool    // the bound goes by what a recording says of itself, or by its size: the cost says nothing of the model
}

// An Estimator says what calls may cost. It is used by many goroutines at once.
type Estimator struct {
	mode   EstimateMode
	prices atomic.Pointer[Prices]
	learnt learnt
}

// NewEstimator returns an estimator by prices; nil stands for the embedded
// table.
func NewEstimator(prices *Prices, mode EstimateMode) *Estimator {
	if prices == nil {
		prices = Embedded()
	}
	e := &Estimator{mode: mode}
	e.prices.Store(prices)
	return e
}

// SetPrices replaces the table.
func (e *Estimator) SetPrices(p *Prices) { e.prices.Store(p) }

// Prices returns the table in use.
func (e *Estimator) Prices() *Prices { return e.prices.Load() }

// Estimate returns what r may cost: by the table and the bounds of this
// package, times what the wire has shown of the model. A batch costs the sum of
// its parts. It is never zero. A model that the table does not know is taken
// for the dearest still answered of all tasks that the call may be of.
func (e *Estimator) Estimate(r Request) Estimate {
	if len(r.Parts) > 0 {
		sum := Estimate{Known: true}
		for _, part := range r.Parts {
			if part.Model == "" {
				part.Model = r.Model
			}
			part.Parts = nil // a batch in a batch does not exist
			one := e.Estimate(part)
			sum.Neurons, sum.Bound = sum.Neurons.Add(one.Neurons), sum.Bound.Add(one.Bound)
			sum.Known = sum.Known && one.Known
			sum.Foreign = sum.Foreign || one.Foreign
		}
		return sum
	}
	prices := e.prices.Load()
	price, known := prices.Billed(r.Model)
	var bound Neurons
	if known {
		bound = r.floored(price).bound(prices.target(r.Model), price)
	} else {
		tasks := r.tasks()
		for _, name := range prices.names {
			if p := prices.models[name]; slices.Contains(tasks, p.Task) && !p.ended(prices.asOf) {
				bound = max(bound, r.floored(p).bound(name, p))
			}
		}
	}
	bound = min(max(bound, leastEstimate), mostNeurons)
	factor := e.learnt.factor(r.Model, e.mode)
	return Estimate{
		Neurons: max(FromFloat(bound.Float()*factor), leastEstimate),
		Bound:   bound, Known: known, Foreign: r.AudioSeconds > 0 || r.AudioBytes > 0,
	}
}

// bound is the most that r can cost at p, with what was measured above the
// table.
func (r Request) bound(model string, p Price) Neurons {
	in, out := r.tokens(p)
	made := float64(max(r.MakeImages, 1))
	width, height := side(r.Width, p.DefaultWidth), side(r.Height, p.DefaultHeight)
	tiles := math.Ceil(width/tileSide) * math.Ceil(height/tileSide)
	// Models with a price for a tile and one for a step were measured to the cent: by area, and each step in each tile.
	area := max(width*height/(tileSide*tileSide), 1)
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
	return FromFloat((micro/float64(OneNeuron) + neurons) * measuredFactor(model))
}

// InputTiles returns how many 512x512 tiles an image of that many pixels counts
// as, at most, when it is given to a model.
func InputTiles(width, height int64) int64 {
	tiles := math.Ceil(float64(width)/tileSide) * math.Ceil(float64(height)/tileSide)
	return int64(min(max(tiles, 1), givenTiles))
}

// inputTiles bounds the tiles of all images given.
func (r Request) inputTiles() float64 {
	images := max(r.Images, 0)
	sized := min(max(r.Sized, 0), images)
	return float64(images-sized)*givenTiles + float64(min(max(r.SizedTiles, sized), sized*givenTiles))
}

// floored returns r with no less than the defaults of a picture: some models
// ignore the size and the steps that they are given.
func (r Request) floored(p Price) Request {
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
func (r Request) tokens(p Price) (in, out float64) {
	in = float64(max(r.PromptBytes, 0)) + templateTokens + r.mediaTokens()
	switch p.Task {
	case TextClassification:
		in += float64(max(r.Texts, 0)) * pairTokens
	case Translation:
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
	if p.Task == TextGeneration && p.ContextWindow > 0 { // what is longer is refused, or cut
		in, limit = min(in, float64(p.ContextWindow)), min(limit, float64(p.ContextWindow))
	}
	return in, limit * float64(max(r.Answers, 1))
}

func (r Request) steps(p Price) float64 {
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
func (r Request) mediaTokens() float64 {
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
func (r Request) minute(p Price) float64 {
	if r.Live || p.AudioMinute == 0 {
		return p.AudioMinuteLive
	}
	return p.AudioMinute
}

// minutes bounds the audio that is billed: what is given, or what is spoken.
func (r Request) minutes(p Price) float64 {
	if p.Task == TextToSpeech {
		return (1 + float64(r.characters())/charactersASecond) / 60
	}
	return r.seconds() / 60
}

// seconds bounds the length of the audio given.
func (r Request) seconds() float64 {
	if r.AudioSeconds > 0 {
		return min(r.AudioSeconds, 1e9)
	}
	return 1 + float64(max(r.AudioBytes, 0))/bytesASecond
}

func (r Request) characters() int64 {
	if r.Characters > 0 {
		return r.Characters
	}
	return max(r.PromptBytes, 0)
}
