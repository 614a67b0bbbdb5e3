package config

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"reflect"
	"slices"
	"strings"

	"github.com/caarlos0/env/v11"
)

// A Mistake is one thing that is wrong with the configuration, in one line.
type Mistake struct {
	Variable string `json:"variable"`
	Problem  string `json:"problem"` // what is wrong, a semicolon, what to do instead
}

func (m Mistake) Error() string { return m.Variable + ": " + m.Problem }

// A Loader reads one environment.
type Loader struct {
	vars     []Variable
	environ  map[string]string
	given    map[string]string // environ without what is empty and so unset
	Mistakes []Mistake
	Warnings []string
	Config   Config

	Certificate *Certificate // of the app listener; nil: it is plain
}

// Load reads environ and the files of secrets and clients that it names. The mistakes are all that there are, in the table's order; the
// configuration is of use only when there is none. Every secret is known to red before load returns.
func Load(environ map[string]string, red *Redactor) *Loader {
	l := &Loader{vars: Variables(), environ: environ, given: maps.Clone(environ)}
	for _, v := range l.vars {
		for _, name := range []string{v.Name, v.Name + FileSuffix} {
			if l.given[name] == "" {
				delete(l.given, name)
			}
		}
	}
	RedactEnvironment(l.vars, environ, red)
	l.parse()
	l.readSecrets(red)
	l.readClients()
	l.readCertificate()
	for _, v := range l.vars {
		l.checkOne(v)
	}
	l.checkTogether()
	slices.SortStableFunc(l.Mistakes, func(a, b Mistake) int { return l.place(a) - l.place(b) })
	l.Mistakes = append(l.Mistakes, unknownNames(l.vars, environ)...)
	l.Warn()
	return l
}

// Err joins the mistakes, one line each; nil when there is none.
func (l *Loader) Err() error {
	errs := make([]error, len(l.Mistakes))
	for i, m := range l.Mistakes {
		errs[i] = m
	}
	return errors.Join(errs...)
}

func (l *Loader) mistake(variable, format string, args ...any) {
	l.Mistakes = append(l.Mistakes, Mistake{variable, fmt.Sprintf(format, args...)})
}

// wrong reports whether a mistake in the variable was already told.
func (l *Loader) wrong(variable string) bool {
	return slices.ContainsFunc(l.Mistakes, func(m Mistake) bool { return m.Variable == variable })
}

func (l *Loader) place(m Mistake) int {
	return slices.IndexFunc(l.vars, func(v Variable) bool {
		return v.Name == m.Variable || v.Twin && v.Name+FileSuffix == m.Variable
	})
}

// parse fills config by its tags.
func (l *Loader) parse() {
	err := env.ParseWithOptions(&l.Config, env.Options{Environment: l.given})
	all, ok := errors.AsType[env.AggregateError](err)
	if !ok {
		return
	}
	for _, err := range all.Errors {
		p, ok := errors.AsType[env.ParseError](err)
		if !ok {
			l.mistake("configuration", "%v", err)
			continue
		}
		// p.Error() is not used: it repeats the name of the Go field and, for some types, the value.
		f, _ := reflect.TypeFor[Config]().FieldByName(p.Name)
		l.mistake(f.Tag.Get("env"), "%v", p.Err)
	}
}

// readSecrets settles where each secret comes from and reads it.
func (l *Loader) readSecrets(red *Redactor) {
	for _, v := range l.vars {
		if !v.Twin {
			continue
		}
		c := reflect.ValueOf(&l.Config).Elem().Field(v.field).Addr().Interface().(*Credential)
		path, fromFile := l.given[v.Name+FileSuffix]
		switch {
		case fromFile && l.given[v.Name] != "":
			l.mistake(v.Name, "is set together with %s; keep one of them", v.Name+FileSuffix)
			continue
		case fromFile:
			warnings, err := c.open(path, red)
			if err != nil {
				l.mistake(v.Name+FileSuffix, "%v", err)
			}
			for _, w := range warnings {
				l.Warnings = append(l.Warnings, v.Name+FileSuffix+": "+w)
			}
		}
	}
}

// RedactEnvironment makes red know the secrets that stand in environ itself.
func RedactEnvironment(vars []Variable, environ map[string]string, red *Redactor) {
	for _, v := range vars {
		value := environ[v.Name]
		switch {
		case v.Twin:
			red.Add(strings.TrimRight(value, "\r\n"))
		case v.Secret:
			if u, err := url.Parse(value); err == nil && u.User != nil {
				password, _ := u.User.Password()
				red.Add(password)
			}
		}
	}
}

