package price

import (
	"cmp"

	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/workload"
)

// Cost returns what a call of m cost by what Workers AI reported of it: neurons,
// else tokens, audio or images times the table. A cost by the table is corrected
// by what the account's own figure has shown of the model (see Correct). The cost
// of an image is Estimated where it depends on something that neither the call nor
// the model's documentation says.
//
// ok is false where nothing was reported that the table has a price for. Then the
// caller settles by DefaultCost, or by what it has observed of the answer.
func (e *Estimator) Cost(m Model, u workload.Usage) (c quota.Cost, ok bool) {
	if u.HasNeurons {
		return quota.Cost{Neurons: quota.FromFloat(u.Neurons), Basis: quota.Reported}, true
	}
	if !m.Known {
		c = e.dearestTokens(&m, u)
		return c, c.Table > 0
	}
	r := request{Request: workload.Request{
		AudioSeconds: u.AudioSeconds, Live: u.Live,
		Images: u.Given, Sized: u.Sized, SizedTiles: u.SizedTiles,
		MakeImages: u.Images, Width: u.Width, Height: u.Height, Steps: u.Steps, Assumed: u.Assumed,
	}}
	c.Basis = quota.Priced
	switch {
	case u.HasTokens && (m.InputPerM > 0 || m.OutputPerM > 0):
		c.Table = m.Tokens(u.Input, u.Cached, u.Output)
	case u.HasAudio && r.minutePrice(&m.Row) > 0:
		c.Table = quota.FromFloat(max(u.AudioSeconds, 0) / 60 * r.minutePrice(&m.Row))
	case u.HasImages && (m.Task == workload.TextToImage || m.Image > 0):
		c.Table = r.bound(&m.Row)
		if r.assumes(&m.Row) {
			c.Basis = quota.Estimated
		}
	default:
		return quota.Cost{}, false
	}
	c.Neurons = quota.FromFloat(c.Table.Float() * e.learned.correction(m.Name))
	return c, true
}

// dearestTokens returns what the tokens of a call cost whose model has no price: at most those of the dearest model of
// its task; nothing where no tokens were reported, or the task is not billed by them.
func (e *Estimator) dearestTokens(m *Model, u workload.Usage) quota.Cost {
	if !u.HasTokens {
		return quota.Cost{}
	}
	c := quota.Cost{Basis: quota.Priced}
	task := cmp.Or(m.Task, workload.TextGeneration)
	for _, row := range cmp.Or(m.table, e.Table()).ofTasks([]workload.Task{task}) {
		c.Table = max(c.Table, row.Tokens(u.Input, u.Cached, u.Output))
	}
	c.Neurons = quota.FromFloat(c.Table.Float() * e.learned.correction(m.Name))
	return c
}

// DefaultCost returns what a call of m cost that succeeded and of which nothing at
// all was reported: what was reserved for it, or, where the account's own figure
// has shown what such calls cost, its bound with that correction.
func (e *Estimator) DefaultCost(m Model, of Estimate, reserved quota.Neurons) quota.Cost {
	c := quota.Cost{Neurons: reserved, Basis: quota.Estimated, Table: of.Bound}
	if correction := e.learned.correction(m.Name); correction != 1 {
		c.Neurons = quota.FromFloat(of.Bound.Float() * correction)
	}
	return c
}

// assumes reports whether the price of r's images rests on an assumption.
func (r *request) assumes(row *Row) bool {
	bySteps := row.Step+row.InputTileStep+row.OutputTileStep > 0
	bySize := row.Tile+row.OutputTile+row.OutputTileStep+row.NextMegapixel > 0
	byInput := row.InputTile+row.InputTileStep > 0
	return r.Assumed ||
		bySteps && r.Steps <= 0 && row.DefaultSteps == 0 ||
		bySize && (r.Width <= 0 && row.DefaultWidth == 0 || r.Height <= 0 && row.DefaultHeight == 0) ||
		byInput && r.Images > r.Sized
}
