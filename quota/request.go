package quota

import "math"

// An image given to a model is billed by tiles of so many pixels a side, and by at most MaxInputTiles of them: FLUX.2 scales what
// is larger down to a megapixel.
const (
	TileSide      = 512
	MaxInputTiles = 4
)

// A Request is what is known of a call before it is made. What does not apply
// stays zero.
type Request struct {
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

// InputTiles returns how many 512x512 tiles an image of that many pixels counts
// as, at most, when it is given to a model.
func InputTiles(width, height int64) int64 {
	tiles := math.Ceil(float64(width)/TileSide) * math.Ceil(float64(height)/TileSide)
	return int64(min(max(tiles, 1), MaxInputTiles))
}

// Usage is what the wire said of a call that was made. Absent is not zero: each
// figure has a word for whether it was there.
type Usage struct {
	Neurons    float64 // as reported
	HasNeurons bool

	Input, Cached, Output int64 // tokens
	HasTokens             bool

	AudioSeconds float64 // of speech that was transcribed, or made
	HasAudio     bool
	Live         bool // over a WebSocket

	Images  int64 // that were made; what follows is the request's
	Width   int64
	Height  int64
	Steps   int64
	Given   int64
	Assumed bool

	Sized, SizedTiles int64
	HasImages         bool
}