// checkOne tells what the tags of one variable forbid.
func (l *Loader) checkOne(v Variable) {
	value, set := l.given[v.Name]
	if v.Empty && !set {
		if empty, ok := l.environ[v.Name]; ok && empty == "" {
			reflect.ValueOf(&l.Config).Elem().Field(v.field).SetZero()
		}
	}
	switch {
	case !set || l.wrong(v.Name):
	case v.Choices != nil && !slices.Contains(v.Choices, value):
		l.mistake(v.Name, "%s is none of its values; write %s", Shown([]byte(value)), strings.Join(v.Choices, " or "))
	}
}

// tokenGiven reports whether calls would be made with a token of the operator's, be it readable or not.
func (l *Loader) tokenGiven() bool {
	return slices.ContainsFunc([]string{"CLOUDFLARE_API_TOKEN", "CF_AIG_TOKEN"}, func(name string) bool {
		return l.given[name] != "" || l.given[name+FileSuffix] != ""
	})
}

// mostRetries bounds NEURONWARD_RETRIES.
const mostRetries = 10

// checkTogether tells what only several variables together show.
func (l *Loader) checkTogether() {
	c := &l.Config
	if c.Account == "" && !l.wrong("CLOUDFLARE_ACCOUNT_ID") {
		l.mistake("CLOUDFLARE_ACCOUNT_ID", "is required; set the id of the account whose Workers AI is called, or try neuronward demo")
	}
	if c.Upstream.U != nil && !l.wrong("NEURONWARD_UPSTREAM") && c.Upstream.plain() && l.tokenGiven() {
		l.mistake("NEURONWARD_UPSTREAM", "would send the token unencrypted to another machine; write https://")
	}
	if c.API.U == nil && !l.wrong("NEURONWARD_API") {
		c.API = c.Upstream.api()
	}
	if c.API.U != nil && l.given["NEURONWARD_API"] != "" && !l.wrong("NEURONWARD_API") && c.API.plain() && l.tokenGiven() {
		l.mistake("NEURONWARD_API", "would send the token unencrypted to another machine; write https://")
	}
	if c.MaxHeld < c.MaxBody && !l.wrong("NEURONWARD_MAX_HELD") && !l.wrong("NEURONWARD_MAX_BODY") {
		l.mistake("NEURONWARD_MAX_HELD", "%v is below NEURONWARD_MAX_BODY (%v), so the largest body would never fit; raise it or lower the other",
			c.MaxHeld, c.MaxBody)
	}
	if c.Retries > mostRetries {
		l.mistake("NEURONWARD_RETRIES", "%d is more than %d; more attempts only make an outage longer", c.Retries, mostRetries)
	}
	l.resolveQuota()
	if c.AdminListen == c.Listen && !strings.HasSuffix(string(c.Listen), ":0") && !l.wrong("NEURONWARD_LISTEN") && !l.wrong("NEURONWARD_ADMIN_LISTEN") {
		l.mistake("NEURONWARD_ADMIN_LISTEN", "is the address of NEURONWARD_LISTEN; give it another port, or leave it empty to turn it off")
	}
	if l.tokenGiven() && c.Listen != "" && !c.Listen.Loopback() && !c.ClientsFile.IsSet() && !bool(c.AllowAnonymous) && !l.wrong("NEURONWARD_ALLOW_ANONYMOUS") {
		l.mistake("NEURONWARD_LISTEN", "%s is reachable from other machines, and whoever reaches it would spend the account's neurons with the token; "+
			"listen on loopback (127.0.0.1:3036), or unset the token so that callers bring their own, "+
			"or give each client a key (NEURONWARD_CLIENTS_FILE), or set NEURONWARD_ALLOW_ANONYMOUS=true if the network keeps strangers out", c.Listen)
	}
}

// Warn gathers what is no mistake and yet worth a word.
func (l *Loader) Warn() {
	c := &l.Config
	if c.Account != "" && c.Upstream.U != nil && c.Upstream.cloudflare() && !c.Account.hex() {
		l.Warnings = append(l.Warnings, "CLOUDFLARE_ACCOUNT_ID: does not look like one of Cloudflare's, which are 32 hexadecimal digits")
	}
	if c.Plan == PlanFree && c.DailyNeurons > FreeNeurons {
		l.Warnings = append(l.Warnings, fmt.Sprintf("NEURONWARD_DAILY_NEURONS: %v is more than the %d neurons a day of the free plan; Workers AI itself refuses from there on",
			c.DailyNeurons, FreeNeurons))
	}
	if account := c.Upstream.gatewayAccount(); account != "" && account != string(c.Account) {
		l.Warnings = append(l.Warnings, "NEURONWARD_UPSTREAM: names the AI Gateway of another account than CLOUDFLARE_ACCOUNT_ID: what is counted here would not be what it is billed")
	}
}
