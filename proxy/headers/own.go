package headers

import (
	"net/http"
	"slices"
)

// ownNames are the headers of an answer that this proxy sets.
var ownNames = [...]string{
	"X-Request-Id", "Request-Id", "X-Neuronward-Neurons", "X-Neuronward-Attempts", "X-Neuronward-Max-Tokens-Set",
	"X-Neuronward-Would-Refuse", "Ratelimit-Policy", "Ratelimit",
}

// Own are headers of an answer that are this proxy's. Its memory is that of what it is part of, so that setting one
// takes none. The value "" is none.
type Own [len(ownNames)]string

// Set sets one of the headers that this proxy sets, whose name is in canonical form.
func (o *Own) Set(name, value string) { o[slices.Index(ownNames[:], name)] = value }

// CopyTo sets them in h, which shares the memory.
func (o *Own) CopyTo(h http.Header) {
	for i, name := range ownNames {
		if o[i] != "" {
			h[name] = o[i : i+1 : i+1]
		}
	}
}
