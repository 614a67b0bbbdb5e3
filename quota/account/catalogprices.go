package account

import (
	"strings"

	"github.com/neuronward/neuronward/quota/price"
	"github.com/neuronward/neuronward/quota/workload"
)

// CatalogPrices converts the prices of the catalog's models to neurons, at usd
// dollars a neuron.
func CatalogPrices(models []Model, usd float64) []price.CatalogPrice {
	prices := make([]price.CatalogPrice, 0, len(models))
	for _, m := range models {
		p := price.CatalogPrice{Model: m.Name, Priced: len(m.Prices) > 0}
		p.Row.Task = taskOf(m.Task)
		p.Row.ContextWindow = m.ContextWindow
		p.Row.RequiresWorkersPaid = m.RequiresWorkersPaid
		p.Row.DeprecatedOn = m.DeprecatedOn
		for _, tag := range m.Prices {
			column := unitOf(&p.Row, tag.Unit)
			switch {
			case column == nil && tag.USD == 0: // an unknown unit that is free
			case column == nil:
				p.Priced, p.Unread = false, clip(tag.Unit)
			default:
				*column = tag.USD / usd
			}
		}
		prices = append(prices, p)
	}
	return prices
}

// taskOf converts the catalog's "Text Generation" to the table's "text-generation".
func taskOf(name string) workload.Task {
	return workload.Task(strings.ReplaceAll(strings.ToLower(strings.TrimSpace(name)), " ", "-"))
}

// unitOf is the column of r for a unit that the catalog names in words; nil: the
// unit is unknown.
func unitOf(r *price.Row, words string) *float64 {
	words = strings.Join(strings.Fields(strings.ToLower(words)), " ")
	switch strings.ReplaceAll(words, "512x512", "512 by 512") {
	case "per m input tokens":
		return &r.InputPerM
	case "per m cached input tokens":
		return &r.CachedInputPerM
	case "per m output tokens":
		return &r.OutputPerM
	case "per 512 by 512 tile":
		return &r.Tile
	case "per step":
		return &r.Step
	case "per input 512 by 512 tile":
		return &r.InputTile
	case "per output 512 by 512 tile":
		return &r.OutputTile
	case "per input 512 by 512 tile, per step":
		return &r.InputTileStep
	case "per output 512 by 512 tile, per step":
		return &r.OutputTileStep
	case "per first mp (1024x1024)":
		return &r.FirstMegapixel
	case "per subsequent mp (1024x1024)":
		return &r.NextMegapixel
	case "per input mp (1024x1024)":
		return &r.InputMegapixel
	case "per inference request":
		return &r.Image
	case "per audio minute":
		return &r.AudioMinute
	case "per audio minute (websocket)":
		return &r.AudioMinuteLive
	case "per 1k characters":
		return &r.CharactersPerK
	}
	return nil
}
