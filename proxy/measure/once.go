package measure

import (
	"fmt"

	"github.com/neuronward/neuronward/proxy/jsonscan"
)

// repeated is the set of fields of an object that were read, of those in onceOnly.
type repeated uint32

// onceOnly are the fields that decide about a call, each with a bit of its own. Given twice they are refused, in a
// body, in its "input" and in each request of a batch: which of two values counts is upstream's secret, and one that
// is null may take the other back.
var onceOnly = func() map[string]repeated {
	fields := make(map[string]repeated)
	for i, name := range []string{
		"model", "stream", "input", "requests", "request_id",
		"max_tokens", "max_completion_tokens", "max_output_tokens", "n", "num_return_sequences", "best_of",
		"num_images", "num_outputs", "width", "height", "size", "image_size",
		"steps", "num_steps", "num_inference_steps",
	} {
		fields[name] = 1 << i
	}
	return fields
}()

// add adds a field, and refuses one that is there already.
func (seen *repeated) add(name []byte) error {
	field := onceOnly[string(name)]
	if *seen&field != 0 {
		return givenTwice(string(name))
	}
	*seen |= field
	return nil
}

func givenTwice(field string) error {
	return &jsonscan.FieldError{Field: field, Text: fmt.Sprintf("The field %q is given twice; give it once.", field)}
}
