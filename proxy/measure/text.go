package measure

import (
	"math"
	"strconv"
	"strings"

	"github.com/neuronward/neuronward/proxy/jsonscan"
)

// wholeNumber reads a number, or a string that begins with one, and rounds it up. Everything else, and what is not
// above 0, is 0.
func wholeNumber(raw []byte) int64 {
	text := string(raw)
	if len(raw) > 1 && raw[0] == '"' {
		if unquoted, err := jsonscan.Unquote(raw); err == nil {
			text = strings.TrimSpace(unquoted)
		}
	}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil && !math.IsInf(v, 0) {
		digits := 0
		for digits < len(text) && text[digits]-'0' < 10 {
			digits++
		}
		v, _ = strconv.ParseFloat(text[:digits], 64) // 0 without digits
	}
	if math.IsNaN(v) || v <= 0 {
		return 0
	}
	return int64(math.Ceil(min(v, maxFigure)))
}

// maxFigure is the largest number that counts.
const maxFigure = 1e12

// sides reads the size of an image, "1024x768".
func sides(raw []byte) (width, height int64) {
	text, err := "", error(nil)
	if len(raw) > 1 && raw[0] == '"' {
		text, err = jsonscan.Unquote(raw)
	}
	w, h, ok := strings.Cut(strings.ToLower(text), "x")
	if err != nil || !ok {
		return 0, 0
	}
	return wholeNumber([]byte(w)), wholeNumber([]byte(h))
}
