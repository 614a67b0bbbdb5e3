package schema

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// ErrNone says that no value was found that satisfies the schema.
var ErrNone = errors.New("no value was found that satisfies the JSON schema")

const (
	maxTries  = 24      // whole values that are made before it is given up
	maxNodes  = 4_000   // values inside of one, those thrown away included
	maxDepth  = 64      // levels of values
	maxLength = 100_000 // characters of a text, items of a list
	maxWays   = 100_000 // in which the validator comes to look at one value

	maxExponent = 400 // of a number: beyond the range of doubles, and short of hours of computing
)

// A Schema is a compiled JSON Schema. It is safe for many goroutines.
type Schema struct {
	root    *jsonschema.Schema
	heights map[*jsonschema.Schema]int
}

// location is the address of the document. Nothing is loaded from it.
const location = "schema:///root"

// drafts are tried in this order on a schema that names none: some forms are valid in one of them alone.
var drafts = []*jsonschema.Draft{jsonschema.Draft2020, jsonschema.Draft7, jsonschema.Draft4}

// Compile reads a JSON Schema.
func Compile(raw []byte) (*Schema, error) {
	var first error
	for _, draft := range drafts {
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
		if err != nil {
			return nil, fmt.Errorf("the JSON schema is no JSON: %w", err)
		}
		if err := checkNumbers(doc); err != nil {
			return nil, err
		}
		c := jsonschema.NewCompiler()
		c.DefaultDraft(draft)
		c.AssertFormat()
		c.UseLoader(noLoader{})
		c.UseRegexpEngine(compilePattern)
		for _, name := range moreFormats {
			c.RegisterFormat(&jsonschema.Format{Name: name, Validate: func(any) error { return nil }})
		}
		if err := c.AddResource(location, doc); err != nil {
			return nil, err
		}
		root, err := c.Compile(location)
		if err == nil {
			if doubles(root) {
				return nil, errors.New("the JSON schema leads to one of its parts in too many ways")
			}
			return &Schema{root: root, heights: heightsOf(root)}, nil
		}
		if first == nil {
			first = err
		}
	}
	return nil, first
}

// doubles reports whether to validate a value of a schema that s leads to takes for ever.
func doubles(s *jsonschema.Schema) bool {
	all, known := make(map[*jsonschema.Schema]bool), make(map[*jsonschema.Schema]int)
	collect(s, all)
	for sub := range all {
		if waysOf(sub, known) > maxWays {
			return true
		}
	}
	return false
}

// waysOf returns in how many ways a value of s is looked at: each reference doubles it that is made twice.
func waysOf(s *jsonschema.Schema, known map[*jsonschema.Schema]int) int {
	if s == nil {
		return 0
	}
	ways, ok := known[s]
	if ok {
		return ways
	}
	known[s] = 0 // until it is known; no value is looked at in a circle
	ways = 1
	for _, list := range [][]*jsonschema.Schema{together(s), s.AnyOf, s.OneOf, {s.Not, s.If, s.Then, s.Else}} {
		for _, sub := range list {
			ways = min(ways+waysOf(sub, known), maxWays+1)
		}
	}
	known[s] = ways
	return ways
}

// checkNumbers refuses numbers that are beyond computing.
func checkNumbers(doc any) error {
	switch v := doc.(type) {
	case json.Number:
		_, exponent, ok := strings.Cut(strings.ToLower(string(v)), "e")
		if n, err := strconv.Atoi(exponent); ok && (err != nil || n < -maxExponent || n > maxExponent) {
			return fmt.Errorf("the number %.20s… of the JSON schema is beyond the range of doubles", v)
		}
	case []any:
		for _, item := range v {
			if err := checkNumbers(item); err != nil {
				return err
			}
		}
	case map[string]any:
		for _, member := range v {
			if err := checkNumbers(member); err != nil {
				return err
			}
		}
	}
	return nil
}

// noLoader refuses documents that are elsewhere.
type noLoader struct{}

func (noLoader) Load(url string) (any, error) { return nil, fmt.Errorf("%s is not loaded", url) }

