package config

import (
	"fmt"
	"slices"
	"strings"
)

// A Mistake is one thing that is wrong with the configuration, in one line.
type Mistake struct {
	Variable string `json:"variable"`
	Problem  string `json:"problem"` // what is wrong, a semicolon, what to do instead
}

func (m Mistake) Error() string { return m.Variable + ": " + m.Problem }

// Mistakes are all that is wrong with a configuration, in the order of the table of variables.
type Mistakes []Mistake

// Error returns the mistakes, one line each.
func (m Mistakes) Error() string {
	lines := make([]string, len(m))
	for i, one := range m {
		lines[i] = one.Error()
	}
	return strings.Join(lines, "\n")
}

func (m *Mistakes) add(variable, format string, args ...any) {
	*m = append(*m, Mistake{variable, fmt.Sprintf(format, args...)})
}

// in reports whether there is a mistake in the variable.
func (m Mistakes) in(variable string) bool {
	return slices.ContainsFunc(m, func(one Mistake) bool { return one.Variable == variable })
}
