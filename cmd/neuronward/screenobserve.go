package main

import (
	"fmt"
	"strings"

	"github.com/neuronward/neuronward/cmd/neuronward/admin/status"
)

// wouldRefuse writes whose calls would have been refused, and nothing if there are none.
func (s screen) wouldRefuse(b *strings.Builder, d status.Today) {
	const title = "would be refused"
	width := len(title)
	var rows [][2]string
	add := func(name string, r status.Reasons) {
		if len(r) > 0 {
			rows = append(rows, [2]string{s.name(name), r.String()})
			width = max(width, len([]rune(s.name(name))))
		}
	}
	for _, c := range d.Clients {
		add(c.Name, c.WouldRefuse)
	}
	for _, m := range d.Models {
		add(m.Name, m.WouldRefuse)
	}
	for i, row := range rows {
		if i == 0 {
			fmt.Fprintf(b, "\n  %-*s  %s\n", width, title, "calls by reason, in the process that was asked")
		}
		fmt.Fprintf(b, "  %-*s  %s\n", width, row[0], row[1])
	}
}
