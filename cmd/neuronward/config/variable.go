package config

import (
	"reflect"
	"regexp"
	"slices"
	"strings"
)

const (
	ownPrefix  = "NEURONWARD_"
	FileSuffix = "_FILE"
)

// A Variable is a row of the table that config is.
type Variable struct {
	Name    string
	Default string // as people write it; "" = none
	Doc     string
	Choices []string
	Secret  bool // its value is never shown
	Twin    bool // Name_FILE names a file that holds the value
	Empty   bool // an empty value is a value
	field   int  // of config
}

// Variables lists every variable that there is, in the table's order.
func Variables() []Variable {
	var all []Variable
	for f := range reflect.TypeFor[Config]().Fields() {
		v := Variable{
			Name:    f.Tag.Get("env"),
			Default: f.Tag.Get("envDefault"),
			Doc:     f.Tag.Get("doc"),
			Secret:  f.Tag.Get("secret") != "",
			Twin:    f.Tag.Get("secret") == "file",
			Empty:   f.Tag.Get("empty") == "set",
			field:   f.Index[0],
		}
		if s := f.Tag.Get("shown"); s != "" {
			v.Default = s
		}
		if c := f.Tag.Get("choices"); c != "" {
			v.Choices = strings.Split(c, "|")
		}
		all = append(all, v)
	}
	return all
}

// names lists every name that may be set, the _FILE twins with them.
func names(vars []Variable) []string {
	var all []string
	for _, v := range vars {
		all = append(all, v.Name)
		if v.Twin {
			all = append(all, v.Name+FileSuffix)
		}
	}
	return all
}

// kubernetesName reports whether Kubernetes sets name, with that value, in every pod of a namespace that has a Service
// called neuronward or neuronward-something.
func kubernetesName(name, value string) bool {
	own := regexp.MustCompile(`^NEURONWARD_(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT|PORT_[0-9]+_(TCP|UDP|SCTP)(_(ADDR|PORT|PROTO))?)$`)
	longer := regexp.MustCompile(`^NEURONWARD_[A-Z0-9_]+_(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT_[0-9]+_(TCP|UDP|SCTP)(_(ADDR|PORT|PROTO))?)$`)
	link := regexp.MustCompile(`^(tcp|udp|sctp)://`)
	return own.MatchString(name) || longer.MatchString(name) || strings.HasSuffix(name, "_PORT") && link.MatchString(value)
}

// unknownNames tells the mistakes in the names of environ that begin with NEURONWARD_, sorted.
func unknownNames(vars []Variable, environ map[string]string) []Mistake {
	known := names(vars)
	var all []Mistake
	for name, value := range environ {
		if !strings.HasPrefix(name, ownPrefix) || slices.Contains(known, name) || kubernetesName(name, value) {
			continue
		}
		m := Mistake{Variable: name, Problem: "there is no such variable; unset it"}
		base, isFile := strings.CutSuffix(name, FileSuffix)
		if near := Nearest(name, known); near != "" {
			m.Problem = "there is no such variable; did you mean " + near + "?"
		}
		if isFile && slices.Contains(known, base) {
			m.Problem = "only secrets are read from files; set " + base + " itself"
		}
		all = append(all, m)
	}
	slices.SortFunc(all, func(a, b Mistake) int { return strings.Compare(a.Variable, b.Variable) })
	return all
}

// Nearest returns the one of known that name is most likely a misspelling of, "" when none is near.
func Nearest(name string, known []string) string {
	own := strings.TrimPrefix(name, ownPrefix)
	best, least := "", min(len(own)/2, 4)+1
	for _, k := range known {
		if d := distance(own, strings.TrimPrefix(k, ownPrefix)); d < least {
			best, least = k, d
		}
	}
	return best
}

// distance counts the letters to insert, delete or exchange that lead from a to b.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}
