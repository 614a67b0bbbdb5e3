// Package words writes numbers and times for people, as the page and the verdict show them. It imports no other package
// of this module, and has no locks. Begin with Rounded.
package words

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Rounded shows n: a whole number from 100 on, with commas between thousands.
func Rounded(n float64) string {
	switch abs := math.Abs(n); {
	case abs == 0:
		return "0"
	case abs < 0.01:
		return "under 0.01"
	case abs < 100:
		return strings.TrimSuffix(strconv.FormatFloat(n, 'f', 2, 64), ".00")
	}
	return Grouped(int64(math.Round(n)))
}

// About shows two digits of an estimate.
func About(n float64) string {
	if n < 100 {
		return Rounded(math.Round(n))
	}
	step := math.Pow(10, math.Floor(math.Log10(n))-1)
	return Rounded(math.Round(n/step) * step)
}

// Between shows two digits of an estimate that lies between low and high.
func Between(low, high float64) string {
	from, to := About(low), About(high)
	if from == to {
		return "about " + from
	}
	return from + " to " + to
}

// Grouped shows n, a whole number, with commas between thousands.
func Grouped(n any) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// Plural is n, a whole number, with the noun that fits.
func Plural(n any, one, many string) string {
	s := Grouped(n)
	if s == "1" {
		return s + " " + one
	}
	return s + " " + many
}

// Span shows a time that is left: 2 h 20 min, 4 min, 30 s.
func Span(d time.Duration) string {
	d = max(d, 0)
	switch minutes := int(d.Round(time.Minute) / time.Minute); {
	case d < 90*time.Second:
		return fmt.Sprintf("%d s", int(math.Round(d.Seconds())))
	case minutes < 60:
		return fmt.Sprintf("%d min", minutes)
	case minutes%60 == 0:
		return fmt.Sprintf("%d h", minutes/60)
	default:
		return fmt.Sprintf("%d h %d min", minutes/60, minutes%60)
	}
}

// List joins names for people, and counts those beyond the first three.
func List(names []string) string {
	if len(names) > 4 {
		names = append(append([]string{}, names[:3]...), strconv.Itoa(len(names)-3)+" more")
	}
	if last := len(names) - 1; last > 0 {
		return strings.Join(names[:last], ", ") + " and " + names[last]
	}
	return strings.Join(names, "")
}
