package price

import (
	"cmp"
	_ "embed"
	"sync"
)

// embeddedLimits has what Cloudflare documents of its models beside prices, also of those without a price.
//
//go:embed limits.json
var embeddedLimits []byte

// parseLimits returns the rows of limits.json by model. Of each Task, ContextWindow, DefaultOutput, WebSocket and
// DeprecatedOn are set.
var parseLimits = sync.OnceValue(func() map[string]Row {
	var f struct {
		AsOf    string            `json:"as_of"`
		Source  string            `json:"source"`
		Columns map[string]string `json:"columns"`
		Models  map[string]Row    `json:"models"`
	}
	if err := decode(embeddedLimits, &f, true); err != nil {
		panic("price: the embedded limits of the models: " + err.Error())
	}
	return f.Models
})

// join fills in what r does not say itself.
func (r *Row) join(documented Row) {
	r.ContextWindow = cmp.Or(r.ContextWindow, documented.ContextWindow)
	r.DefaultOutput = cmp.Or(r.DefaultOutput, documented.DefaultOutput)
	r.WebSocket = r.WebSocket || documented.WebSocket
}
