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

	Images  int64 // that were made; what follows is the request's
	Width   int64
	Height  int64
	Steps   int64
	Given   int64
	Assumed bool

	Sized, SizedTiles int64
	HasImages         bool
}

// Cost returns what a call of model cost by what the wire said: the reported
// neurons, else tokens, audio or images times the table. ok is false where
// neither says anything: then the caller settles by Unsaid, or by what had
// passed, as Estimated. What the account's own figure showed of the model
// corrects what the table says. A picture is Estimated, too, where the price depends on
// something that neither the call nor the model's documentation says.
func (e *Estimator) Cost(model string, u Usage) (c Cost, ok bool) {
	if u.HasNeurons {
		return Cost{Neurons: FromFloat(u.Neurons), Basis: Reported}, true
	}
	prices := e.prices.Load()
	p, known := prices.Billed(model)
	if !known {
		return Cost{}, false
	}
	r := Request{
		AudioSeconds: u.AudioSeconds, Live: u.Live, Images: u.Given, Sized: u.Sized, SizedTiles: u.SizedTiles, MakeImages: u.Images,
		Width: u.Width, Height: u.Height, Steps: u.Steps, Assumed: u.Assumed,
	}
	switch {
	case u.HasTokens && (p.InputPerM > 0 || p.OutputPerM > 0):
		c = Cost{Neurons: p.Tokens(u.Input, u.Cached, u.Output), Basis: Priced}
	case u.HasAudio && r.minute(p) > 0:
		c = Cost{Neurons: FromFloat(max(u.AudioSeconds, 0) / 60 * r.minute(p)), Basis: Priced}
	case u.HasImages && (p.Task == TextToImage || p.Image > 0):
		c = Cost{Neurons: r.bound(prices.target(model), p), Basis: Priced}
		if r.assumes(p) {
			c.Basis = Estimated
		}
	default:
		return Cost{}, false
	}
	c.Table = c.Neurons
	c.Neurons = FromFloat(c.Table.Float() * e.learnt.paid(model))
	return c, true
}

// Unsaid returns what a call of model cost of which the wire says nothing at all
// and for which reserved was set aside: that, or what the account's own figure
// showed such calls to cost.
func (e *Estimator) Unsaid(model string, of Estimate, reserved Neurons) Cost {
	c := Cost{Neurons: reserved, Basis: Estimated, Table: of.Bound}
	if paid := e.learnt.paid(model); paid != 1 {
		c.Neurons = FromFloat(of.Bound.Float() * paid)
	}
	return c
}

// assumes reports whether the price of r's pictures rests on an assumption.
func (r Request) assumes(p Price) bool {
	bySteps := p.Step+p.InputTileStep+p.OutputTileStep > 0
	bySize := p.Tile+p.OutputTile+p.OutputTileStep+p.NextMegapixel > 0
	byInput := p.InputTile+p.InputTileStep > 0
	return r.Assumed ||
		bySteps && r.Steps <= 0 && p.DefaultSteps == 0 ||
		bySize && (r.Width <= 0 && p.DefaultWidth == 0 || r.Height <= 0 && p.DefaultHeight == 0) ||
		byInput && r.Images > r.Sized
}

// sentBytesPerToken is what a token of plain text takes on average, its JSON
// included.
const sentBytesPerToken = 3

// SentTokens returns what the prompt of r counts as once it was sent, where the
// answer broke off before anybody said: an average for plain text, and the bound
// for what has no such average. wide is how many of the prompt's bytes are
// beyond ASCII: a tokenizer that was not made for a script makes one token of
// each of them.
func (r Request) SentTokens(wide int64) int64 {
	wide = min(max(wide, 0), max(r.PromptBytes, 0))
	plain := max(r.PromptBytes, 0) - wide
	return (plain+sentBytesPerToken-1)/sentBytesPerToken + wide + int64(r.mediaTokens())
}
