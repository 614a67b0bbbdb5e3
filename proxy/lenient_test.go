package proxy

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"math"
	"mime/multipart"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf16"

	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/price"
	"github.com/neuronward/neuronward/quota/tokens"
	"github.com/neuronward/neuronward/quota/workload"
)

// lenientBill is what an upstream bills that makes sense of a call in any way that it can, in the dearest one: it
// decompresses, decodes UTF-16, skips byte order marks and what follows the JSON, takes the dearer of two fields of
// one name, and takes every Content-Type and boundary that it is given. Each byte of a prompt is a token, and a model
// puts out all that it may.
func lenientBill(r *http.Request, body []byte) (cost quota.Neurons) {
	text := plainText(body)
	values := lenientObject(text)
	models := values["model"]
	for _, below := range []string{"/run/", "/workers-ai/"} {
		if _, model, found := strings.Cut(r.URL.Path, below); found && strings.HasPrefix(model, "@") {
			quoted, err := json.Marshal(strings.ToLower(model))
			if err != nil {
				panic(err) // a string has JSON
			}
			models = append(models, quoted)
		}
	}
	row := price.Row{InputPerM: 45_170, OutputPerM: 443_756} // of a model that is not known
	for _, raw := range models {
		var model string
		if json.Unmarshal(raw, &model) != nil {
			continue
		}
		if known, ok := price.Embedded().Row(model); ok && (len(models) == 1 || known.InputPerM >= row.InputPerM) {
			row = known
		}
	}
	cost = lenientCost(row, values)
	for _, input := range values["input"] {
		cost = max(cost, lenientCost(row, lenientObject(input)))
	}
	batch := quota.Neurons(0)
	for _, requests := range values["requests"] {
		var list []json.RawMessage
		if json.Unmarshal(requests, &list) != nil {
			continue
		}
		for _, one := range list {
			fields := lenientObject(one)
			dearest := lenientCost(row, fields)
			for _, input := range fields["input"] {
				dearest = max(dearest, lenientCost(row, lenientObject(input)))
			}
			batch += dearest
		}
	}
	cost = max(cost, batch)
	for _, kind := range r.Header["Content-Type"] {
		if strings.HasPrefix(kind, "audio/") {
			cost = max(cost, neurons(float64(len(frames))/2000/60*row.AudioMinute))
		}
		for _, boundary := range boundaries.FindAllStringSubmatch(kind, -1) {
			cost = max(cost, lenientCost(row, formFields(body, boundary[1])))
		}
	}
	return cost
}

var boundaries = regexp.MustCompile(`boundary=([^;,]+)`)

// lenientCost is what a model costs that is called with these fields.
func lenientCost(row price.Row, fields map[string][]json.RawMessage) quota.Neurons {
	largest := func(name string, otherwise float64) float64 {
		n := -1.0
		for _, raw := range fields[name] {
			v, err := strconv.ParseFloat(strings.Trim(string(raw), `" `), 64)
			if err != nil {
				v = otherwise
			}
			n = max(n, v)
		}
		if n < 0 {
			return otherwise
		}
		return n
	}
	prompt := int64(0)
	for _, name := range []string{"prompt", "messages", "text"} {
		longest := int64(0)
		for _, raw := range fields[name] {
			longest = max(longest, tokens.Count(raw))
		}
		prompt += longest
	}
	if prompt == 0 {
		return 0
	}
	tiles := math.Ceil(largest("width", 1024)/workload.TileSide) * math.Ceil(largest("height", 768)/workload.TileSide)
	return neurons(float64(prompt)*(row.InputPerM/1e6+row.CharactersPerK*0.9/1000) +
		largest("max_tokens", 256)*row.OutputPerM/1e6 + tiles*row.OutputTile)
}

func neurons(n float64) quota.Neurons { return quota.FromFloat(n) }

// lenientObject returns the members of the first JSON object in a text, each with every value that it is given.
func lenientObject(text []byte) map[string][]json.RawMessage {
	d := json.NewDecoder(bytes.NewReader(text))
	if open, err := d.Token(); err != nil || open != json.Delim('{') {
		return nil
	}
	values := map[string][]json.RawMessage{}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			break
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			break
		}
		values[name.(string)] = append(values[name.(string)], value)
	}
	return values
}

// formFields returns the fields of a form as JSON strings.
func formFields(body []byte, boundary string) map[string][]json.RawMessage {
	values := map[string][]json.RawMessage{}
	for parts := multipart.NewReader(bytes.NewReader(body), boundary); ; {
		part, err := parts.NextPart()
		if err != nil {
			return values
		}
		value, err := io.ReadAll(part)
		if err != nil {
			return values
		}
		values[part.FormName()] = append(values[part.FormName()], strconv.AppendQuote(nil, string(value)))
	}
}

// plainText returns a text without its compression, its UTF-16, and what stands in front of it.
func plainText(body []byte) []byte {
	if r, err := gzip.NewReader(bytes.NewReader(body)); err == nil {
		if text, err := io.ReadAll(r); err == nil {
			body = text
		}
	}
	if i := bytes.IndexByte(body, 0); i >= 0 && i < 4 {
		var units []uint16
		for j := 0; j+1 < len(body); j += 2 {
			unit := uint16(body[j]) | uint16(body[j+1])<<8
			if i%2 == 0 {
				unit = unit>>8 | unit<<8
			}
			units = append(units, unit)
		}
		body = []byte(string(utf16.Decode(units)))
	}
	return bytes.TrimLeft(body, " \t\r\n\ufeff")
}
