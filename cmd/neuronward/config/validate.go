package config

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/neuronward/neuronward/quota"
)

const (
	maxNeurons = 1e9 // far more than an account can spend in a day
	maxRetries = 10

	maxConnections = 1_000_000 // a connection takes tens of kilobytes
)

// validate finds what is wrong with values that could be read: their bounds, and what only several variables together
// show.
func (l *loader) validate() {
	l.require("NEURONWARD_ESTIMATE", l.given["NEURONWARD_ESTIMATE"] != "expected",
		"VALUE was removed: write tight, which replaces it, or bound")
	for _, v := range l.vars {
		if v.Choices != nil {
			l.require(v.Name, slices.Contains(v.Choices, l.given[v.Name]),
				"VALUE is none of its values; write "+strings.Join(v.Choices, " or "))
		}
	}
	l.require("CLOUDFLARE_ACCOUNT_ID", accountID(l.Account),
		"is not an account id; copy the 32 hexadecimal digits from the dashboard (Workers AI, Use REST API)")
	for _, name := range []string{"NEURONWARD_LISTEN", "NEURONWARD_ADMIN_LISTEN"} {
		if err := CheckAddress(l.given[name]); err != nil {
			l.require(name, false, err.Error())
		}
	}
	l.require("NEURONWARD_CLIENTS_FILE", !strings.ContainsAny(l.ClientsFile, "\n\x00"),
		"holds a line break; put the clients in a file and name it here")
	for name, path := range map[string]string{"NEURONWARD_TLS_CERT": l.TLSCert, "NEURONWARD_TLS_KEY": l.TLSKey} {
		l.require(name, !strings.Contains(path, "-----") && !strings.ContainsAny(path, "\r\n\x00"),
			"is not a path; put the PEM text into a file and name that")
	}
	l.require("NEURONWARD_DAILY_NEURONS", l.DailyNeurons >= 0 && l.DailyNeurons <= maxNeurons,
		"VALUE is not a number of neurons; write one such as 10000, or 0 for no limit")
	l.require("NEURONWARD_MAX_CONNECTIONS", l.MaxConnections >= 2 && l.MaxConnections <= maxConnections,
		"VALUE is not a whole number from 2 to 1000000; write one such as 4096")
	l.require("NEURONWARD_MONTHLY_NEURONS", l.MonthlyNeurons >= 0 && l.MonthlyNeurons <= maxNeurons,
		"VALUE is not a number of neurons; write one such as 300000, or 0 for no limit")
	l.require("NEURONWARD_USD_PER_1000_NEURONS", l.USDPer1000 >= 0 && l.USDPer1000 <= 1,
		"VALUE is not a price from 0 to 1; write dollars such as 0.011")
	l.require("NEURONWARD_MAX_IN_FLIGHT", l.MaxInFlight >= 1,
		"VALUE is not a whole number from 1 on; write one such as 1024")
	l.require("NEURONWARD_MAX_SESSIONS", l.MaxSessions >= 0,
		"VALUE is not a whole number from 0 on; write one such as 512")
	l.require("NEURONWARD_RETRIES", l.Retries >= 0, "VALUE is not a whole number from 0 on; write one such as 2")
	l.require("NEURONWARD_RETRIES", l.Retries <= maxRetries,
		fmt.Sprintf("%d is more than %d; more attempts only make an outage longer", l.Retries, maxRetries))
	l.require("NEURONWARD_RETRY_BUDGET", l.RetryBudget >= 0 && l.RetryBudget <= 1,
		"VALUE is not a share; write a number from 0 to 1, such as 0.2")
	const above0 = "VALUE is not above 0; write a time such as 30s, 5m or 1h30m"
	l.require("NEURONWARD_FIRST_BYTE_TIMEOUT", l.FirstByteTimeout > 0, above0)
	l.require("NEURONWARD_STREAM_IDLE_TIMEOUT", l.StreamIdleTimeout > 0, above0)
	l.require("NEURONWARD_SESSION_TIMEOUT", l.SessionTimeout > 0, above0)
	l.validateTogether()
}

// require adds a mistake in a variable that is set, unless ok or there is one already. VALUE in the problem stands for
// what it is set to.
func (l *loader) require(name string, ok bool, problem string) {
	value, set := l.given[name]
	if !set || l.mistakes.in(name) || ok && !slices.Contains(l.notRead, name) {
		return
	}
	l.mistakes.add(name, "%s", strings.Replace(problem, "VALUE", quoted(value), 1))
}

