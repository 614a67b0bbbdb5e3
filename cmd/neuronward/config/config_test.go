package config

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

const (
	hexAccount = "0123456789abcdef0123456789abcdef"
	fakeToken  = "fake-token-abcdefghijklmnopqrstuvwxyz012"
)

// environ is what serve needs at least, with changes.
func environ(pairs ...string) map[string]string {
	m := map[string]string{"CLOUDFLARE_ACCOUNT_ID": hexAccount, "XDG_STATE_HOME": os.TempDir()}
	for _, pair := range pairs {
		name, value, _ := strings.Cut(pair, "=")
		m[name] = value
	}
	return m
}

func TestLoadDefaults(t *testing.T) {
	c, err := Load(environ(), new(Redactor))
	if err != nil {
		t.Fatalf("Load() = %v, want no mistake", err)
	}
	if warnings := strings.Join(c.Warnings, "\n"); warnings != noToken {
		t.Errorf("warnings are %q, want %q", warnings, noToken)
	}
	type view struct {
		account                            string
		listen, admin                      string
		upstream                           string
		body, held                         int64
		first, idle, retryAfter, drain     time.Duration
		level, format, quota, plan         string
		daily                              float64
		store                              string
		token, gateway, pprof, anonymously bool
	}
	got := view{
		c.Account, c.Listen, c.AdminListen, c.Upstream.String(), c.MaxBody, c.MaxHeld,
		c.FirstByteTimeout, c.StreamIdleTimeout, c.RetryAfterMax, c.Drain,
		c.LogLevel, c.LogFormat, c.QuotaMode, c.Plan, c.DailyNeurons, c.Store.Path,
		c.Token.IsSet(), c.GatewayToken.IsSet(), c.Pprof, c.AllowAnonymous,
	}
	want := view{
		hexAccount, "127.0.0.1:3036", "127.0.0.1:3037", "https://api.cloudflare.com/client/v4", 32 << 20, 256 << 20,
		6 * time.Minute, 2 * time.Minute, time.Minute, 30 * time.Second,
		"info", "auto", "enforce", "free", 10_000,
		filepath.Join(os.TempDir(), "neuronward", "neurons-"+hexAccount), false, false, false, false,
	}
	if got != want {
		t.Errorf("load gave %+v, want %+v", got, want)
	}
}

