package outputlimit

import (
	"fmt"
	"sort"
	"strconv"
)

// What Fit chooses between, in tokens.
const (
	MinFit = 256
	MaxFit = 16_384
)

const fit = "fit"

// A Default is the limit of calls that name none: a number of tokens, or Fit. The zero value is no limit.
type Default struct {
	Tokens int64
	Fit    bool // the largest between MinFit and MaxFit that fits what is left; Tokens is 0
}

// Parse reads a number of tokens, or the word fit. shown quotes text for the error, which says what to write.
func Parse(text string, shown func(string) string) (Default, error) {
	if text == fit {
		return Default{Fit: true}, nil
	}
	const maxTokens = 10_000_000 // more than any context window
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 1 || n > maxTokens {
		return Default{}, fmt.Errorf("%s is no number of tokens above 0; write one such as 1024, or fit", shown(text))
	}
	return Default{Tokens: n}, nil
}

// String returns d as Parse reads it, "" for none.
func (d Default) String() string {
	switch {
	case d.Fit:
		return fit
	case d.Tokens == 0:
		return ""
	}
	return strconv.FormatInt(d.Tokens, 10)
}

// IsSet reports whether there is a limit.
func (d Default) IsSet() bool { return d != Default{} }

// Most is the largest limit that d chooses.
func (d Default) Most() int64 {
	if d.Fit {
		return MaxFit
	}
	return d.Tokens
}

// Choose returns the limit of a call. room is what the model's context window has beside the prompt: no more is
// chosen, but for MinFit tokens, since what a prompt is taken for may be more than it is. fits reports whether the
// call could be made at once with a limit, and is asked for Fit alone; where even MinFit does not, that is the limit.
func (d Default) Choose(room int64, fits func(limit int64) bool) int64 {
	most := min(d.Most(), max(room, MinFit))
	if !d.Fit {
		return most
	}
	more := sort.Search(int(most-MinFit), func(i int) bool { return !fits(MinFit + 1 + int64(i)) })
	return MinFit + int64(more)
}