// validateTogether finds what only several variables together show.
func (l *loader) validateTogether() {
	if l.Account == "" {
		problem := "is required; set the id of the account whose Workers AI is called, or try neuronward demo"
		if name := l.misnamedAs("CLOUDFLARE_ACCOUNT_ID"); name != "" {
			problem = "is required; " + name + " is set, which is not read: give it this name"
		}
		l.mistakes.add("CLOUDFLARE_ACCOUNT_ID", "%s", problem)
	}
	l.validateUpstream()
	const unencrypted = "would send the token unencrypted to another machine; write https://"
	for name, u := range map[string]*url.URL{"NEURONWARD_UPSTREAM": l.Upstream, "NEURONWARD_API": l.API} {
		l.require(name, u == nil || !plain(u) || !l.tokenGiven(), unencrypted)
	}
	if l.MaxHeld < l.MaxBody && l.good("NEURONWARD_MAX_HELD", "NEURONWARD_MAX_BODY") {
		l.mistakes.add("NEURONWARD_MAX_HELD",
			"%s is below NEURONWARD_MAX_BODY (%s), so the largest body would never fit; raise it or lower the other",
			sizeText(l.MaxHeld), sizeText(l.MaxBody))
	}
	same := l.AdminListen == l.Listen && !strings.HasSuffix(l.Listen, ":0")
	if same && l.good("NEURONWARD_LISTEN", "NEURONWARD_ADMIN_LISTEN") {
		l.mistakes.add("NEURONWARD_ADMIN_LISTEN",
			"is the address of NEURONWARD_LISTEN; give it another port, or leave it empty to turn it off")
	}
	if l.exposed() && l.good("NEURONWARD_LISTEN", "NEURONWARD_ALLOW_ANONYMOUS") {
		l.mistakes.add("NEURONWARD_LISTEN", "%s is reachable from other machines, "+
			"and whoever reaches it would spend the account's neurons with the token; "+
			"listen on loopback (127.0.0.1:3036), or unset the token so that callers bring their own, "+
			"or give each client a key (NEURONWARD_CLIENTS_FILE), "+
			"or set NEURONWARD_ALLOW_ANONYMOUS=true if the network keeps strangers out", l.Listen)
	}
	if l.passwordGiven() && l.Store.Redis.HasPassword() {
		l.mistakes.add("NEURONWARD_STORE_PASSWORD",
			"is set, and NEURONWARD_STORE has a password, too; take one of them away")
	}
	for _, pair := range [][2]string{
		{"NEURONWARD_TLS_CERT", "NEURONWARD_TLS_KEY"}, {"NEURONWARD_TLS_KEY", "NEURONWARD_TLS_CERT"},
	} {
		if l.given[pair[0]] == "" && l.given[pair[1]] != "" && l.good(pair[1]) {
			l.mistakes.add(pair[0], "is not set, but %s is; set both, or neither to listen without TLS", pair[1])
		}
	}
}

// good reports whether there is no mistake in any of these variables.
func (l *loader) good(names ...string) bool { return !slices.ContainsFunc(names, l.mistakes.in) }

// tokenGiven reports whether calls would be made with a token of the operator's, be it readable or not.
func (l *loader) tokenGiven() bool {
	return slices.ContainsFunc([]string{"CLOUDFLARE_API_TOKEN", "CF_AIG_TOKEN"}, func(name string) bool {
		return l.given[name] != "" || l.given[name+FileSuffix] != ""
	})
}

// passwordGiven reports whether the store's password is given apart from its address, be it readable or not.
func (l *loader) passwordGiven() bool {
	return l.given["NEURONWARD_STORE_PASSWORD"] != "" || l.given["NEURONWARD_STORE_PASSWORD"+FileSuffix] != ""
}

// exposed reports whether anybody on the network could spend neurons with the operator's token.
func (l *loader) exposed() bool {
	return l.tokenGiven() && !Loopback(l.Listen) && l.ClientsFile == "" && !l.AllowAnonymous
}

// warn adds what works, but should be reported.
func (l *loader) warn() {
	if others := l.Models.BeyondWorkersAI(); len(others) > 0 {
		l.warning("NEURONWARD_MODELS", "%s allows models outside Workers AI: they are billed in dollars, and dollars "+
			"are neither counted nor limited by this proxy", others.Text())
	}
	if l.good("CLOUDFLARE_ACCOUNT_ID", "NEURONWARD_UPSTREAM") && cloudflare(l.Upstream) && !hexID(l.Account) {
		l.warning("CLOUDFLARE_ACCOUNT_ID",
			"does not look like one of Cloudflare's, which are 32 hexadecimal digits")
	}
	if !l.tokenGiven() {
		l.warning("CLOUDFLARE_API_TOKEN", "is not set, so only calls that bring a token of their own succeed; set it, "+
			"or CLOUDFLARE_API_TOKEN_FILE, unless that is meant")
	}
	if free := quota.FreeNeurons.Float(); l.Plan == PlanFree && l.DailyNeurons > free {
		l.warning("NEURONWARD_DAILY_NEURONS", "%s is more than the %v neurons a day of the free plan; Workers AI "+
			"itself refuses from there on", l.given["NEURONWARD_DAILY_NEURONS"], free)
	}
	l.warnOfQuotes()
	l.warnOfExposure()
	l.warnOfNames()
}
