package config

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/neuronward/neuronward/proxy/modelname"
	"github.com/neuronward/neuronward/quota/pace"
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

// Settings lists the variables with the values that are in effect, in the table's order.
func (c *Config) Settings() []Setting {
	var all []Setting
	for _, v := range Variables() {
		s := Setting{Variable: v.Name, Value: c.show(v), Source: SourceDefault}
		if _, set := c.environ[v.Name]; set && (c.given[v.Name] != "" || v.Empty) {
			s.Source = sourceEnvironment
		}
		if v.Twin && c.secret(v).file != nil {
			s.Source = sourceFile
		}
		all = append(all, s)
	}
	return append(all, c.telemetrySettings()...)
}

// show writes the value of a variable for people.
func (c *Config) show(v Variable) string {
	switch value := c.value(v).Interface().(type) {
	case Secret:
		if value.IsSet() {
			return value.String()
		}
		return ""
	case time.Duration:
		return ShortDuration(value)
	case int64:
		return sizeText(value)
	case float64:
		return strconv.FormatFloat(value, 'f', -1, 64)
	case *url.URL:
		return value.String()
	case modelname.List:
		return value.Text()
	case []string:
		return strings.Join(value, ",")
	case pace.Table:
		if text := c.given[v.Name]; text != "" {
			return text
		}
		return v.Default
	case string:
		switch {
		case v.Name == "NEURONWARD_CLIENTS_FILE" && c.Clients != nil:
			return c.Clients.String()
		case v.Empty && value == "":
			return "off"
		}
		return value
	default:
		return fmt.Sprint(value)
	}
}
