package otlptest

import (
	"fmt"
	"slices"
	"strings"
)

// Tree draws spans as text, one line each: its name, its service and kind, and those of its attributes that are named.
func Tree(spans []Span, named ...string) string {
	var rows [][2]string
	known := func(id string) bool { return slices.ContainsFunc(spans, func(s Span) bool { return s.ID == id }) }
	var draw func(s Span, indent, branch string)
	draw = func(s Span, indent, branch string) {
		facts := []string{s.Service + " " + strings.ToLower(strings.TrimPrefix(s.Kind.String(), "SPAN_KIND_"))}
		for _, name := range named {
			if v, ok := s.Attrs[name]; ok {
				facts = append(facts, fmt.Sprintf("%s=%v", name, v))
			}
		}
		for _, e := range s.Events {
			facts = append(facts, "event "+e.Name)
		}
		rows = append(rows, [2]string{indent + branch + s.Name, strings.Join(facts, "  ")})
		children := slices.DeleteFunc(slices.Clone(spans), func(o Span) bool { return o.Parent != s.ID })
		switch branch {
		case "├─ ":
			indent += "│  "
		case "└─ ":
			indent += "   "
		}
		for i, child := range children {
			if i == len(children)-1 {
				draw(child, indent, "└─ ")
			} else {
				draw(child, indent, "├─ ")
			}
		}
	}
	for _, s := range spans {
		if !known(s.Parent) {
			draw(s, "", "")
		}
	}
	width := 0
	for _, r := range rows {
		width = max(width, len([]rune(r[0])))
	}
	var b strings.Builder
	for _, r := range rows {
		fmt.Fprintf(&b, "%s%s  %s\n", r[0], strings.Repeat(" ", width-len([]rune(r[0]))), r[1])
	}
	return b.String()
}
