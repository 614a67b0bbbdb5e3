package workersai

import (
	"fmt"
	"mime"
	"path"
	"strings"
)

type document struct {
	Extension string `json:"extension"`
	MimeType  string `json:"mimeType"`
}

// documents are what tomarkdown takes.
var documents = []document{
	{".pdf", "application/pdf"},
	{".jpeg", "image/jpeg"},
	{".jpg", "image/jpeg"},
	{".png", "image/png"},
	{".webp", "image/webp"},
	{".svg", "image/svg+xml"},
	{".html", "text/html"},
	{".xml", "application/xml"},
	{".csv", "text/csv"},
	{".txt", "text/plain"},
	{".docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"},
	{".xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"},
}

type markdown struct {
	ID       string `json:"id"`
	Name     string `json:"name"`
	MimeType string `json:"mimeType"`
	Format   string `json:"format"`
	Tokens   int64  `json:"tokens"`
	Data     string `json:"data,omitempty"`
	Error    string `json:"error,omitempty"`
}

// toMarkdown answers POST tomarkdown: each file of the form by itself. One that is
// not supported fails alone. It costs nothing, since no image is described.
func (x *exchange) toMarkdown() *failure {
	parts, ok, f := x.parts()
	if f != nil {
		return f
	}
	if !ok {
		return refuse(3003)
	}
	results := []markdown{}
	for i, p := range parts {
		if p.file == "" {
			continue
		}
		m := markdown{ID: fmt.Sprintf("%s-%d", x.id, i), Name: p.file, Format: "error", Error: "Unsupported file type"}
		m.MimeType, _, _ = mime.ParseMediaType(p.kind) // "" when it does not parse
		for _, d := range documents {
			if d.Extension == strings.ToLower(path.Ext(p.file)) {
				m.MimeType, m.Format, m.Error = d.MimeType, "markdown", ""
				m.Data = fmt.Sprintf("# %s\n\nA simulated conversion of %d bytes.\n", p.file, len(p.data))
				m.Tokens = CountTokens(m.Data)
			}
		}
		results = append(results, m)
	}
	if len(results) == 0 {
		return badInput("required properties at '/' are 'files'")
	}
	return x.reads(wrap(results))
}
