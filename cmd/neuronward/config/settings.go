package config

import (
	"fmt"
	"reflect"
)

// A Setting is one variable as it is in effect.
type Setting struct {
	Variable string `json:"variable"`
	Value    string `json:"value"` // "" = none; of a secret, whether it is set
	Source   string `json:"source"`
}

// Sources of a setting.
const (
	SourceDefault     = "default"
	sourceEnvironment = "environment"
	sourceFile        = "file"
)

// Settings lists the variables that have an effect.
func (l *Loader) Settings() []Setting {
	var all []Setting
	for _, v := range l.vars {
		s := Setting{Variable: v.Name, Source: SourceDefault}
		if _, set := l.environ[v.Name]; set && (l.given[v.Name] != "" || v.Empty) {
			s.Source = sourceEnvironment
		}
		value := reflect.ValueOf(&l.Config).Elem().Field(v.field)
		if c, ok := reflect.TypeAssert[*Credential](value.Addr()); ok && c.file != nil {
			s.Source = sourceFile
		}
		s.Value = fmt.Sprint(value.Interface())
		if v.Twin && s.Source == SourceDefault {
			s.Value = ""
		}
		all = append(all, s)
	}
	return all
}
