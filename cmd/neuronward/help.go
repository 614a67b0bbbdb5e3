package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/neuronward/neuronward/cmd/neuronward/config"
)

// textWidth is how wide texts for people are set, in characters.
const textWidth = 80

// overview is the help of the program.
func overview() string {
	var b strings.Builder
	b.WriteString(`neuronward is a proxy between apps and Cloudflare Workers AI: it keeps the
token, turns every failure into one error envelope, and counts all of it.

Usage:

  neuronward [COMMAND] [-h]

Commands:

`)
	for _, c := range commands() {
		b.WriteString(paragraph(fmt.Sprintf("  %-13s", c.name), strings.Repeat(" ", 15), c.summary))
	}
	b.WriteString(`
Start here:

  neuronward demo

or, with an account:

  export CLOUDFLARE_ACCOUNT_ID=… CLOUDFLARE_API_TOKEN=…
  neuronward

Apps then use http://127.0.0.1:3036/v1 as their OpenAI base URL. The
configuration is the environment: neuronward serve -h lists it.
`)
	return b.String()
}

// variableTable writes the variables of these names for a help text, or all of them by group if there are none.
func variableTable(names ...string) string {
	var b strings.Builder
	group := ""
	for _, v := range append(config.Variables(), config.TelemetryVariables(false)...) {
		if len(names) > 0 && !slices.Contains(names, v.Name) {
			continue
		}
		if len(names) == 0 && v.Group != group {
			if group = v.Group; b.Len() > 0 {
				b.WriteString("\n")
			}
			fmt.Fprintf(&b, "%s:\n\n", group)
		}
		name := v.Name
		if v.Twin {
			name += ", …" + config.FileSuffix
		}
		doc := v.Doc
		if v.Choices != nil {
			doc = strings.Join(v.Choices, ", ") + ": " + doc
		}
		if v.Default != "" && v.Default != "required" {
			doc += " (" + v.Default + ")"
		} else if v.Default == "required" {
			doc += " (required)"
		}
		fmt.Fprintf(&b, "  %s\n%s", name, paragraph("      ", "      ", doc))
	}
	return b.String()
}

// paragraph sets text in lines of at most textWidth characters; the first begins with first, the others with next.
func paragraph(first, next, text string) string {
	var b strings.Builder
	line, width := first, len([]rune(first))
	empty := true
	for word := range strings.FieldsSeq(text) {
		n := len([]rune(word))
		if !empty && width+1+n > textWidth {
			b.WriteString(line + "\n")
			line, width, empty = next, len([]rune(next)), true
		}
		if !empty {
			line, width = line+" ", width+1
		}
		line, width, empty = line+word, width+n, false
	}
	b.WriteString(strings.TrimRight(line, " ") + "\n")
	return b.String()
}
