package schema

import (
	"slices"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// uniqueTries are how often an item is made again that stands there already.
const uniqueTries = 40

func (m *maker) array(all []*jsonschema.Schema, name string, depth int) (value, bool) {
	minimum, maximum := 0, maxLength
	unique := false
	var contains []*jsonschema.Schema
	for _, s := range all {
		if s.MinItems != nil {
			minimum = max(minimum, *s.MinItems)
		}
		if s.MaxItems != nil {
			maximum = min(maximum, *s.MaxItems)
		}
		unique = unique || s.UniqueItems
		if s.Contains != nil {
			n := 1
			if s.MinContains != nil {
				n = *s.MinContains
			}
			for range min(n, maxLength) {
				contains = append(contains, s.Contains)
			}
		}
	}
	n := max(minimum, len(contains))
	if depth < fullDepth && m.try < maxTries/2 && *m.nodes < maxOptional {
		n = max(n, min(1+m.rnd.IntN(2), maximum))
	}
	if n > maximum || minimum > maxLength {
		return value{}, false
	}
	list, raw := make([]any, 0, n), []byte{'['}
	for i := range n {
		conj, ok := itemOf(all, i)
		if !ok {
			break
		}
		if i < len(contains) {
			conj = append(conj, contains[i])
		}
		v, ok := m.item(conj, name, depth, list, unique)
		if !ok {
			break
		}
		if i > 0 {
			raw = append(raw, ',')
		}
		list, raw = append(list, v.v), append(raw, v.raw...)
	}
	if len(list) < minimum {
		return value{}, false
	}
	return value{list, append(raw, ']')}, true
}

// item makes the next item of list.
func (m *maker) item(conj []*jsonschema.Schema, name string, depth int, list []any, unique bool) (value, bool) {
	for range uniqueTries {
		v, ok := m.make(conj, name, depth+1)
		if !ok {
			return value{}, false
		}
		same := func(other any) bool { return string(valueOf(other).raw) == string(valueOf(v.v).raw) }
		if !unique || !slices.ContainsFunc(list, same) {
			return v, true
		}
	}
	return value{}, false
}

// itemOf returns what an item at i has to satisfy; false where there may be none.
func itemOf(all []*jsonschema.Schema, i int) ([]*jsonschema.Schema, bool) {
	var conj []*jsonschema.Schema
	for _, s := range all {
		first, rest := s.PrefixItems, any(s.Items2020)
		if s.Items2020 == nil {
			rest = nil
		}
		switch items := s.Items.(type) { // until draft 2019-09
		case []*jsonschema.Schema:
			first, rest = items, s.AdditionalItems
		case *jsonschema.Schema, bool:
			rest = items
		}
		if i < len(first) {
			conj = append(conj, first[i])
			continue
		}
		switch rest := rest.(type) {
		case bool:
			if !rest {
				return nil, false
			}
		case *jsonschema.Schema:
			if rest.Bool != nil && !*rest.Bool {
				return nil, false
			}
			conj = append(conj, rest)
		}
	}
	return conj, true
}

// itemsOf are the schemas of items in the form that items had until draft 2019-09.
func itemsOf(s *jsonschema.Schema) []*jsonschema.Schema {
	switch items := s.Items.(type) {
	case []*jsonschema.Schema:
		return items
	case *jsonschema.Schema:
		return []*jsonschema.Schema{items}
	}
	return nil
}