func TestLoadValues(t *testing.T) {
	cases := []struct {
		name, set string
		field     func(c *Config) any
		want      any
	}{
		{"size in MiB", "NEURONWARD_MAX_BODY=1MiB", func(c *Config) any { return c.MaxBody }, int64(1 << 20)},
		{"size in kB", "NEURONWARD_MAX_BODY=500kB", func(c *Config) any { return c.MaxBody }, int64(500_000)},
		{
			"size in GiB, other case", "NEURONWARD_MAX_HELD=1gib", func(c *Config) any { return c.MaxHeld },
			int64(1 << 30),
		},
		{"size in bytes", "NEURONWARD_MAX_BODY=1000", func(c *Config) any { return c.MaxBody }, int64(1000)},
		{"empty is unset", "NEURONWARD_MAX_BODY=", func(c *Config) any { return c.MaxBody }, int64(32 << 20)},
		{"empty admin listener is off", "NEURONWARD_ADMIN_LISTEN=", func(c *Config) any { return c.AdminListen }, ""},
		{
			"slash at the upstream's end", "NEURONWARD_UPSTREAM=https://api.cloudflare.com/client/v4/",
			func(c *Config) any { return c.Upstream.String() }, "https://api.cloudflare.com/client/v4",
		},
		{
			"plain upstream on loopback", "NEURONWARD_UPSTREAM=http://[::1]:8080",
			func(c *Config) any { return c.Upstream.String() }, "http://[::1]:8080",
		},
		{
			"hosts", "NEURONWARD_HOSTS=AI.internal, b.example",
			func(c *Config) any { return strings.Join(c.Hosts, ",") }, "ai.internal,b.example",
		},
		{"every address, without a token", "NEURONWARD_LISTEN=:3036", func(c *Config) any { return c.Listen }, ":3036"},
		{"no drain", "NEURONWARD_DRAIN=0", func(c *Config) any { return c.Drain }, time.Duration(0)},
		{
			"newline after a token", "CLOUDFLARE_API_TOKEN=" + fakeToken + "\n",
			func(c *Config) any { return c.Token.Value() }, fakeToken,
		},
		{
			"the free plan's limit", "NEURONWARD_PLAN=free", func(c *Config) any { return c.DailyNeurons },
			float64(10_000),
		},
		{"no limit on paid", "NEURONWARD_PLAN=paid", func(c *Config) any { return c.DailyNeurons }, float64(0)},
		{
			"a limit of its own", "NEURONWARD_DAILY_NEURONS=2500.5", func(c *Config) any { return c.DailyNeurons },
			float64(2500.5),
		},
		{
			"no limit, as set", "NEURONWARD_DAILY_NEURONS=0", func(c *Config) any { return c.DailyNeurons },
			float64(0),
		},
		{
			"an empty limit is unset", "NEURONWARD_DAILY_NEURONS=", func(c *Config) any { return c.DailyNeurons },
			float64(10_000),
		},
		{
			"store in memory", "NEURONWARD_STORE=memory:", func(c *Config) any { return c.Store.String() },
			"memory:",
		},
		{
			"store in a file", "NEURONWARD_STORE=file:/srv/neurons", func(c *Config) any { return c.Store.Path },
			"/srv/neurons",
		},
		{
			"store behind Sentinels", "NEURONWARD_STORE=redis+sentinel://u:hidden-word@h,i/m",
			func(c *Config) any { return c.Store.String() }, "redis+sentinel://u@h:26379,i:26379/m/0",
		},
		{
			"store in Redis", "NEURONWARD_STORE=redis://u:hidden-word@h",
			func(c *Config) any { return c.Store.Kind + " " + c.Store.String() }, "redis redis://u@h:6379/0",
		},
		{
			"store in Redis over TLS", "NEURONWARD_STORE=rediss://:hidden-word@h:7/2",
			func(c *Config) any { return c.Store.Kind + " " + c.Store.String() }, "redis rediss://h:7/2",
		},
		{
			"store not chosen", "NEURONWARD_QUOTA_MODE=", func(c *Config) any { return c.Store.Path },
			filepath.Join(os.TempDir(), "neuronward", "neurons-"+hexAccount),
		},
		{
			"no store where nothing is counted", "NEURONWARD_QUOTA_MODE=off",
			func(c *Config) any { return c.Store.Kind },
			"",
		},
		{"never probe", "NEURONWARD_QUOTA_PROBE=0", func(c *Config) any { return c.QuotaProbe }, time.Duration(0)},
		{"yes", "NEURONWARD_PPROF=1", func(c *Config) any { return c.Pprof }, true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			loaded, err := Load(environ(c.set), new(Redactor))
			if err != nil {
				t.Fatal(err)
			}
			if got := c.field(loaded); got != c.want {
				t.Errorf("%s gave %#v, want %#v", c.set, got, c.want)
			}
		})
	}
}

