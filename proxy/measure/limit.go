package measure

import (
	"cmp"
	"slices"
	"strconv"

	"github.com/neuronward/neuronward/normalize"
	"github.com/neuronward/neuronward/proxy/jsonscan"
)

// A place is where a limit of output tokens goes in an object that has none.
type place struct {
	open  int64 // behind its brace
	empty bool  // it has no members
	null  span  // the null that is the limit's value
}

// LimitField returns the name that a limit of output tokens has in a protocol, for all models: chat completions know
// another one as well, which only the newer models have.
func LimitField(protocol normalize.Protocol) string {
	if protocol == normalize.ProtocolResponses {
		return "max_output_tokens"
	}
	return "max_tokens"
}

// noteUnlimited notes where a limit goes in a call, or in a request of a batch, that names none under any of its
// names. It goes to where the prompt is; of an object and its "input" that is the one that upstream reads. Where both
// have one, both get it.
func (r *reader) noteUnlimited(f *findings) {
	if !r.FindUnlimited || f.self.limited || f.input.limited {
		return
	}
	if f.self.prompted || !f.nestedInput && (!f.requests || f.promptInput) {
		r.j.places = append(r.j.places, f.self.place)
		f.unlimited = true
	}
	if f.nestedInput && (f.input.prompted || f.self.prompted || !f.requests) {
		r.j.places = append(r.j.places, f.input.place)
		f.unlimited = true
	}
}

// Unlimited reports whether the body has calls that name no limit of output tokens, one that is null included. It
// needs Options.FindUnlimited.
func (j *JSON) Unlimited() bool { return len(j.places) > 0 }

// LimitEdits returns the edits of the body that put Limit into these calls.
func (j *JSON) LimitEdits(protocol normalize.Protocol) []jsonscan.Edit {
	value := strconv.Itoa(int(j.Limit))
	alone := strconv.Quote(LimitField(protocol)) + ":" + value
	edits := make([]jsonscan.Edit, len(j.places))
	for i, p := range j.places {
		switch {
		case p.null != span{}:
			edits[i] = jsonscan.Edit{From: p.null.from, To: p.null.to, Text: []byte(value)}
		case p.empty:
			edits[i] = jsonscan.Edit{From: p.open, To: p.open, Text: []byte(alone)}
		default:
			edits[i] = jsonscan.Edit{From: p.open, To: p.open, Text: []byte(alone + ",")}
		}
	}
	slices.SortFunc(edits, func(a, b jsonscan.Edit) int { return cmp.Compare(a.From, b.From) })
	return edits
}
