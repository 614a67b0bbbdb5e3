package clients

import (
	"fmt"
	"strconv"
	"strings"
)

// A Mistake is one thing that is wrong with a clients file. Its message is one line.
type Mistake struct {
	File    string // as it was named
	Line    int    // from 1; 0: the file as a whole
	Problem string // what is wrong, a semicolon, what to do instead; never a key
}

func (m Mistake) Error() string {
	if m.Line == 0 {
		return m.File + " " + m.Problem
	}
	return fmt.Sprintf("%s:%d: %s", m.File, m.Line, m.Problem)
}

// Mistakes are all that is wrong with a clients file, in the order of its lines.
type Mistakes []Mistake

func (m Mistakes) Error() string { return m.First(len(m)) }

// First returns the first n mistakes, a line each, and how many more there are.
func (m Mistakes) First(n int) string {
	var b strings.Builder
	for i, mistake := range m {
		if i == n {
			fmt.Fprintf(&b, "\nand %d more", len(m)-n)
			break
		}
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(mistake.Error())
	}
	return b.String()
}

// shown quotes a value of the file for a message. A key in the wrong field is not repeated.
func shown(text string) string {
	const maxShown = 48
	switch {
	case strings.Contains(strings.ToLower(text), KeyPrefix):
		return "(a key)"
	case len(text) > maxShown:
		return strconv.Quote(text[:maxShown] + "…")
	}
	return strconv.Quote(text)
}
