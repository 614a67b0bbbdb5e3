package main

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

// A mistake is one thing that is wrong with the configuration, in one line.
type mistake struct {
	Variable string `json:"variable"`
	Problem  string `json:"problem"` // what is wrong, a semicolon, what to do instead
}

func (m mistake) Error() string { return m.Variable + ": " + m.Problem }

// A loader reads one environment.
type loader struct {
	vars     []variable
	environ  map[string]string
	given    map[string]string // environ without what is empty and so unset
	mistakes []mistake
	warnings []string
	config   config

	certificate *certificate // of the app listener; nil: it is plain
}

// load reads environ and the files of secrets and clients that it names. The mistakes are all that there are, in the table's order; the
// configuration is of use only when there is none. Every secret is known to red before load returns.
func load(environ map[string]string, red *redactor) *loader {
	l := &loader{vars: variables(), environ: environ, given: maps.Clone(environ)}
	for _, v := range l.vars {
		for _, name := range []string{v.Name, v.Name + fileSuffix} {
			if l.given[name] == "" {
				delete(l.given, name)
			}
		}
	}
	redactEnvironment(l.vars, environ, red)
	l.parse()
	l.readSecrets(red)
	l.readClients()
	l.readCertificate()
	for _, v := range l.vars {
		l.checkOne(v)
	}
	l.checkTogether()
	slices.SortStableFunc(l.mistakes, func(a, b mistake) int { return l.place(a) - l.place(b) })
	l.mistakes = append(l.mistakes, unknownNames(l.vars, environ)...)
	l.warn()
	return l
}

// err joins the mistakes, one line each; nil when there is none.
func (l *loader) err() error {
	errs := make([]error, len(l.mistakes))
	for i, m := range l.mistakes {
		errs[i] = m
	}
	return errors.Join(errs...)
}

func (l *loader) mistake(variable, format string, args ...any) {
	l.mistakes = append(l.mistakes, mistake{variable, fmt.Sprintf(format, args...)})
}

// wrong reports whether a mistake in the variable was already told.
func (l *loader) wrong(variable string) bool {
	return slices.ContainsFunc(l.mistakes, func(m mistake) bool { return m.Variable == variable })
}

func (l *loader) place(m mistake) int {
	return slices.IndexFunc(l.vars, func(v variable) bool {
		return v.Name == m.Variable || v.Twin && v.Name+fileSuffix == m.Variable
	})
}

// parse fills config by its tags.
func (l *loader) parse() {
	err := env.ParseWithOptions(&l.config, env.Options{Environment: l.given})
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
		f, _ := reflect.TypeFor[config]().FieldByName(p.Name)
		l.mistake(f.Tag.Get("env"), "%v", p.Err)
	}
}

// readSecrets settles where each secret comes from and reads it.
func (l *loader) readSecrets(red *redactor) {
	for _, v := range l.vars {
		if !v.Twin {
			continue
		}
		c := reflect.ValueOf(&l.config).Elem().Field(v.field).Addr().Interface().(*credential)
		path, fromFile := l.given[v.Name+fileSuffix]
		switch {
		case fromFile && l.given[v.Name] != "":
			l.mistake(v.Name, "is set together with %s; keep one of them", v.Name+fileSuffix)
			continue
		case fromFile:
			warnings, err := c.open(path, red)
			if err != nil {
				l.mistake(v.Name+fileSuffix, "%v", err)
			}
			for _, w := range warnings {
				l.warnings = append(l.warnings, v.Name+fileSuffix+": "+w)
			}
		}
	}
}

// redactEnvironment makes red know the secrets that stand in environ itself.
func redactEnvironment(vars []variable, environ map[string]string, red *redactor) {
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
func (l *loader) checkOne(v variable) {
	value, set := l.given[v.Name]
	if v.Empty && !set {
		if empty, ok := l.environ[v.Name]; ok && empty == "" {
			reflect.ValueOf(&l.config).Elem().Field(v.field).SetZero()
		}
	}
	switch {
	case !set || l.wrong(v.Name):
	case v.Choices != nil && !slices.Contains(v.Choices, value):
		l.mistake(v.Name, "%s is none of its values; write %s", shown([]byte(value)), strings.Join(v.Choices, " or "))
	}
}

// tokenGiven reports whether calls would be made with a token of the operator's, be it readable or not.
func (l *loader) tokenGiven() bool {
	return slices.ContainsFunc([]string{"CLOUDFLARE_API_TOKEN", "CF_AIG_TOKEN"}, func(name string) bool {
		return l.given[name] != "" || l.given[name+fileSuffix] != ""
	})
}

// mostRetries bounds NEURONWARD_RETRIES.
const mostRetries = 10

// checkTogether tells what only several variables together show.
func (l *loader) checkTogether() {
	c := &l.config
	if c.Account == "" && !l.wrong("CLOUDFLARE_ACCOUNT_ID") {
		l.mistake("CLOUDFLARE_ACCOUNT_ID", "is required; set the id of the account whose Workers AI is called, or try neuronward demo")
	}
	if c.Upstream.u != nil && !l.wrong("NEURONWARD_UPSTREAM") && c.Upstream.plain() && l.tokenGiven() {
		l.mistake("NEURONWARD_UPSTREAM", "would send the token unencrypted to another machine; write https://")
	}
	if c.API.u == nil && !l.wrong("NEURONWARD_API") {
		c.API = c.Upstream.api()
	}
	if c.API.u != nil && l.given["NEURONWARD_API"] != "" && !l.wrong("NEURONWARD_API") && c.API.plain() && l.tokenGiven() {
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
	if l.tokenGiven() && c.Listen != "" && !c.Listen.loopback() && !c.ClientsFile.set() && !bool(c.AllowAnonymous) && !l.wrong("NEURONWARD_ALLOW_ANONYMOUS") {
		l.mistake("NEURONWARD_LISTEN", "%s is reachable from other machines, and whoever reaches it would spend the account's neurons with the token; "+
			"listen on loopback (127.0.0.1:3036), or unset the token so that callers bring their own, "+
			"or give each client a key (NEURONWARD_CLIENTS_FILE), or set NEURONWARD_ALLOW_ANONYMOUS=true if the network keeps strangers out", c.Listen)
	}
}

// warn gathers what is no mistake and yet worth a word.
func (l *loader) warn() {
	c := &l.config
	if c.Account != "" && c.Upstream.u != nil && c.Upstream.cloudflare() && !c.Account.hex() {
		l.warnings = append(l.warnings, "CLOUDFLARE_ACCOUNT_ID: does not look like one of Cloudflare's, which are 32 hexadecimal digits")
	}
	if c.Plan == planFree && c.DailyNeurons > freeNeurons {
		l.warnings = append(l.warnings, fmt.Sprintf("NEURONWARD_DAILY_NEURONS: %v is more than the %d neurons a day of the free plan; Workers AI itself refuses from there on",
			c.DailyNeurons, freeNeurons))
	}
	if account := c.Upstream.gatewayAccount(); account != "" && account != string(c.Account) {
		l.warnings = append(l.warnings, "NEURONWARD_UPSTREAM: names the AI Gateway of another account than CLOUDFLARE_ACCOUNT_ID: what is counted here would not be what it is billed")
	}
}
