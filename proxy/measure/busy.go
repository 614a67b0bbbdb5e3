package measure

import "bytes"

// RejectIfBusy reports whether the body asks for an answer at once when the model is out of capacity, by the field
// "rejectIfBusy" of its "options". The names count in any case of letters: a caller who meant it must not wait.
func (j *JSON) RejectIfBusy() bool { return j.busy.body || j.busy.input && !j.busy.mistyped }

// rejection is what a body says about "rejectIfBusy".
type rejection struct {
	body, input bool // in the "options" of the body, and in those of its "input"
	mistyped    bool // one of the fields has a wrong type: the input is not as it should be
}

// options reads the field "options" and sets busy to its "rejectIfBusy".
func (r *reader) options(busy *bool) error {
	if r.Peek() != '{' {
		r.expectNull()
		return r.Skip()
	}
	return r.Object(func(name []byte) error {
		if bytes.EqualFold(name, []byte("rejectIfBusy")) {
			switch r.Peek() {
			case 't':
				*busy = true
			case 'f':
				*busy = false
			default:
				r.expectNull()
			}
		}
		return r.Skip()
	})
}

// inputOptions reads the field "input" where only its "options" matter.
func (r *reader) inputOptions() error {
	if r.Peek() != '{' {
		r.expectNull()
		return r.Skip()
	}
	return r.Object(func(name []byte) error {
		if isOptions(name) {
			return r.options(&r.j.busy.input)
		}
		return r.Skip()
	})
}

func (r *reader) expectNull() { r.j.busy.mistyped = r.j.busy.mistyped || r.Peek() != 'n' }

func isOptions(name []byte) bool { return bytes.EqualFold(name, []byte("options")) }
