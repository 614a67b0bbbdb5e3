package price

// A Model is the name of a model, resolved against one Table. A call resolves its model once and answers every later question by
// it: the table may be replaced while the call is under way. It is made by Table.Resolve or Estimator.Resolve.
type Model struct {
	Name     string // as it was resolved
	BilledAs string // the model whose row holds: Name, or the one that Name is an alias of
	Known    bool   // the table has the model; else Row is zero
	Row             // whose price a call pays and whose rules hold for it

	table *Table
}

// Resolve looks a model's name up. An alias is billed by the row of the model that answers in its place.
func (t *Table) Resolve(name string) Model {
	m := Model{Name: name, BilledAs: name, table: t}
	m.Row, m.Known = t.models[name]
	if m.AliasedTo != "" {
		m.BilledAs = m.AliasedTo
		m.Row, m.Known = t.models[m.BilledAs]
	}
	return m
}

// Resolve looks a model's name up in the table in use.
func (e *Estimator) Resolve(name string) Model { return e.Table().Resolve(name) }
