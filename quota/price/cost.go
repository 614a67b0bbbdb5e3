package price

import "github.com/neuronward/neuronward/quota"

// Cost returns what a call of m cost by what the wire said: the reported
// neurons, else tokens, audio or images times the table. ok is false where
// neither says anything: then the caller settles by DefaultCost, or by what had
// passed, as Estimated. What the account's own figure showed of the model
// corrects what the table says. A picture is Estimated, too, where the price depends on
// something that neither the call nor the model's documentation says.
func (e *Estimator) Cost(m Model, u quota.Usage) (c quota.Cost, ok bool) {
	if u.HasNeurons {
		return quota.Cost{Neurons: quota.FromFloat(u.Neurons), Basis: quota.Reported}, true
	}
	if !m.Known {
		return quota.Cost{}, false
	}
	r := request{
		AudioSeconds: u.AudioSeconds, Live: u.Live, Images: u.Given, Sized: u.Sized, SizedTiles: u.SizedTiles, MakeImages: u.Images,
		Width: u.Width, Height: u.Height, Steps: u.Steps, Assumed: u.Assumed,
	}
	switch {
	case u.HasTokens && (m.InputPerM > 0 || m.OutputPerM > 0):
		c = quota.Cost{Neurons: m.Tokens(u.Input, u.Cached, u.Output), Basis: quota.Priced}
	case u.HasAudio && r.minute(m.Row) > 0:
		c = quota.Cost{Neurons: quota.FromFloat(max(u.AudioSeconds, 0) / 60 * r.minute(m.Row)), Basis: quota.Priced}
	case u.HasImages && (m.Task == quota.TextToImage || m.Image > 0):
		c = quota.Cost{Neurons: r.bound(m.BilledAs, m.Row), Basis: quota.Priced}
		if r.assumes(m.Row) {
			c.Basis = quota.Estimated
		}
	default:
		return quota.Cost{}, false
	}
	c.Table = c.Neurons
	c.Neurons = quota.FromFloat(c.Table.Float() * e.learnt.paid(m.Name))
	return c, true
}

// DefaultCost returns what a call of m cost of which the wire says nothing at all
// and for which reserved was set aside: that, or what the account's own figure
// showed such calls to cost.
func (e *Estimator) DefaultCost(m Model, of Estimate, reserved quota.Neurons) quota.Cost {
	c := quota.Cost{Neurons: reserved, Basis: quota.Estimated, Table: of.Bound}
	if paid := e.learnt.paid(m.Name); paid != 1 {
		c.Neurons = quota.FromFloat(of.Bound.Float() * paid)
	}
	return c
}

// assumes reports whether the price of r's pictures rests on an assumption.
func (r request) assumes(p Row) bool {
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
func SentTokens(r quota.Request, wide int64) int64 {
	wide = min(max(wide, 0), max(r.PromptBytes, 0))
	plain := max(r.PromptBytes, 0) - wide
	return (plain+sentBytesPerToken-1)/sentBytesPerToken + wide + int64(request(r).mediaTokens())
}
