package quota

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

	Images    int64 // that were made; Width, Height and Steps are the request's
	Width     int64
	Height    int64
	Steps     int64
	Given     int64
	HasImages bool
}

// Cost returns what a call of model cost by what the wire said: the reported
// neurons, else tokens, audio or images times the table. ok is false where
// neither says anything: then the caller settles by what was reserved or had
// passed, as Estimated.
func (e *Estimator) Cost(model string, u Usage) (c Cost, ok bool) {
	if u.HasNeurons {
		return Cost{Neurons: FromFloat(u.Neurons), Basis: Reported}, true
	}
	p, known := e.prices.Load().billed(model)
	if !known {
		return Cost{}, false
	}
	r := Request{
		AudioSeconds: u.AudioSeconds, Live: u.Live, Images: u.Given, MakeImages: u.Images,
		Width: u.Width, Height: u.Height, Steps: u.Steps,
	}
	switch {
	case u.HasTokens && (p.InputPerM > 0 || p.OutputPerM > 0):
		return Cost{Neurons: p.Tokens(u.Input, u.Cached, u.Output), Basis: Priced}, true
	case u.HasAudio && r.minute(p) > 0:
		return Cost{Neurons: FromFloat(max(u.AudioSeconds, 0) / 60 * r.minute(p)), Basis: Priced}, true
	case u.HasImages && (p.Task == TextToImage || p.Image > 0):
		// As it is bounded: pictures were seen to cost more than the table says.
		return Cost{Neurons: r.bound(model, p), Basis: Priced}, true
	}
	return Cost{}, false
}
