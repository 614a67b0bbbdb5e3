package account

import (
	"strings"

	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/price"
)

// CatalogPrices says what the catalog's models cost in neurons, at usd dollars a
// neuron.
func CatalogPrices(models []Model, usd float64) []price.CatalogPrice {
	offers := make([]price.CatalogPrice, 0, len(models))
	for _, m := range models {
		o := price.CatalogPrice{Model: m.Name, Priced: len(m.Prices) > 0}
		o.Row.Task = taskOf(m.Task)
		o.Row.ContextWindow = m.ContextWindow
		o.Row.RequiresWorkersPaid = m.RequiresWorkersPaid
		o.Row.DeprecatedOn = m.DeprecatedOn
		for _, tag := range m.Prices {
			column := unitOf(&o.Row, tag.Unit)
			switch {
			case column == nil && tag.USD == 0: // whatever it is, it is free
			case column == nil:
				o.Priced, o.Unread = false, clip(tag.Unit)
			default:
				*column = tag.USD / usd
			}
		}
		offers = append(offers, o)
	}
	return offers
}

// taskOf turns the catalog's "Text Generation" into the table's words.
func taskOf(name string) quota.Task {
	return quota.Task(strings.ReplaceAll(strings.ToLower(strings.TrimSpace(name)), " ", "-"))
}

// unitOf is the unit of a price that the catalog names in words, nil where they
// are not known.
func unitOf(p *price.Row, words string) *float64 {
	words = strings.Join(strings.Fields(strings.ToLower(words)), " ")
	switch strings.ReplaceAll(words, "512x512", "512 by 512") {
	case "per m input tokens":
		return &p.InputPerM
	case "per m cached input tokens":
		return &p.CachedInputPerM
	case "per m output tokens":
		return &p.OutputPerM
	case "per 512 by 512 tile":
		return &p.Tile
	case "per step":
		return &p.Step
	case "per input 512 by 512 tile":
		return &p.InputTile
	case "per output 512 by 512 tile":
		return &p.OutputTile
	case "per input 512 by 512 tile, per step":
		return &p.InputTileStep
	case "per output 512 by 512 tile, per step":
		return &p.OutputTileStep
	case "per first mp (1024x1024)":
		return &p.FirstMegapixel
	case "per subsequent mp (1024x1024)":
		return &p.NextMegapixel
	case "per input mp (1024x1024)":
		return &p.InputMegapixel
	case "per inference request":
		return &p.Image
	case "per audio minute":
		return &p.AudioMinute
	case "per audio minute (websocket)":
		return &p.AudioMinuteLive
	case "per 1k characters":
		return &p.CharactersPerK
	}
	return nil
}
