package schema

import (
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// maxOptional is the number of values made beyond which members that may be left out are.
const maxOptional = 100

func (m *maker) object(all []*jsonschema.Schema, depth int) (value, bool) {
	minimum, maximum := 0, maxLength
	for _, s := range all {
		if s.MinProperties != nil {
			minimum = max(minimum, *s.MinProperties)
		}
		if s.MaxProperties != nil {
			maximum = min(maximum, *s.MaxProperties)
		}
	}
	required := requiredOf(all)
	if len(required) > maximum || minimum > maxLength {
		return value{}, false
	}
	o := building{value: make(map[string]any)}
	for _, name := range required {
		conj, ok := memberOf(all, name)
		if !ok {
			return value{}, false
		}
		v, ok := m.make(conj, name, depth+1)
		if !ok {
			return value{}, false
		}
		o.add(name, v)
	}
	m.optional(all, &o, minimum, maximum, depth)
	m.extra(all, &o, max(minimum, m.entries(all, minimum, depth)), maximum, depth)
	if len(o.value) < minimum {
		return value{}, false
	}
	return value{o.value, o.raw()}, true
}

// requiredOf returns the names that all require, in their order, and those that these require in turn.
func requiredOf(all []*jsonschema.Schema) []string {
	var names []string
	add := func(more []string) {
		for _, name := range more {
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	for _, s := range all {
		add(s.Required)
	}
	for i := 0; i < len(names); i++ {
		for _, s := range all {
			add(s.DependentRequired[names[i]])
			if list, ok := s.Dependencies[names[i]].([]string); ok {
				add(list)
			}
		}
	}
	return names
}

// optional adds members that need not be there: all in the first try, and fewer in each of the next.
func (m *maker) optional(all []*jsonschema.Schema, o *building, minimum, maximum, depth int) {
	var names []string
	for _, s := range all {
		for _, name := range sorted(s.Properties) {
			if !o.has(name) && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	for _, name := range names {
		if len(o.value) >= maximum {
			return
		}
		wanted := m.rnd.IntN(maxTries) >= int(m.try) && depth < fullDepth && *m.nodes < maxOptional
		if !wanted && len(o.value) >= minimum {
			continue
		}
		needed := []string{name}
		for _, s := range all {
			needed = append(needed, s.DependentRequired[name]...)
		}
		if len(needed) > 1 && slices.ContainsFunc(needed[1:], func(n string) bool { return !o.has(n) }) {
			continue // the next try has it, or not
		}
		if conj, ok := memberOf(all, name); ok {
			if v, ok := m.make(conj, name, depth+1); ok {
				o.add(name, v)
			}
		}
	}
}

// entries is how many members an object has of which only the form of all is known.
func (m *maker) entries(all []*jsonschema.Schema, minimum, depth int) int {
	for _, s := range all {
		_, form := s.AdditionalProperties.(*jsonschema.Schema)
		if (form || len(s.PatternProperties) > 0) && depth < fullDepth && m.try < maxTries/2 {
			return max(minimum, 1)
		}
	}
	return minimum
}

// extra adds members under names that no one lists until there are n.
func (m *maker) extra(all []*jsonschema.Schema, o *building, n, maximum, depth int) {
	var forms []*jsonschema.Schema
	var patterns []jsonschema.Regexp
	for _, s := range all {
		if s.PropertyNames != nil {
			forms = append(forms, s.PropertyNames)
		}
		for p := range s.PatternProperties {
			patterns = append(patterns, p)
		}
	}
	slices.SortFunc(patterns, func(a, b jsonschema.Regexp) int { return strings.Compare(a.String(), b.String()) })
	for i := 0; len(o.value) < min(n, maximum) && i < 4*n+8; i++ {
		name := "key" + strconv.Itoa(i+1)
		switch {
		case len(patterns) > 0:
			name, _ = m.matching(patterns[i%len(patterns)], 2+i, 100)
		case len(forms) > 0:
			v, ok := m.make(forms, "", depth+1)
			if ok {
				name, ok = v.v.(string)
			}
			if !ok {
				continue
			}
		}
		conj, ok := memberOf(all, name)
		if !ok || o.has(name) {
			continue
		}
		if v, ok := m.make(conj, name, depth+1); ok {
			o.add(name, v)
		}
	}
}

// memberOf returns what a member of this name has to satisfy; false where there may be none.
func memberOf(all []*jsonschema.Schema, name string) ([]*jsonschema.Schema, bool) {
	var conj []*jsonschema.Schema
	for _, s := range all {
		known := false
		if sub := s.Properties[name]; sub != nil {
			conj, known = append(conj, sub), true
		}
		for p, sub := range s.PatternProperties {
			if p.MatchString(name) {
				conj, known = append(conj, sub), true
			}
		}
		if known {
			continue
		}
		switch more := s.AdditionalProperties.(type) {
		case bool:
			if !more {
				return nil, false
			}
		case *jsonschema.Schema:
			conj = append(conj, more)
		}
	}
	return conj, true
}

// building is an object, member by member.
type building struct {
	value map[string]any
	names []string
	raws  [][]byte
}

func (o *building) has(name string) bool { _, ok := o.value[name]; return ok }

func (o *building) add(name string, v value) {
	o.value[name] = v.v
	o.names, o.raws = append(o.names, name), append(o.raws, v.raw)
}

func (o *building) raw() []byte {
	b := []byte{'{'}
	for i, name := range o.names {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(append(append(b, valueOf(name).raw...), ':'), o.raws[i]...)
	}
	return append(b, '}')
}
