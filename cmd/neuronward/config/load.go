package config

import (
	"errors"
	"maps"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/caarlos0/env/v11"

	"github.com/neuronward/neuronward/quota"
)

// A loader makes a Config of one environment. It continues after a mistake, so that all are reported at once: what
// needs a value checks first whether there is a mistake in it.
type loader struct {
	*Config
	vars     []Variable
	mistakes Mistakes
	notRead  []string // variables whose text is no number, though it should be
}

// Load reads environ and the files that it names. The error is Mistakes: all that there are. The configuration is of
// use only without one. Every secret is known to red before Load returns.
func Load(environ map[string]string, red *Redactor) (*Config, error) {
	c, mistakes := load(environ, red)
	if len(mistakes) > 0 {
		return c, mistakes
	}
	return c, nil
}

// LoadOnly is Load for a command that needs these variables alone: the others have their defaults, and a mistake in
// them is none.
func LoadOnly(environ map[string]string, red *Redactor, needed ...string) (*Config, error) {
	only := make(map[string]string)
	for _, name := range needed {
		if value, ok := environ[name]; ok {
			only[name] = value
		}
	}
	c, mistakes := load(only, red)
	mistakes = slices.DeleteFunc(mistakes, func(m Mistake) bool { return !slices.Contains(needed, m.Variable) })
	if len(mistakes) > 0 {
		return c, mistakes
	}
	return c, nil
}

func load(environ map[string]string, red *Redactor) (*Config, Mistakes) {
	l := &loader{Config: &Config{environ: environ, given: maps.Clone(environ)}, vars: Variables()}
	for _, v := range l.vars {
		for _, name := range []string{v.Name, v.Name + FileSuffix} {
			if l.given[name] == "" {
				delete(l.given, name)
			}
		}
	}
	RedactEnvironment(environ, red)
	delete(l.given, "") // the library takes it for the value of each field without a name
	l.parse()
	l.validate()
	l.resolve()
	l.readFiles(red)
	slices.SortStableFunc(l.mistakes, func(a, b Mistake) int { return l.row(a) - l.row(b) })
	l.readTelemetry()
	l.explainQuotes()
	l.mistakes = append(l.mistakes, unknownNames(l.vars, environ)...)
	l.warn()
	return l.Config, l.mistakes
}

// row is where in the table the variable of m is.
func (l *loader) row(m Mistake) int {
	return slices.IndexFunc(l.vars, func(v Variable) bool {
		return v.Name == m.Variable || v.Twin && v.Name+FileSuffix == m.Variable
	})
}

// parse fills the fields by their tags.
func (l *loader) parse() {
	err := env.ParseWithOptions(l.Config, env.Options{Environment: l.given, FuncMap: parsers()})
	all, _ := errors.AsType[env.AggregateError](err)
	for _, err := range all.Errors {
		p, ok := errors.AsType[env.ParseError](err)
		if !ok {
			l.mistakes.add("configuration", "%v", err)
			continue
		}
		f, _ := reflect.TypeFor[Config]().FieldByName(p.Name)
		name := f.Tag.Get("env")
		if _, number := errors.AsType[*strconv.NumError](p.Err); number {
			l.notRead = append(l.notRead, name) // validate says which numbers are allowed
			continue
		}
		// p.Error() is not used: it repeats the name of the Go field and, for some types, the value.
		l.mistakes.add(name, "%v", p.Err)
	}
	for _, v := range l.vars {
		if value, set := l.environ[v.Name]; v.Empty && set && value == "" {
			l.value(v).SetZero()
		}
	}
}

// resolve sets the defaults that depend on other variables.
func (l *loader) resolve() {
	if l.API == nil && !l.mistakes.in("NEURONWARD_API") {
		l.API = apiOf(l.Upstream)
	}
	if _, set := l.given["NEURONWARD_DAILY_NEURONS"]; !set && l.Plan == PlanFree {
		l.DailyNeurons = quota.FreeNeurons.Float()
	}
	l.Store.Password = l.StorePassword.Value
	// Without an account there is a mistake already, or the command has no use for a store.
	noAccount := l.Account == "" || l.mistakes.in("CLOUDFLARE_ACCOUNT_ID")
	if noAccount || l.Store.Kind != "" || l.mistakes.in("NEURONWARD_STORE") || l.QuotaMode == ModeOff {
		return
	}
	store, err := defaultStore(stateDirectories(l.environ), l.Account)
	if err != nil {
		l.mistakes.add("NEURONWARD_STORE", "%v", err)
	}
	l.Store = store
}

// RedactEnvironment makes red know the secrets that stand in environ itself.
func RedactEnvironment(environ map[string]string, red *Redactor) {
	for _, secret := range otelSecrets(environ) {
		red.Add(secret)
	}
	for _, v := range Variables() {
		value := environ[v.Name]
		switch {
		case v.Twin:
			red.Add(strings.TrimRight(value, "\r\n"))
		case v.Secret:
			red.Add(passwordIn(value))
		}
	}
}

// passwordIn returns the password in a URL, which may name several hosts; "" where there is none.
func passwordIn(address string) string {
	_, rest, ok := strings.Cut(address, "://")
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		rest = rest[:i]
	}
	at := strings.LastIndexByte(rest, '@')
	if !ok || at < 0 {
		return ""
	}
	_, password, _ := strings.Cut(rest[:at], ":")
	if plain, err := url.PathUnescape(password); err == nil {
		return plain
	}
	return password
}
