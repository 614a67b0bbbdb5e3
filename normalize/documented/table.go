package main

import (
	"bytes"
	"regexp"
	"strconv"
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	extast "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/text"
)

// A row is one failure that a page documents.
type row struct {
	line     int
	code     int   // 0: it has none
	statuses []int // the usual one first; empty: the page does not say
	text     string
}

// readTables returns the rows of the tables that have a column of codes and one of HTTP statuses. A row with several
// codes is several rows; one that has no code and no text, or nothing but a code, says nothing and is left out.
func readTables(page []byte) (rows []row) {
	document := goldmark.New(goldmark.WithExtensions(extension.Table)).Parser().Parse(text.NewReader(page))
	_ = ast.Walk(document, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		table, ok := n.(*extast.Table)
		if !ok || !entering {
			return ast.WalkContinue, nil
		}
		var c columns
		for r := table.FirstChild(); r != nil; r = r.NextSibling() {
			cells := cellsOf(r, page)
			if r.Kind() == extast.KindTableHeader {
				c = findColumns(cells)
			} else if c.complete() {
				rows = append(rows, c.read(cells, lineOf(r, page))...)
			}
		}
		return ast.WalkSkipChildren, nil
	}) // which returns no error but ours
	return rows
}

// cellsOf returns the texts of a row's cells, without their markup.
func cellsOf(row ast.Node, page []byte) (cells []string) {
	for cell := row.FirstChild(); cell != nil; cell = cell.NextSibling() {
		var b strings.Builder
		_ = ast.Walk(cell, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
			switch n := n.(type) {
			case *ast.Text:
				if entering {
					b.Write(n.Value(page))
				}
			case *ast.String:
				if entering {
					b.Write(n.Value)
				}
			}
			return ast.WalkContinue, nil
		})
		cells = append(cells, strings.Join(strings.Fields(strings.ReplaceAll(b.String(), `\|`, "|")), " "))
	}
	return cells
}

// lineOf returns the number of the line that a row stands on.
func lineOf(row ast.Node, page []byte) int {
	at := 0
	_ = ast.Walk(row, func(n ast.Node, _ bool) (ast.WalkStatus, error) {
		if t, ok := n.(*ast.Text); ok {
			at = t.Segment.Start
			return ast.WalkStop, nil
		}
		return ast.WalkContinue, nil
	})
	return 1 + bytes.Count(page[:at], []byte("\n"))
}

// columns says in which cells of a row its parts stand; -1 is none.
type columns struct{ code, status, text, name int }

// findColumns finds them by the words of a table's head. The first that fits counts.
func findColumns(head []string) columns {
	c := columns{-1, -1, -1, -1}
	for i, cell := range head {
		has := func(words ...string) bool {
			for _, w := range words {
				if strings.Contains(strings.ToLower(cell), w) {
					return true
				}
			}
			return false
		}
		for _, column := range []struct {
			at   *int
			fits bool
		}{
			{&c.status, has("http", "status")},
			{&c.code, has("code", "number")},
			{&c.text, has("description", "message", "text")},
			{&c.name, has("name", "error", "meaning", "reason")},
		} {
			if column.fits {
				if *column.at < 0 {
					*column.at = i
				}
				break
			}
		}
	}
	if c.text < 0 {
		c.text = c.name
	}
	return c
}

func (c *columns) complete() bool { return c.code >= 0 && c.status >= 0 && c.text >= 0 }

var number = regexp.MustCompile(`\b[0-9]{3,5}\b`)

// read returns the failures of a row.
func (c *columns) read(cells []string, line int) (rows []row) {
	r := row{line: line, text: said(cells[c.text])}
	for _, s := range number.FindAllString(cells[c.status], -1) {
		if n, _ := strconv.Atoi(s); n >= 400 && n <= 599 {
			r.statuses = append(r.statuses, n)
		}
	}
	if len(r.statuses) == 0 && r.text == "" { // a line of text behind the table is a row of Markdown's as well
		return nil
	}
	for _, s := range number.FindAllString(cells[c.code], -1) {
		if n, _ := strconv.Atoi(s); n > 599 {
			r.code = n
			rows = append(rows, r)
		}
	}
	if len(rows) == 0 && r.text != "" {
		rows = append(rows, r)
	}
	return rows
}

// said is what a cell quotes: a remark in parentheses, a dash and a question mark quote nothing.
func said(cell string) string {
	if cell == "-" || cell == "?" || strings.HasPrefix(cell, "(") && strings.HasSuffix(cell, ")") {
		return ""
	}
	return cell
}

func orDash(numbers ...int) string {
	all := make([]string, 0, len(numbers))
	for _, n := range numbers {
		if n != 0 {
			all = append(all, strconv.Itoa(n))
		}
	}
	if len(all) == 0 {
		return "-"
	}
	return strings.Join(all, ", ")
}
