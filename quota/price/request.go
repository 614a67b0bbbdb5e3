package price

import (
	"cmp"
	"math"

	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/workload"
)

// What a call counts as where it does not say enough. Each is the most that a
// call can be, not what is usual.
const (
	// A tokenizer makes at most one token of a byte, and the JSON around a message is longer than what a chat
	// template puts in its place. templateTokens is what a template puts before the first message.
	templateTokens = 64

	// unknownWindow is the context window of a model of which none is known.
	unknownWindow = 131_072

	// audioTokens is what a second of audio given to a language model counts as: encoders make a frame each 20 ms
	// (Whisper's) and join several of them into a token.
	audioTokens = 50

	// imageTokens is what an image given to a language model counts as: four tiles of 1,601 tokens.
	imageTokens = 6404

	// pairTokens is what a reranker reads at most of a query and one of its contexts.
	pairTokens = 512

	defaultSide  = 1024 // pixels, where neither the call nor the table says
	maxSide      = 4096 // pixels
	unknownSteps = 50   // the default of FLUX.2 [dev], and what diffusion models are run with at most by default
	maxSteps     = 1000
	megapixel    = 1024 * 1024

	// Speech is stored in no fewer bytes a second (6 kbit/s, Opus), and spoken in no fewer characters.
	bytesPerSecond      = 750
	charactersPerSecond = 8
	digitsPerSecond     = 2.8 // the slowest of all, where the text is not known
)

// request is a workload.Request with the arithmetic of its bound.
type request struct {
	workload.Request
	mode    Mode
	guessed bool // by the price of another model
	factors
}

// bound is what r can cost at most by a row.
func (r *request) bound(row *Row) quota.Neurons {
	in, out := r.tokens(row)
	made := float64(max(r.MakeImages, 1))
	width, height := side(r.Width, row.DefaultWidth), side(r.Height, row.DefaultHeight)
	tiles := math.Ceil(width/workload.TileSide) * math.Ceil(height/workload.TileSide)
	// Models with a price for a tile and one for a step were measured to the cent: they are billed by area, and each
	// step in each tile.
	area := max(width*height/(workload.TileSide*workload.TileSide), 1)
	megapixels := max(math.Ceil(width*height/megapixel), 1)
	steps := r.steps(row)
	given := float64(max(r.Images, 0))
	looked := max(given, 1)
	inputTiles := r.inputTiles()

	micro := in*row.InputPerM + out*row.OutputPerM // neurons per million tokens are micro-neurons per token
	neurons := made*(area*(row.Tile+row.Step*steps)+tiles*(row.OutputTile+row.OutputTileStep*steps)+
		row.FirstMegapixel+row.NextMegapixel*(megapixels-1)) +
		inputTiles*(row.InputTile+row.InputTileStep*steps) + given*row.InputMegapixel +
		looked*row.Image + r.minutes(row)*r.minutePrice(row) + float64(r.characters())/1000*row.CharactersPerK
	return quota.FromFloat(micro/float64(quota.OneNeuron) + neurons)
}

// inputTiles bounds the tiles of all images given.
func (r *request) inputTiles() float64 {
	images := max(r.Images, 0)
	sized := min(max(r.Sized, 0), images)
	return float64(images-sized)*workload.MaxInputTiles +
		float64(min(max(r.SizedTiles, sized), sized*workload.MaxInputTiles))
}

// raise makes the size and the steps of r at least the model's defaults: some models ignore those that they are given.
func (r *request) raise(row *Row) {
	if r.Width > 0 {
		r.Width = max(r.Width, int64(side(0, row.DefaultWidth)))
	}
	if r.Height > 0 {
		r.Height = max(r.Height, int64(side(0, row.DefaultHeight)))
	}
	if r.Steps > 0 {
		r.Steps = max(r.Steps, int64(row.DefaultSteps))
	}
}

// tokens bounds the tokens of r. They cost nothing with a model that is not billed
// by tokens.
func (r *request) tokens(row *Row) (in, out float64) {
	in = r.inputTokens(row)
	switch row.Task {
	case workload.TextClassification:
		in += float64(max(r.Texts, 0)) * pairTokens
	case workload.Translation:
		// A translation has at most as many tokens as the text has bytes, whatever the language.
		if r.MaxTokens <= 0 {
			return in, float64(max(r.PromptBytes, 0)) + templateTokens
		}
	}
	limit := r.outputLimit(row)
	if row.Task == workload.TextGeneration {
		calls := max(r.Calls, 1)
		in += float64(min(max(r.Unseen, 0), calls)) * row.window()
		if row.ContextWindow > 0 { // what is longer is refused, or cut
			in, limit = min(in, row.window()*float64(calls)), min(limit, row.window())
		}
	}
	return in, limit * float64(max(r.Answers, 1))
}