// Value returns a value that satisfies s, on one line. Its error is ErrNone. Members stand in the order in which s
// requires them, then the others by name.
func (s *Schema) Value(seed uint64) (json.RawMessage, error) {
	nodes := 0
	for try := range uint64(maxTries) {
		m := maker{
			Schema: s, try: try, nodes: &nodes,
			rnd: rand.New(rand.NewPCG(seed, try)), //nolint:gosec // made-up values, not secrets
		}
		if v, ok := m.make([]*jsonschema.Schema{s.root}, "", 0); ok {
			return v.raw, nil
		}
		if nodes > maxNodes {
			break
		}
	}
	return nil, ErrNone
}

// heightsOf returns how many levels of values the smallest value of each schema has that s leads to. Those without an
// end are not in it.
func heightsOf(s *jsonschema.Schema) map[*jsonschema.Schema]int {
	all := make(map[*jsonschema.Schema]bool)
	collect(s, all)
	heights := make(map[*jsonschema.Schema]int, len(all))
	for range len(all) + 1 {
		changed := false
		for s := range all {
			h, ends := heightOf(s, heights)
			if old, known := heights[s]; ends && (!known || h < old) {
				heights[s], changed = h, true
			}
		}
		if !changed {
			break
		}
	}
	return heights
}

func collect(s *jsonschema.Schema, all map[*jsonschema.Schema]bool) {
	if s == nil || all[s] {
		return
	}
	all[s] = true
	for _, list := range [][]*jsonschema.Schema{
		together(s), s.AnyOf, s.OneOf, s.PrefixItems, itemsOf(s),
		{s.If, s.Then, s.Else, s.Items2020, s.Contains, s.PropertyNames},
	} {
		for _, sub := range list {
			collect(sub, all)
		}
	}
	for _, sub := range s.Properties {
		collect(sub, all)
	}
	for _, sub := range s.PatternProperties {
		collect(sub, all)
	}
	for _, any := range []any{s.AdditionalProperties, s.AdditionalItems} {
		if sub, ok := any.(*jsonschema.Schema); ok {
			collect(sub, all)
		}
	}
}

// heightOf is the height of s by those that are known so far; false where they do not tell it.
func heightOf(s *jsonschema.Schema, known map[*jsonschema.Schema]int) (int, bool) {
	height := 0
	needs := func(sub *jsonschema.Schema, more int) bool {
		h, ok := known[sub]
		height = max(height, h+more)
		return ok
	}
	for _, sub := range together(s) {
		if !needs(sub, 0) {
			return 0, false
		}
	}
	for _, branches := range [][]*jsonschema.Schema{s.AnyOf, s.OneOf} {
		least, ends := 0, len(branches) == 0
		for _, sub := range branches {
			if h, ok := known[sub]; ok && (!ends || h < least) {
				least, ends = h, true
			}
		}
		if !ends {
			return 0, false
		}
		height = max(height, least)
	}
	types := typesOf(s)
	if !types["object"] && !types["array"] || types["null"] || types["string"] || types["number"] {
		return height, true // a value without members will do
	}
	if types["object"] {
		for _, name := range s.Required {
			if sub := s.Properties[name]; sub != nil && !needs(sub, 1) {
				return 0, false
			}
		}
	}
	if types["array"] && s.MinItems != nil && *s.MinItems > 0 {
		for _, sub := range append(slices.Clip(s.PrefixItems[:min(len(s.PrefixItems), *s.MinItems)]), s.Items2020) {
			if sub != nil && !needs(sub, 1) {
				return 0, false
			}
		}
	}
	return height, true
}

// together are the schemas that a value of s has to satisfy as well.
func together(s *jsonschema.Schema) []*jsonschema.Schema {
	all := append([]*jsonschema.Schema{s.Ref, s.RecursiveRef}, s.AllOf...)
	if s.DynamicRef != nil {
		all = append(all, s.DynamicRef.Ref)
	}
	// Those of members that are there: a value that satisfies them without need is right, too.
	for _, name := range sorted(s.DependentSchemas) {
		all = append(all, s.DependentSchemas[name])
	}
	for _, name := range sorted(s.Dependencies) {
		if sub, ok := s.Dependencies[name].(*jsonschema.Schema); ok {
			all = append(all, sub)
		}
	}
	there := all[:0]
	for _, sub := range all {
		if sub != nil {
			there = append(there, sub)
		}
	}
	return there
}
