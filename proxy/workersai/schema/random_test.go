package schema_test

import (
	"encoding/json"
	"errors"
	"math/rand/v2"
	"strconv"
	"testing"

	"github.com/neuronward/neuronward/proxy/workersai/schema"
)

// randomSchema is a schema of depth levels at most. What it asks for can be had.
func randomSchema(rnd *rand.Rand, depth int) map[string]any {
	kinds := []string{"string", "integer", "number", "boolean", "enum", "format", "pattern"}
	if depth > 0 {
		kinds = append(kinds, "object", "array", "anyOf", "allOf", "map", "nullable", "ref", "object", "array")
	}
	sub := func() map[string]any { return randomSchema(rnd, depth-1) }
	low := rnd.IntN(5)
	switch kind := kinds[rnd.IntN(len(kinds))]; kind {
	case "string":
		return map[string]any{"type": kind, "minLength": low, "maxLength": low + rnd.IntN(9)}
	case "integer":
		return map[string]any{"type": kind, "minimum": low - 3, "exclusiveMaximum": low + 2}
	case "number":
		return map[string]any{"type": kind, "exclusiveMinimum": float64(low) / 8, "maximum": low + 1}
	case "enum":
		return map[string]any{"enum": []any{"a", low, nil, true, []any{1}}}
	case "format":
		formats := []string{"date", "time", "date-time", "email", "uri", "uuid", "ipv4", "ipv6", "hostname", "duration"}
		return map[string]any{"type": "string", "format": formats[rnd.IntN(len(formats))]}
	case "pattern":
		patterns := []string{`^[A-Z]{2}\d{3,}$`, `(ab|cd)+`, `^\w+@\w+\.(com|org)$`, `^(?!no)[^\s"]{1,9}$`}
		return map[string]any{"type": "string", "pattern": patterns[rnd.IntN(len(patterns))]}
	case "object":
		properties, required := map[string]any{}, []any{}
		for i := range 1 + rnd.IntN(4) {
			name := "p" + strconv.Itoa(i)
			properties[name] = sub()
			if rnd.IntN(2) == 0 {
				required = append(required, name)
			}
		}
		return map[string]any{
			"type": kind, "properties": properties, "required": required, "additionalProperties": rnd.IntN(2) == 0,
		}
	case "array":
		return map[string]any{"type": kind, "items": sub(), "minItems": rnd.IntN(3), "maxItems": 2 + rnd.IntN(3)}
	case "anyOf":
		return map[string]any{"anyOf": []any{sub(), sub(), map[string]any{"type": "null"}}}
	case "allOf":
		return map[string]any{"allOf": []any{sub(), map[string]any{"title": "all"}}}
	case "map":
		return map[string]any{"type": "object", "additionalProperties": sub(), "minProperties": rnd.IntN(3)}
	case "nullable":
		list := map[string]any{"type": "array", "contains": sub()}
		return map[string]any{"oneOf": []any{map[string]any{"type": "null"}, list}}
	case "ref":
		properties := map[string]any{"again": map[string]any{"$ref": "#"}, "v": sub()}
		return map[string]any{"type": "object", "properties": properties}
	}
	return map[string]any{"type": "boolean"}
}

func TestRandomSchemas(t *testing.T) {
	for seed := range uint64(150) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		doc, err := json.Marshal(randomSchema(rnd, 4))
		if err != nil {
			t.Fatal(err)
		}
		s, err := schema.Compile(doc)
		if err != nil {
			t.Fatalf("%s: %v", doc, err)
		}
		want := validator(t, doc)
		for seed := range uint64(3) {
			v, err := s.Value(seed)
			if err != nil {
				t.Errorf("%s: %v", doc, err)
				continue
			}
			wantValid(t, want, v)
		}
	}
}

// FuzzValue: whatever the schema, there is a value that satisfies it or an error, and soon.
func FuzzValue(f *testing.F) {
	for _, doc := range append(lines(f, "testdata/hard.jsonl"), lines(f, "testdata/keywords.jsonl")...) {
		f.Add([]byte(doc), uint64(1))
	}
	f.Fuzz(func(t *testing.T, doc []byte, seed uint64) {
		s, err := schema.Compile(doc)
		if err != nil {
			return
		}
		v, err := s.Value(seed)
		if err == nil && !json.Valid(v) {
			t.Errorf("%s: got %s, want JSON", doc, v)
		}
		if err != nil && !errors.Is(err, schema.ErrNone) {
			t.Errorf("%s: got error %v, want %v", doc, err, schema.ErrNone)
		}
	})
}
