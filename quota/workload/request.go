package workload

import "math"

// An image given to a model is billed by tiles of TileSide by TileSide pixels, and by at most MaxInputTiles of them:
// FLUX.2 scales what is larger down to a megapixel.
const (
	TileSide      = 512
	MaxInputTiles = 4
)

// A Request is what is known of a call before it is made. What does not apply stays zero.
type Request struct {
	Task          Task    // of a model that the price table does not know; "": text generation
	PromptBytes   int64   // of what may become input tokens: the JSON body, less images and audio in it
	PromptTokens  int64   // counted in PromptBytes; 0: they were not
	Texts         int64   // to be embedded or ranked
	MaxTokens     int64   // of one answer; 0: no limit is set
	Answers       int64   // asked for; 0: 1
	Images        int64   // given
	Sized         int64   // how many of the images given have a known size
	SizedTiles    int64   // of those, by InputTiles
	MakeImages    int64   // to be made; 0: 1
	Width         int64   // of the image made, in pixels
	Height        int64   // of the image made, in pixels
	Steps         int64   // of diffusion
	AudioSeconds  float64 // of the audio given, from its header
	AudioBytes    int64   // of the audio given, where its duration is not known
	Live          bool    // audio over a WebSocket
	Characters    int64   // to be spoken; 0: PromptBytes
	SpokenSeconds float64 // that the text may take to be spoken; 0: by Characters
	Parts         []Request

	Calls  int64 // how many requests of a batch this one stands for; 0: 1
	Unseen int64 // how many of them have a prompt that upstream fetches or remembers in part

	MayIgnoreLimit bool // upstream may not know the name that MaxTokens has, or some of Calls have no limit
	OddLimit       bool // the limit of output is no positive whole number: upstream may take it for none
	NoDefault      bool // the models' schemas name no default of the limit for calls of this form

	// Assumed says that the call's figures of an image could not be read, and that those here are the most they can
	// be.
	Assumed bool
}

// InputTiles returns how many tiles an image of width by height pixels counts as, at most, when it is given to a
// model.
func InputTiles(width, height int64) int64 {
	tiles := math.Ceil(float64(width)/TileSide) * math.Ceil(float64(height)/TileSide)
	return int64(min(max(tiles, 1), MaxInputTiles))
}

// Usage is what Workers AI reported of a call that was made. An absent figure is not zero: the Has fields tell them
// apart.
type Usage struct {
	Neurons    float64
	HasNeurons bool

	Input, Cached, Output int64 // tokens; Cached are among Input
	HasTokens             bool

	AudioSeconds float64 // of speech that was transcribed, or made
	HasAudio     bool
	Live         bool // over a WebSocket

	Images    int64 // that were made
	HasImages bool

	// Of the call with images, as the Request has them; Given is its Images.
	Width, Height, Steps     int64
	Given, Sized, SizedTiles int64
	Assumed                  bool
}
