package modellist

import (
	"encoding/json"
	"net/url"
	"strconv"

	"github.com/neuronward/neuronward/quota/price"
)

// Bounds of one models/search: the catalog has about a hundred models.
const (
	perPage  = 100
	maxPages = 20
)

// A Page is one page of models/search.
type Page struct {
	Result []found `json:"result"`
	Info   struct {
		Total int `json:"total_count"` // of models in all; 0: it does not say
	} `json:"result_info"`
}

// PageQuery is the query that asks for a page.
func PageQuery(page int) string {
	return url.Values{"per_page": {strconv.Itoa(perPage)}, "page": {strconv.Itoa(page)}}.Encode()
}

// A Request is what a caller asks of the list.
type Request struct {
	ID   string // the one model that is wanted; "": all
	Task string // of the models of a list; "": any

	Price   func(model string) price.Model
	MayCall func(model string, paidOnly bool) bool // paidOnly: it requires Workers Paid
}

// Answer returns the JSON of the list, or of the one model that is wanted: nil if there is none. search asks for one
// page of the catalog, from 1 on.
func (r *Request) Answer(search func(page int) (Page, error)) ([]byte, error) {
	all, err := searchAll(search)
	if err != nil {
		return nil, err
	}
	models := make([]Model, 0, len(all))
	task := taskText(r.Task)
	for i := range all {
		m := all[i].listed(r.Price(all[i].Name))
		switch {
		case !r.MayCall(m.ID, m.paidOnly):
		case r.ID != "" && r.ID != m.ID, r.ID == "" && task != "" && task != m.Task:
		default:
			models = append(models, m)
		}
	}
	switch {
	case r.ID == "":
		return json.Marshal(List{Object: "list", Data: models})
	case len(models) == 0:
		return nil, nil
	}
	return json.Marshal(models[0])
}

// searchAll asks for the whole catalog.
func searchAll(search func(page int) (Page, error)) ([]found, error) {
	var models []found
	seen, size := map[string]bool{}, 0
	for n := 1; n <= maxPages; n++ {
		page, err := search(n)
		if err != nil {
			return nil, err
		}
		before, total := len(models), page.Info.Total
		size = max(size, len(page.Result))
		for _, m := range page.Result {
			if !seen[m.Name] {
				seen[m.Name] = true
				models = append(models, m)
			}
		}
		// A server may cap the page, or ignore which one is asked for.
		if len(models) == before || len(page.Result) < size || total > 0 && len(models) >= total {
			break
		}
	}
	return models, nil
}