// inputTokens are those of the prompt, its template, images and audio.
func (r *request) inputTokens(row *Row) float64 {
	return float64(r.promptTokens(row)) + templateTokens + r.mediaTokens()
}

// promptTokens are those of the text: as many as were counted in it and others have shown to be left out, at most its
// bytes, which hold where none were counted or the model's vocabulary is small.
func (r *request) promptTokens(row *Row) int64 {
	most := max(r.PromptBytes, 0)
	if r.PromptTokens <= 0 || row.SmallVocabulary || r.mode == Bound {
		return most
	}
	return min(int64(math.Ceil(float64(r.PromptTokens)*(1+r.prompt))), most)
}

// window is the model's context window in tokens.
func (r Row) window() float64 { return float64(cmp.Or(r.ContextWindow, unknownWindow)) }

func (r *request) steps(row *Row) float64 {
	steps := r.Steps
	switch {
	case steps > 0:
	case row.DefaultSteps > 0:
		steps = int64(row.DefaultSteps)
	default:
		steps = unknownSteps
	}
	limit := int64(maxSteps)
	if row.MaxSteps > 0 {
		limit = int64(row.MaxSteps)
	}
	return float64(min(steps, limit))
}

// mediaTokens bounds what images and audio given to a language model count as.
func (r *request) mediaTokens() float64 {
	tokens := float64(max(r.Images, 0)) * imageTokens
	if r.AudioSeconds > 0 || r.AudioBytes > 0 {
		tokens += r.seconds() * audioTokens
	}
	return tokens
}

// side is a side of the image made, in pixels: what the call says, else the
// model's default.
func side(pixels int64, modelDefault int) float64 {
	switch {
	case pixels > 0:
		return float64(min(pixels, maxSide))
	case modelDefault > 0:
		return float64(modelDefault)
	}
	return defaultSide
}

// minutePrice is the price of a minute of audio. A model that is only billed live
// has only that price, and one whose price is the same live has no other.
func (r *request) minutePrice(row *Row) float64 {
	if r.Live && row.AudioMinuteLive > 0 || row.AudioMinute == 0 {
		return row.AudioMinuteLive
	}
	return row.AudioMinute
}

// minutes bounds the audio that is billed: what is given, or what is spoken.
func (r *request) minutes(row *Row) float64 {
	if row.Task == workload.TextToSpeech {
		return (1 + r.spoken()) / 60
	}
	return r.seconds() / 60
}

// spoken bounds how long the text takes to be spoken.
func (r *request) spoken() float64 {
	switch {
	case r.SpokenSeconds > 0:
		return min(r.SpokenSeconds, 1e9)
	case r.Characters > 0:
		return float64(r.Characters) / charactersPerSecond
	}
	return float64(max(r.PromptBytes, 0)) / digitsPerSecond
}

// seconds bounds the length of the audio given.
func (r *request) seconds() float64 {
	if r.AudioSeconds > 0 {
		return min(r.AudioSeconds, 1e9)
	}
	return 1 + float64(max(r.AudioBytes, 0))/bytesPerSecond
}

func (r *request) characters() int64 {
	if r.Characters > 0 {
		return r.Characters
	}
	return max(r.PromptBytes, 0)
}

// Enough returns how many tokens of a prompt the estimate of a call depends on: what is longer than the context window
// is refused, or cut. 0: it depends on all of them.
func (r Row) Enough() int64 {
	if r.Task != workload.TextGeneration {
		return 0
	}
	return r.ContextWindow
}

// SentTokens returns how many input tokens the prompt of q is taken for where none were reported: those of its text,
// and the bound for images and audio, and for what upstream fetches or remembers; no more than the model can read.
func (r Row) SentTokens(q workload.Request) int64 {
	sent := r.promptSize(q)
	if enough := r.Enough(); enough > 0 {
		sent = min(sent, enough*max(q.Calls, 1))
	}
	return sent
}

// promptSize is SentTokens for a model that could read any number of them.
func (r Row) promptSize(q workload.Request) int64 {
	call := request{Request: q}
	size := call.promptTokens(&r) + int64(call.mediaTokens())
	if q.Unseen > 0 {
		size += int64(r.window())
	}
	return size
}

// bytesPerToken is what a token of plain text takes on average, its JSON included.
const bytesPerToken = 3

// textTokens is what the text of r has on average. It is no bound.
func textTokens(r workload.Request) int64 {
	return (max(r.PromptBytes, 0)+bytesPerToken-1)/bytesPerToken + int64((&request{Request: r}).mediaTokens())
}
