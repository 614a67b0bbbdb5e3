package price

// A Model is the name of a model, resolved against one Table. A call resolves its
// model once and answers every later question by it, since the table may be
// replaced while the call is under way.
type Model struct {
	Name     string // as it was resolved
	BilledAs string // the model whose row holds: Name, or the model that Name is an alias of
	Known    bool   // whether the table has prices of the model
	Row             // the price that a call pays and the rules that hold for it; without prices, what is known else

	table *Table
}

// Resolve looks up the model called name. An alias gets the row of the model that
// answers in its place.
func (t *Table) Resolve(name string) Model {
	m := Model{Name: name, BilledAs: name, table: t}
	m.Row, m.Known = t.models[name]
	if m.AliasedTo != "" {
		m.BilledAs = m.AliasedTo
		m.Row, m.Known = t.models[m.BilledAs]
	}
	if !m.Known {
		m.Row = t.documented[name]
	}
	m.SmallVocabulary = smallVocabulary(m.BilledAs)
	return m
}

// Resolve looks up the model called name in the table in use.
func (e *Estimator) Resolve(name string) Model { return e.Table().Resolve(name) }
