package account

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Bounds of one catalog, which has about a hundred models.
const (
	modelsPerPage = 100
	maxPages      = 20
	maxModels     = 2000
	maxName       = 200 // bytes
)

// A Model is what Cloudflare's catalog says about a model. Its JSON is that of the
// file that keeps the catalog.
type Model struct {
	Name                string `json:"name"`
	Task                string `json:"task"` // as the catalog writes it: "Text Generation"
	Prices              []Tag  `json:"prices,omitempty"`
	Beta                bool   `json:"beta,omitempty"`
	ContextWindow       int64  `json:"context_window,omitempty"` // tokens; 0: not given
	RequiresWorkersPaid bool   `json:"require_workers_paid,omitempty"`
	DeprecatedOn        string `json:"planned_deprecation_date,omitempty"` // UTC date; "": none is planned
}

// A Tag is one price.
type Tag struct {
	Unit string  `json:"unit"` // "per M input tokens"
	USD  float64 `json:"usd"`
}

// Models returns all models of the account's catalog. A catalog that is empty or
// has no end is an *Error.
func (c *Client) Models(ctx context.Context) ([]Model, error) {
	path := "/accounts/" + c.account + "/ai/models/search"
	var all []Model
	seen, size := map[string]bool{}, 0
	for page := 1; ; page++ {
		var found []catalogModel
		query := url.Values{"per_page": {strconv.Itoa(modelsPerPage)}, "page": {strconv.Itoa(page)}}
		e, a, err := c.ask(ctx, http.MethodGet, path, query, &found)
		if err != nil {
			return nil, needing(err, workersAI)
		}
		before := len(all)
		size = max(size, len(found))
		for _, f := range found {
			if m := f.model(); m.Name != "" && !seen[m.Name] {
				seen[m.Name] = true
				all = append(all, m)
			}
		}
		if len(all) == 0 || len(all) > maxModels {
			return nil, a.garbled(path, "the catalog has "+strconv.Itoa(len(all))+" models")
		}
		// A server may make the page smaller, or ignore which page is asked for.
		if len(all) == before || len(found) < size || e.Info.Total > 0 && len(all) >= e.Info.Total {
			return all, nil
		}
		if page == maxPages {
			return nil, a.garbled(path, "the catalog has no end")
		}
	}
}

// catalogModel is a model as models/search writes it. The values of all properties
// but the prices are strings.
type catalogModel struct {
	Name string `json:"name"`
	Task struct {
		Name string `json:"name"`
	} `json:"task"`
	Properties []struct {
		ID    string          `json:"property_id"`
		Value json.RawMessage `json:"value"`
	} `json:"properties"`
}

// model reads the properties that are understood and ignores the others.
func (f catalogModel) model() Model {
	if len(f.Name) > maxName {
		return Model{}
	}
	m := Model{Name: f.Name, Task: f.Task.Name}
	for _, p := range f.Properties {
		var text string
		if json.Unmarshal(p.Value, &text) != nil { // such as a bare number
			text = string(p.Value)
		}
		switch p.ID {
		case "price":
			m.Prices = priceTags(p.Value)
		case "beta":
			m.Beta = text == "true"
		case "context_window":
			if n, err := strconv.ParseInt(text, 10, 64); err == nil && n > 0 {
				m.ContextWindow = n
			}
		case "require_workers_paid":
			m.RequiresWorkersPaid = text == "true"
		case "planned_deprecation_date":
			m.DeprecatedOn = date(text)
		}
	}
	return m
}

// priceTags reads a list of prices. It returns none where one of them is in another
// currency or cannot be read: the others alone would be too cheap.
func priceTags(value json.RawMessage) []Tag {
	var list []struct {
		Unit     string   `json:"unit"`
		Price    *float64 `json:"price"`
		Currency string   `json:"currency"`
	}
	if json.Unmarshal(value, &list) != nil {
		return nil
	}
	tags := make([]Tag, 0, len(list))
	for _, p := range list {
		if p.Price == nil || p.Currency != "USD" && p.Currency != "" {
			return nil
		}
		tags = append(tags, Tag{Unit: p.Unit, USD: *p.Price})
	}
	return tags
}

// date is the UTC date at the beginning of a text; "": there is none.
func date(text string) string {
	text = strings.TrimSpace(text)
	if len(text) < len(time.DateOnly) {
		return ""
	}
	if _, err := time.Parse(time.DateOnly, text[:len(time.DateOnly)]); err != nil {
		return ""
	}
	return text[:len(time.DateOnly)]
}