func TestLoadMistakes(t *testing.T) {
	cases := []struct {
		name string
		set  []string
		want string // a regular expression for the one mistake
	}{
		{"no account", []string{"CLOUDFLARE_ACCOUNT_ID="}, `^CLOUDFLARE_ACCOUNT_ID: is required; .*neuronward demo$`},
		{"account with a slash", []string{"CLOUDFLARE_ACCOUNT_ID=a/b"}, `^CLOUDFLARE_ACCOUNT_ID: is not an account id`},
		{
			"account too long",
			[]string{"CLOUDFLARE_ACCOUNT_ID=" + strings.Repeat("a", 65)},
			`^CLOUDFLARE_ACCOUNT_ID: is not an account id`,
		},
		{"token with a space", []string{"CLOUDFLARE_API_TOKEN=fake token"}, `^CLOUDFLARE_API_TOKEN: holds a space`},
		{"token of a newline alone", []string{"CLOUDFLARE_API_TOKEN=\n"}, `^CLOUDFLARE_API_TOKEN: is empty`},
		{
			"port alone",
			[]string{"NEURONWARD_LISTEN=3036"},
			`^NEURONWARD_LISTEN: "3036" is not an address; write host:port`,
		},
		{"port too high", []string{"NEURONWARD_LISTEN=127.0.0.1:70000"}, `has no port between 0 and 65535`},
		{"space before an address", []string{"NEURONWARD_LISTEN= 127.0.0.1:1"}, `names no host`},
		{
			"one address twice",
			[]string{"NEURONWARD_LISTEN=127.0.0.1:3037"},
			`^NEURONWARD_ADMIN_LISTEN: is the address of NEURONWARD_LISTEN`,
		},
		{"upstream without scheme", []string{"NEURONWARD_UPSTREAM=api.cloudflare.com"}, `does not begin with http`},
		{"upstream without host", []string{"NEURONWARD_UPSTREAM=https:///client"}, `has no host`},
		{
			"upstream with a password",
			[]string{"NEURONWARD_UPSTREAM=https://u:hidden-word@example.com"},
			`^NEURONWARD_UPSTREAM: holds a user`,
		},
		{"upstream with a query", []string{"NEURONWARD_UPSTREAM=https://example.com/?a=b"}, `has a query`},
		{
			"plain upstream with a token",
			[]string{"NEURONWARD_UPSTREAM=http://example.com", "CLOUDFLARE_API_TOKEN=" + fakeToken},
			`^NEURONWARD_UPSTREAM: would send the token unencrypted`,
		},
		{
			"plain upstream with a gateway token",
			[]string{"NEURONWARD_UPSTREAM=http://10.0.0.1", "CF_AIG_TOKEN=" + fakeToken},
			`would send the token unencrypted`,
		},
		{
			"host with a port",
			[]string{"NEURONWARD_HOSTS=a.example:80"},
			`^NEURONWARD_HOSTS: .* is not a list of host names`,
		},
		{"not a boolean", []string{"NEURONWARD_PPROF=yes"}, `neither true nor false`},
		{"size without number", []string{"NEURONWARD_MAX_BODY=MiB"}, `is not a size`},
		{"size with a fraction", []string{"NEURONWARD_MAX_BODY=1.5MiB"}, `is not a size`},
		{"size of nothing", []string{"NEURONWARD_MAX_BODY=0"}, `is not above 0`},
		{"size beyond 63 bits", []string{"NEURONWARD_MAX_HELD=9999999999GiB"}, `is too large`},
		{
			"held below one body",
			[]string{"NEURONWARD_MAX_HELD=1MiB"},
			`^NEURONWARD_MAX_HELD: 1MiB is below NEURONWARD_MAX_BODY \(32MiB\)`,
		},
		{"time without unit", []string{"NEURONWARD_DRAIN=30"}, `"30" has no unit; write a time such as 30s`},
		{"time below 0", []string{"NEURONWARD_DRAIN=-1s"}, `is below 0`},
		{"time limit of 0", []string{"NEURONWARD_STREAM_IDLE_TIMEOUT=0s"}, `is not above 0`},
		{
			"unknown level",
			[]string{"NEURONWARD_LOG_LEVEL=verbose"},
			`"verbose" is none of its values; write debug or info or warn or error`,
		},
		{
			"retired estimate",
			[]string{"NEURONWARD_ESTIMATE=expected"},
			`^NEURONWARD_ESTIMATE: "expected" was removed: write tight, which replaces it, or bound$`,
		},
		{
			"clients file that is not there",
			[]string{"NEURONWARD_CLIENTS_FILE=/nowhere/clients.yaml"},
			`^NEURONWARD_CLIENTS_FILE: cannot be read \(open /nowhere/clients.yaml: no such file .*; check the path ` +
				`and its permissions$`,
		},
		{
			"clients themselves",
			[]string{"NEURONWARD_CLIENTS_FILE=clients:\n- name: a"},
			`^NEURONWARD_CLIENTS_FILE: holds a line break; put the clients in a file and name it here$`,
		},
		{
			"clients file that is not there, exposed",
			[]string{
				"NEURONWARD_CLIENTS_FILE=/nowhere/clients.yaml", "NEURONWARD_LISTEN=:3036",
				"CLOUDFLARE_API_TOKEN=" + fakeToken,
			},
			`^NEURONWARD_CLIENTS_FILE: cannot be read`,
		},
		{"retries without end", []string{"NEURONWARD_RETRIES=11"}, `^NEURONWARD_RETRIES: 11 is more than 10;`},
		{"share above 1", []string{"NEURONWARD_RETRY_BUDGET=2"}, `^NEURONWARD_RETRY_BUDGET: "2" is not a share`},
		{
			"store with a password",
			[]string{"NEURONWARD_STORE=http://u:hidden-word@h"},
			`^NEURONWARD_STORE: is no store; write file:PATH`,
		},
		{
			"password of the store with a space",
			[]string{"NEURONWARD_STORE=redis://h", "NEURONWARD_STORE_PASSWORD=hidden word"},
			`^NEURONWARD_STORE_PASSWORD: holds a space, .*; put the secret alone there$`,
		},
		{
			"store in Redis with two passwords",
			[]string{"NEURONWARD_STORE=redis://u:hidden-word@h", "NEURONWARD_STORE_PASSWORD=hidden-word"},
			`^NEURONWARD_STORE_PASSWORD: is set, and NEURONWARD_STORE has a password, too; take one of them away$`,
		},
		{
			"store in Redis without a host",
			[]string{"NEURONWARD_STORE=redis://u:hidden-word@"},
			`^NEURONWARD_STORE: has no host; write redis://host:6379/0$`,
		},
		{
			"store in Redis, password not escaped",
			[]string{"NEURONWARD_STORE=rediss://u:hidden-word@1@h:x"},
			`^NEURONWARD_STORE: is no address of a server: a character in it has to be escaped`,
		},
		{"file without a path", []string{"NEURONWARD_STORE=file:"}, `^NEURONWARD_STORE: is no store`},
		{"memory with a path", []string{"NEURONWARD_STORE=memory:x"}, `^NEURONWARD_STORE: is no store`},
		{
			"limit below 0",
			[]string{"NEURONWARD_DAILY_NEURONS=-0.5"},
			`^NEURONWARD_DAILY_NEURONS: "-0.5" is not a number of neurons; write one such as 10000, or 0 for no limit$`,
		},
		{"limit that no account can reach", []string{"NEURONWARD_DAILY_NEURONS=1e10"}, `is not a number of neurons`},
		{"limit that is no number", []string{"NEURONWARD_DAILY_NEURONS=NaN"}, `is not a number of neurons`},
		{
			"rates",
			[]string{"NEURONWARD_RATE_LIMITS=text-generation"},
			`^NEURONWARD_RATE_LIMITS: "text-generation" is no rate`,
		},
		{
			"misspelled",
			[]string{"NEURONWARD_LISTN=:1"},
			`^NEURONWARD_LISTN: there is no such variable; did you mean NEURONWARD_LISTEN\?$`,
		},
		{
			"unknown",
			[]string{"NEURONWARD_SOMETHING_ELSE_ALTOGETHER=1"},
			`^NEURONWARD_SOMETHING_ELSE_ALTOGETHER: there is no such variable; unset it$`,
		},
		{
			"file of what is no secret",
			[]string{"NEURONWARD_LISTEN_FILE=/x"},
			`^NEURONWARD_LISTEN_FILE: only secrets are read from files; set NEURONWARD_LISTEN itself$`,
		},
		{
			"token file that is not there",
			[]string{"CLOUDFLARE_API_TOKEN_FILE=/nowhere/token"},
			`^CLOUDFLARE_API_TOKEN_FILE: cannot be read \(open /nowhere/token: no such file`,
		},
		{
			"token twice",
			[]string{"CLOUDFLARE_API_TOKEN=" + fakeToken, "CLOUDFLARE_API_TOKEN_FILE=/nowhere/token"},
			`^CLOUDFLARE_API_TOKEN: is set together with CLOUDFLARE_API_TOKEN_FILE; keep one of them$`,
		},
		{
			"exposed token",
			[]string{"NEURONWARD_LISTEN=0.0.0.0:3036", "CLOUDFLARE_API_TOKEN=" + fakeToken},
			`^NEURONWARD_LISTEN: 0\.0\.0\.0:3036 is reachable .*listen on loopback.*unset the ` +
				`token.*NEURONWARD_CLIENTS_FILE.*NEURONWARD_ALLOW_ANONYMOUS=true`,
		},
		{
			"exposed gateway token",
			[]string{"NEURONWARD_LISTEN=:3036", "CF_AIG_TOKEN=" + fakeToken},
			`is reachable from other machines`,
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, mistakes := load(environ(c.set...), new(Redactor))
			if len(mistakes) != 1 {
				t.Fatalf("got %d mistakes, want 1:\n%v", len(mistakes), mistakes)
			}
			got := mistakes[0].Error()
			if !regexp.MustCompile(c.want).MatchString(got) || strings.Contains(got, "\n") {
				t.Errorf("the mistake is %q, want %s", got, c.want)
			}
			for _, hidden := range []string{fakeToken, "hidden-word", "fake token"} {
				if strings.Contains(got, hidden) {
					t.Errorf("got %q, want a mistake that does not show %q", got, hidden)
				}
			}
		})
	}
}

