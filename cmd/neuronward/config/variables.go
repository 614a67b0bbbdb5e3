package config

import (
	"reflect"
	"strings"
)

const (
	ownPrefix = "NEURONWARD_"

	// FileSuffix ends the name of the variable that names the file of a secret.
	FileSuffix = "_FILE"
)

// SettingName returns the variable of a setting that the texts of other packages name by its key: MAX_BODY.
func SettingName(key string) string { return ownPrefix + key }

// A Variable is a row of the table that Config is.
type Variable struct {
	Name    string
	Group   string // what it is about: variables of a group follow one another
	Default string // as people write it; "" = none
	Doc     string // one line of Markdown
	Choices []string
	Secret  bool // its value is never shown
	Twin    bool // Name_FILE names a file that holds the value
	Empty   bool // an empty value is a value
	Signals bool // of OpenTelemetry: there is one for traces and one for metrics as well
	field   int  // of Config
}

// Variables lists every variable that there is, in the table's order.
func Variables() []Variable {
	var all []Variable
	group := ""
	for f := range reflect.TypeFor[Config]().Fields() {
		name := f.Tag.Get("env")
		if name == "" {
			continue
		}
		if g := f.Tag.Get("group"); g != "" {
			group = g
		}
		v := Variable{
			Name:    name,
			Group:   group,
			Default: f.Tag.Get("envDefault"),
			Doc:     docs[name],
			Secret:  f.Tag.Get("secret") != "",
			Twin:    f.Tag.Get("secret") == "file",
			Empty:   f.Tag.Get("empty") == "set",
			field:   f.Index[0],
		}
		if words, ok := defaults[name]; ok {
			v.Default = words
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
