package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/agext/levenshtein"
)

// misnamed are names that other programs have, or had, for what Cloudflare's own are here.
var misnamed = map[string]string{ //nolint:gosec // names of variables, not credentials
	"CF_ACCOUNT":           "CLOUDFLARE_ACCOUNT_ID",
	"CF_ACCOUNT_ID":        "CLOUDFLARE_ACCOUNT_ID",
	"CLOUDFLARE_ACCOUNT":   "CLOUDFLARE_ACCOUNT_ID",
	"CF_API_KEY":           "CLOUDFLARE_API_TOKEN",
	"CF_API_TOKEN":         "CLOUDFLARE_API_TOKEN",
	"CF_TOKEN":             "CLOUDFLARE_API_TOKEN",
	"CLOUDFLARE_API_KEY":   "CLOUDFLARE_API_TOKEN",
	"CLOUDFLARE_TOKEN":     "CLOUDFLARE_API_TOKEN",
	"CLOUDFLARE_AIG_TOKEN": "CF_AIG_TOKEN",
}

// meant returns the variable that a name outside of NEURONWARD_… most likely stands for, "" for none.
func meant(name string, known []string) string {
	if name == "" || strings.HasPrefix(name, ownPrefix) || slices.Contains(known, name) ||
		strings.HasPrefix(name, "OTEL_BLRP_") { // of logs, and near to those of traces
		return ""
	}
	upper := strings.ToUpper(name)
	base, isFile := strings.CutSuffix(upper, FileSuffix)
	if is := misnamed[base]; is != "" && isFile {
		return is + FileSuffix
	} else if is != "" {
		return is
	}
	const maxDistance = 2 // two letters that changed places are that far away
	for _, k := range known {
		if max(len(k)-len(upper), len(upper)-len(k)) <= maxDistance &&
			levenshtein.Distance(upper, k, nil) <= maxDistance {
			return k
		}
	}
	return ""
}

// misnamedAs returns the first name in the environment that stands for a variable, "" where there is none.
func (l *loader) misnamedAs(variable string) string {
	known := append(names(l.vars), otelNames()...)
	for _, name := range slices.Sorted(maps.Keys(l.environ)) {
		if l.environ[name] != "" && meant(name, known) == variable {
			return name
		}
	}
	return ""
}

// warnOfNames adds the names that are not read though they seem to be for this program.
func (l *loader) warnOfNames() {
	known := append(names(l.vars), otelNames()...)
	for _, name := range slices.Sorted(maps.Keys(l.environ)) {
		is := meant(name, known)
		switch {
		case is == "" || l.environ[name] == "":
		case l.given[is] != "" || l.given[is+FileSuffix] != "":
			l.warning(name, "is not read: %s is, and it is set; unset this one if it was for neuronward", is)
		case strings.HasSuffix(name, "_API_KEY"):
			l.warning(name, "is not read: it is the name of a global API key; make an API token and set %s", is)
		default:
			l.warning(name, "is not read; did you mean %s?", is)
		}
	}
}

const inQuotes = "is in quotation marks, which are part of the value (env files of Docker keep them); " +
	"write it without them"

// hasQuotes reports whether a value stands in quotation marks.
func hasQuotes(value string) bool {
	n := len(value)
	return n >= 2 && value[0] == value[n-1] && (value[0] == '"' || value[0] == '\'')
}

// explainQuotes replaces the problem of each mistake in a value that stands in quotation marks.
func (l *loader) explainQuotes() {
	for i, m := range l.mistakes {
		if hasQuotes(l.given[m.Variable]) {
			l.mistakes[i].Problem = inQuotes
		}
	}
	l.mistakes = slices.Compact(l.mistakes)
}

// warnOfQuotes adds the values that are none the worse for their quotation marks, but wrong.
func (l *loader) warnOfQuotes() {
	for _, v := range l.vars {
		if hasQuotes(l.given[v.Name]) && l.good(v.Name) {
			l.warning(v.Name, inQuotes)
		}
		if v.Twin && l.secret(v).file != nil && hasQuotes(l.secret(v).Value()) {
			l.warning(v.Name+FileSuffix, "the secret in the file is in quotation marks, which are part of it; "+
				"write it without them")
		}
	}
}

// warnOfExposure adds what others on the network could read.
func (l *loader) warnOfExposure() {
	if l.good("NEURONWARD_STORE") && l.passwordGiven() && l.Store.Kind != StoreRedis {
		l.warning("NEURONWARD_STORE_PASSWORD", "is not used: NEURONWARD_STORE names no Redis server")
	}
	if l.good("NEURONWARD_STORE") && l.passwordInClear() {
		l.warning("NEURONWARD_STORE", "sends the password unencrypted to another machine; write rediss:// if the "+
			"server has TLS")
	}
	if l.Pprof && l.AdminListen != "" && !Loopback(l.AdminListen) && l.good("NEURONWARD_ADMIN_LISTEN") {
		l.warning("NEURONWARD_PPROF", "whoever reaches %s can read what is in memory, tokens as well; unset it, or "+
			"listen on loopback (NEURONWARD_ADMIN_LISTEN=127.0.0.1:3037)", l.AdminListen)
	}
}

// passwordInClear reports whether the store's password crosses the network unencrypted.
func (l *loader) passwordInClear() bool {
	if !l.passwordGiven() && passwordIn(l.given["NEURONWARD_STORE"]) == "" {
		return false
	}
	return slices.ContainsFunc(l.Store.Redis.HostsInClear(), func(host string) bool { return !loopbackHost(host) })
}

// warning adds what works, but should be reported, once. It must not hold a secret.
func (l *loader) warning(variable, format string, args ...any) {
	if text := variable + ": " + fmt.Sprintf(format, args...); !slices.Contains(l.Warnings, text) {
		l.Warnings = append(l.Warnings, text)
	}
}