func TestExposureIsAllowed(t *testing.T) {
	nobody := filepath.Join(t.TempDir(), "clients.yaml")
	if err := os.WriteFile(nobody, []byte("clients: []"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, set := range map[string][]string{
		"on loopback":          {"CLOUDFLARE_API_TOKEN=" + fakeToken, "NEURONWARD_LISTEN=127.0.0.2:1"},
		"on loopback, IPv6":    {"CLOUDFLARE_API_TOKEN=" + fakeToken, "NEURONWARD_LISTEN=[::1]:1"},
		"on loopback, by name": {"CLOUDFLARE_API_TOKEN=" + fakeToken, "NEURONWARD_LISTEN=localhost:1"},
		"without a token":      {"NEURONWARD_LISTEN=0.0.0.0:1"},
		"plain, without one":   {"NEURONWARD_UPSTREAM=http://192.0.2.1"},
		"to clients": {
			"CLOUDFLARE_API_TOKEN=" + fakeToken, "NEURONWARD_LISTEN=0.0.0.0:1", "NEURONWARD_CLIENTS_FILE=" + nobody,
		},
		"by the operator": {
			"CLOUDFLARE_API_TOKEN=" + fakeToken, "NEURONWARD_LISTEN=0.0.0.0:1", "NEURONWARD_ALLOW_ANONYMOUS=true",
		},
		"of the admin address": {"CLOUDFLARE_API_TOKEN=" + fakeToken, "NEURONWARD_ADMIN_LISTEN=0.0.0.0:1"},
	} {
		if _, err := Load(environ(set...), new(Redactor)); err != nil {
			t.Errorf("%s: got %v, want no mistake", name, err)
		}
	}
}

func TestKubernetesNamesAreIgnored(t *testing.T) {
	_, err := Load(environ(
		"NEURONWARD_SERVICE_HOST=10.0.0.1", "NEURONWARD_SERVICE_PORT=3036", "NEURONWARD_SERVICE_PORT_HTTP=3036",
		"NEURONWARD_PORT=tcp://10.0.0.1:3036", "NEURONWARD_PORT_3036_TCP=tcp://10.0.0.1:3036",
		"NEURONWARD_PORT_3036_TCP_ADDR=10.0.0.1", "NEURONWARD_PORT_3036_TCP_PORT=3036",
		"NEURONWARD_PORT_3036_TCP_PROTO=tcp",
		"NEURONWARD_PORT_53_UDP=udp://10.0.0.1:53", "NEURONWARD_PORT_53_UDP_ADDR=10.0.0.1",
		"NEURONWARD_ADMIN_SERVICE_HOST=10.0.0.1", "NEURONWARD_ADMIN_PORT=tcp://10.0.0.1:3037",
		"NEURONWARD_ADMIN_PORT_3037_TCP_ADDR=10.0.0.1",
	), new(Redactor))
	if err != nil {
		t.Error(err)
	}
	others := []string{"NEURONWARD_ADMIN_PORT=3037", "NEURONWARD_PORT_TCP=1", "NEURONWARD_PORTS=1"}
	if _, mistakes := load(environ(others...), new(Redactor)); len(mistakes) != 3 {
		t.Errorf("got %d mistakes, want 3: what Kubernetes does not set was let through:\n%v", len(mistakes), mistakes)
	}
}

func TestWarnings(t *testing.T) {
	path := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(path, []byte(fakeToken), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	c, err := Load(environ(
		"CLOUDFLARE_ACCOUNT_ID=team", "CLOUDFLARE_API_TOKEN_FILE="+path, "NEURONWARD_RECONCILE=3m",
		"NEURONWARD_PLAN=free",
		"NEURONWARD_ANALYTICS_TOKEN=fake-analytics", "NEURONWARD_STORE=", "NEURONWARD_DAILY_NEURONS=10000.5",
	), new(Redactor))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"CLOUDFLARE_API_TOKEN_FILE: " + path + " can be read by others (mode 0644); chmod 600 it",
		"CLOUDFLARE_ACCOUNT_ID: does not look like one of Cloudflare's, which are 32 hexadecimal digits",
		"NEURONWARD_DAILY_NEURONS: 10000.5 is more than the 10000 neurons a day of the free plan; Workers AI itself " +
			"refuses from there on",
	}
	if !slices.Equal(c.Warnings, want) {
		t.Errorf("warnings are %q, want %q", c.Warnings, want)
	}
	if got := c.Token.Value(); got != fakeToken {
		t.Errorf("the token is %q, want %q", got, fakeToken)
	}
}

// The table is complete: each row says what it is, and its default is a value that it may have.
func TestTableOfVariables(t *testing.T) {
	seen := map[string]bool{}
	for _, v := range Variables() {
		if v.Name == "" || v.Doc == "" {
			t.Errorf("got %+v, want a name and a text", v)
		}
		if seen[v.Name] {
			t.Errorf("got two rows of %s, want one", v.Name)
		}
		seen[v.Name] = true
		if strings.HasSuffix(v.Doc, ".") || strings.Contains(v.Doc, "\n") {
			t.Errorf("%s: got the text %q, want one line without a final full stop", v.Name, v.Doc)
		}
		if v.Choices != nil && !slices.Contains(v.Choices, v.Default) {
			t.Errorf("%s: got the default %q, want one of %q", v.Name, v.Default, v.Choices)
		}
	}
	if len(seen) == 0 {
		t.Error("got no variables, want some")
	}
}

func TestNearest(t *testing.T) {
	known := names(Variables())
	for typed, want := range map[string]string{
		"NEURONWARD_MAXBODY":       "NEURONWARD_MAX_BODY",
		"NEURONWARD_UPSTREAM_URL":  "NEURONWARD_UPSTREAM",
		"NEURONWARD_LOGLEVEL":      "NEURONWARD_LOG_LEVEL",
		"NEURONWARD_ADMIN_LISTNE":  "NEURONWARD_ADMIN_LISTEN",
		"NEURONWARD_X":             "",
		"NEURONWARD_QUITE_ANOTHER": "",
	} {
		if got := Nearest(typed, known); got != want {
			t.Errorf("nearest(%s) = %q, want %q", typed, got, want)
		}
	}
}

// A token that cannot be read is still one that would be exposed: both mistakes are reported at once.
func TestExposureIsReportedBesideAnUnreadableToken(t *testing.T) {
	_, mistakes := load(environ(
		"CLOUDFLARE_API_TOKEN_FILE=/nowhere/token", "NEURONWARD_LISTEN=:1", "NEURONWARD_UPSTREAM=http://192.0.2.1",
	), new(Redactor))
	var got []string
	for _, m := range mistakes {
		got = append(got, m.Variable)
	}
	want := []string{"CLOUDFLARE_API_TOKEN_FILE", "NEURONWARD_UPSTREAM", "NEURONWARD_LISTEN"}
	if !slices.Equal(got, want) {
		t.Errorf("mistakes in %q, want %q", got, want)
	}
}
