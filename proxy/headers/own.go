package headers

import (
	"net/http"
	"slices"
)

// Own are headers of an answer that are this proxy's. Its memory is that of what it is part of, so that setting one
// takes none.
type Own struct {
	names  [maxOwn]string
	values [maxOwn]string
	n      int
}

// maxOwn is how many different ones there are.
const maxOwn = 8

// Set sets a header, whose name is in canonical form.
func (o *Own) Set(name, value string) {
	i := slices.Index(o.names[:o.n], name)
	if i < 0 {
		i = o.n
		o.n++
	}
	o.names[i], o.values[i] = name, value
}

// CopyTo sets them in h, which shares the memory.
func (o *Own) CopyTo(h http.Header) {
	for i, name := range o.names[:o.n] {
		h[name] = o.values[i : i+1 : i+1]
	}
}
