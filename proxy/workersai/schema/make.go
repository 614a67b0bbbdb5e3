package schema

import (
	"cmp"
	"encoding/json"
	"maps"
	"math/rand/v2"
	"slices"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// fullDepth is the level of values beyond which what may be left out is.
const fullDepth = 3

// localTries are how often a value is made again before what holds it is.
const localTries = 4

// maker makes one value. The first try takes the first branch of each choice and has all members; later ones vary.
type maker struct {
	*Schema

	rnd   *rand.Rand
	try   uint64
	nodes *int
}

// value is one that was made, for the validator and as it is written.
type value struct {
	v   any
	raw []byte
}

func valueOf(v any) value {
	raw, err := json.Marshal(v)
	if err != nil {
		panic("schema: " + err.Error()) // it came out of JSON, or is a text
	}
	return value{v, raw}
}

// make returns a value that satisfies all of conj; name is that of the member that it is for.
func (m *maker) make(conj []*jsonschema.Schema, name string, depth int) (value, bool) {
	for range localTries {
		if *m.nodes++; *m.nodes > maxNodes || depth > maxDepth {
			return value{}, false
		}
		all, ok := m.flatten(conj, depth)
		if !ok {
			continue
		}
		if v, ok := m.pick(all, name, depth); ok && satisfies(v.v, conj) {
			return v, true
		}
	}
	return value{}, false
}

func satisfies(v any, all []*jsonschema.Schema) bool {
	return !slices.ContainsFunc(all, func(s *jsonschema.Schema) bool { return s.Validate(v) != nil })
}

// flatten returns conj with what it refers to and one branch of each of its choices.
func (m *maker) flatten(conj []*jsonschema.Schema, depth int) ([]*jsonschema.Schema, bool) {
	var all []*jsonschema.Schema
	todo := slices.Clone(conj)
	for len(todo) > 0 {
		s := todo[0]
		todo = todo[1:]
		if slices.Contains(all, s) {
			continue
		}
		if s.Bool != nil && !*s.Bool {
			return nil, false
		}
		all = append(all, s)
		todo = append(todo, together(s)...)
		for _, branches := range [][]*jsonschema.Schema{s.AnyOf, s.OneOf} {
			if len(branches) > 0 {
				todo = append(todo, m.branch(branches, depth))
			}
		}
		if s.If != nil && (s.Then != nil || s.Else != nil) {
			yes := s.Then != nil
			if m.try > 0 {
				yes = m.rnd.IntN(2) == 0
			}
			if yes {
				todo = append(todo, s.If)
			}
			if sub := s.Then; yes && sub != nil {
				todo = append(todo, sub)
			} else if sub := s.Else; !yes && sub != nil {
				todo = append(todo, sub)
			}
		}
	}
	return all, true
}

// branch chooses one: the first that is not null, later any, and deep inside one that comes to an end soonest.
func (m *maker) branch(branches []*jsonschema.Schema, depth int) *jsonschema.Schema {
	order := slices.Clone(branches)
	if m.try > 0 {
		m.rnd.Shuffle(len(order), func(i, k int) { order[i], order[k] = order[k], order[i] })
	} else {
		slices.SortStableFunc(order, func(a, b *jsonschema.Schema) int { return cmp.Compare(onlyNull(a), onlyNull(b)) })
	}
	height := func(s *jsonschema.Schema) int {
		h, ok := m.heights[s]
		if !ok {
			return maxDepth
		}
		return h
	}
	if depth >= fullDepth {
		slices.SortStableFunc(order, func(a, b *jsonschema.Schema) int { return cmp.Compare(height(a), height(b)) })
	} else if i := slices.IndexFunc(order, func(s *jsonschema.Schema) bool { return height(s) < maxDepth }); i > 0 {
		return order[i]
	}
	return order[0]
}

func onlyNull(s *jsonschema.Schema) int {
	if s.Types != nil && slices.Equal(s.Types.ToStrings(), []string{"null"}) {
		return 1
	}
	return 0
}

// pick makes a value of one type that all allow.
func (m *maker) pick(all []*jsonschema.Schema, name string, depth int) (value, bool) {
	if v, listed, ok := m.listed(all); listed {
		return v, ok
	}
	kind := m.kind(all, depth)
	switch kind {
	case "object":
		return m.object(all, depth)
	case "array":
		return m.array(all, name, depth)
	case "string":
		return m.text(all, name)
	case "number", "integer":
		return m.number(all, kind == "integer")
	case "boolean":
		return valueOf(m.rnd.IntN(2) == 0), true
	case "null":
		return valueOf(nil), true
	}
	return value{}, false
}

// listed returns one of the values that all list in const and enum or, where they list none, suggest in examples and
// default. listed says that there are such.
func (m *maker) listed(all []*jsonschema.Schema) (v value, listed, ok bool) {
	var suggested []any
	for _, s := range all {
		var these []any
		switch {
		case s.Const != nil:
			these = []any{*s.Const}
		case s.Enum != nil:
			these = s.Enum.Values
		default:
			suggested = append(suggested, s.Examples...)
			if s.Default != nil {
				suggested = append(suggested, *s.Default)
			}
			continue
		}
		these = slices.DeleteFunc(slices.Clone(these), func(v any) bool { return !satisfies(v, all) })
		if len(these) == 0 {
			return value{}, true, false
		}
		if i := slices.Index(these, nil); i >= 0 && len(these) > 1 && m.try == 0 {
			these = slices.Delete(these, i, i+1)
		}
		return valueOf(these[m.rnd.IntN(len(these))]), true, true
	}
	suggested = slices.DeleteFunc(suggested, func(v any) bool {
		_, isText := v.(string)
		_, isNumber := v.(json.Number)
		return !isText && !isNumber || v == "" || !satisfies(v, all)
	})
	if len(suggested) == 0 || m.try > 1 {
		return value{}, false, false
	}
	return valueOf(suggested[m.rnd.IntN(len(suggested))]), true, true
}

// kind chooses a type that all allow: what their other keywords are about, and null where nothing else goes.
func (m *maker) kind(all []*jsonschema.Schema, depth int) string {
	allowed := map[string]bool{
		"object": true, "array": true, "string": true, "number": true, "integer": true, "boolean": true, "null": true,
	}
	meant := make(map[string]bool)
	for _, s := range all {
		types := typesOf(s)
		maps.DeleteFunc(allowed, func(kind string, _ bool) bool {
			return s.Types != nil && !types[kind] && !(kind == "integer" && types["number"])
		})
		if s.Types == nil && len(types) < len(everyType) {
			maps.Copy(meant, types)
		}
	}
	if allowed["number"] {
		delete(allowed, "integer")
	}
	order := []string{"object", "array", "string", "number", "integer", "boolean", "null"}
	if depth > fullDepth { // what holds others last
		order = []string{"string", "number", "integer", "boolean", "null", "array", "object"}
	}
	order = slices.DeleteFunc(order, func(kind string) bool { return !allowed[kind] })
	if len(order) == 0 {
		return ""
	}
	for _, kind := range order {
		if meant[kind] && m.try < maxTries/2 {
			return kind
		}
	}
	if m.try > 1 {
		return order[m.rnd.IntN(len(order))]
	}
	if len(allowed) >= len(everyType)-1 { // anything goes
		return "string"
	}
	return order[0]
}

var everyType = []string{"object", "array", "string", "number", "boolean", "null", "integer"}

// typesOf returns the types that s names or, where it names none, those that its keywords are about; all of them where
// they are about none.
func typesOf(s *jsonschema.Schema) map[string]bool {
	types := make(map[string]bool)
	if s.Types != nil {
		for _, kind := range s.Types.ToStrings() {
			types[kind] = true
		}
		return types
	}
	if len(s.Properties) > 0 || len(s.PatternProperties) > 0 || len(s.Required) > 0 || s.MinProperties != nil ||
		s.AdditionalProperties != nil || s.PropertyNames != nil {
		types["object"] = true
	}
	if s.Items != nil || s.Items2020 != nil || s.PrefixItems != nil || s.MinItems != nil || s.Contains != nil ||
		s.UniqueItems {
		types["array"] = true
	}
	if s.Pattern != nil || s.MinLength != nil || s.MaxLength != nil || s.Format != nil {
		types["string"] = true
	}
	if s.Minimum != nil || s.Maximum != nil || s.ExclusiveMinimum != nil || s.ExclusiveMaximum != nil ||
		s.MultipleOf != nil {
		types["number"] = true
	}
	if len(types) == 0 {
		for _, kind := range everyType {
			types[kind] = true
		}
	}
	return types
}

// sorted returns the keys of m in order, for the same values at each run.
func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
