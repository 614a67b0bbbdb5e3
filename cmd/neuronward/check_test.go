package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/neuronward/neuronward/proxy/workersai"
)

const (
	otherToken   = "fake-reader-abcdefghijklmnopqrstuvwxyz01"
	otherAccount = "fedcba9876543210fedcba9876543210"
)

// checked runs check and returns what stands below "Checked:", with its exit code.
func checked(t *testing.T, environ []string, args ...string) (lines string, code int) {
	t.Helper()
	var out, errs bytes.Buffer
	environ = append([]string{
		"CLOUDFLARE_ACCOUNT_ID=" + hexAccount, "CLOUDFLARE_API_TOKEN=" + fakeToken, "NEURONWARD_LISTEN=127.0.0.1:0",
		"NEURONWARD_ADMIN_LISTEN=",
		"NEURONWARD_STORE=memory:",
	}, environ...)
	code = run(t.Context(), append([]string{"check"}, args...), environ, strings.NewReader(""), &out, &errs)
	equal(t, "stderr", errs.String(), "")
	lacks(t, "stdout", out.String(), "fake-")
	_, lines, _ = strings.Cut(out.String(), "Checked:\n\n")
	return lines, code
}

// Lines of a check at which all is well.
const (
	fineToken     = "  ok       token         active, a user's, does not expire\n"
	fineClock     = "  ok       clock         within 2s of Cloudflare's\n"
	fineAccount   = "  ok       account       " + hexAccount + ", which the token is for\n"
	fineWorkersAI = "  ok       workers_ai    the token may call models and read their prices\n"
	fineAnalytics = "  ok       analytics     the account's own figure can be read with CLOUDFLARE_API_TOKEN\n"
	fineStore     = "  ok       store         memory: usage is forgotten at the end\n"
	fineClients   = "  ok       clients       none: whoever reaches 127.0.0.1:0 may call\n"
	fineListen    = "  ok       listen        127.0.0.1:0: whichever port is free\n"
	fineHere      = fineStore + fineClients + fineListen
)

// answered puts an answer of one's own before an account's, where the path holds a part; date, if not 0, is what its
// clock is ahead.
func answered(sim http.Handler, part string, status int, body string, date time.Duration) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if date != 0 {
			w.Header().Set("Date", time.Now().Add(date).UTC().Format(http.TimeFormat))
		}
		if part == "" || !strings.Contains(r.URL.Path, part) {
			sim.ServeHTTP(w, r)
			return
		}
		w.WriteHeader(status)
		io.WriteString(w, body)
	})
}

func TestCheckAsksCloudflare(t *testing.T) {
	account := func(change func(*workersai.Options)) http.Handler {
		o := workersai.Options{Account: hexAccount, Token: fakeToken}
		if change != nil {
			change(&o)
		}
		return workersai.New(o)
	}
	fine := account(nil)
	refused := func(code int, text string) string {
		return fmt.Sprintf(`{"success":false,"errors":[{"code":%d,"message":%q}],"messages":[],"result":null}`, code,
			text)
	}
	verified := func(status string, expires time.Time) string {
		return fmt.Sprintf(`{"success":true,"errors":[],"messages":[],"result":{"id":"x","status":%q,"expires_on":%q}}`,
			status, expires.UTC().Format(time.RFC3339))
	}
	late, soon := time.Now().Add(1000*time.Hour), time.Now().Add(50*time.Hour)
	const (
		newToken = "make or enable one in Cloudflare's dashboard and set CLOUDFLARE_API_TOKEN\n"
		grant    = "give the token Workers AI: Read and Workers AI: Edit for this account"
		ntp      = "; set this machine's clock by NTP: the day of neurons begins at 00:00 UTC\n"
	)
	cases := []struct {
		name string
		h    http.Handler
		set  []string
		want string // above what is looked at on this machine
		code int
	}{
		{"all is well", fine, nil, fineToken + fineClock + fineAccount + fineWorkersAI + fineAnalytics, exitDone},
		{
			"the account's own token", account(func(o *workersai.Options) { o.AccountOwned = true }), nil,
			"  ok       token         active, the account's, does not expire\n" + fineClock + fineAccount +
				fineWorkersAI + fineAnalytics,
			exitDone,
		},
		{
			"no token", fine,
			[]string{"CLOUDFLARE_API_TOKEN="},
			"  warning  token         none of this proxy's own: each caller's Authorization is passed on, and prices " +
				"are the embedded ones; set CLOUDFLARE_API_TOKEN unless callers are to bring their own\n",
			exitDone,
		},
		{
			"a wrong token", account(func(o *workersai.Options) { o.Token = "another-token" }), nil,
			"  failure  token         Cloudflare does not know it: 401 Invalid API Token (code 1000); copy it again, " +
				"or make a new one, and set CLOUDFLARE_API_TOKEN\n" + fineClock,
			exitFailed,
		},
		{
			"a token that is turned off", answered(fine, "/verify", 200, verified("disabled", late), 0), nil,
			"  failure  token         it is disabled; " + newToken + fineClock, exitFailed,
		},
		{
			"a token that lasts", answered(fine, "/verify", 200, verified("active", late), 0), nil,
			"  ok       token         active, a user's, expires at " + late.UTC().Format(time.RFC3339) + "\n" +
				fineClock + fineAccount + fineWorkersAI + fineAnalytics,
			exitDone,
		},
		{
			"a token that does not last", answered(fine, "/verify", 200, verified("active", soon), 0), nil,
			"  warning  token         active, a user's, expires at " + soon.UTC().Format(time.RFC3339) +
				"; roll it in Cloudflare's dashboard\n" + fineClock + fineAccount + fineWorkersAI + fineAnalytics,
			exitDone,
		},
		{
			"the token of another account", account(func(o *workersai.Options) { o.Account = otherAccount }), nil,
			fineToken + fineClock +
				"  failure  account       the token is not for " + hexAccount + " but for " + otherAccount +
				"; set CLOUDFLARE_ACCOUNT_ID to the token's account, or make a token for this one\n" +
				"  warning  analytics     the account's own figure cannot be read with CLOUDFLARE_API_TOKEN: 200 not " +
				"authorized for that account; grant Account Analytics: Read to the token, or set " +
				"NEURONWARD_ANALYTICS_TOKEN to one that has it\n",
			exitFailed,
		},
		{
			"no such account", answered(fine, "/ai/", 404, refused(7003, "Could not route"), 0), nil,
			fineToken + fineClock +
				"  failure  account       Cloudflare knows no account " + hexAccount + ": 404 Could not route (code " +
				"7003); copy CLOUDFLARE_ACCOUNT_ID from the dashboard (Workers AI, Use REST API)\n" + fineAnalytics,
			exitFailed,
		},
		{
			"a token without Workers AI", answered(fine, "/ai/", 403, refused(10000, "Authentication error"), 0), nil,
			fineToken + fineClock + fineAccount +
				"  failure  workers_ai    the token may not call models: 403 Authentication error (code 10000); " +
				grant + "\n" + fineAnalytics,
			exitFailed,
		},
		{
			"a token that sees no accounts", answered(fine, "/accounts", 403, refused(9109, "Unauthorized"), 0), nil,
			fineToken + fineClock +
				"  failure  workers_ai    the token may not call models of " + hexAccount +
				": 403 Unauthorized (code 9109); " + grant + "; if it has them, CLOUDFLARE_ACCOUNT_ID is another " +
				"account's\n" + fineAnalytics,
			exitFailed,
		},
		{
			"Workers AI is down", answered(fine, "/ai/", 502, "<html>", 0), nil,
			fineToken + fineClock +
				"  warning  workers_ai    it is not known whether the token may call models: 502 Bad Gateway; try " +
				"again\n" + fineAnalytics,
			exitDone,
		},
		{
			"a token without analytics", account(func(o *workersai.Options) { o.NoAnalytics = true }), nil,
			fineToken + fineClock + fineAccount + fineWorkersAI +
				"  warning  analytics     the account's own figure cannot be read with CLOUDFLARE_API_TOKEN: 200 not " +
				"authorized for that account; grant Account Analytics: Read to the token, or set " +
				"NEURONWARD_ANALYTICS_TOKEN to one that has it\n",
			exitDone,
		},
		{
			"another token for analytics", account(func(o *workersai.Options) { o.AnalyticsToken = otherToken }),
			[]string{"NEURONWARD_ANALYTICS_TOKEN=" + otherToken},
			fineToken + fineClock + fineAccount + fineWorkersAI + "  ok       analytics     the account's own figure " +
				"can be read with NEURONWARD_ANALYTICS_TOKEN\n",
			exitDone,
		},
		{
			"a wrong token for analytics", fine,
			[]string{"NEURONWARD_ANALYTICS_TOKEN=" + otherToken},
			fineToken + fineClock + fineAccount + fineWorkersAI +
				"  warning  analytics     NEURONWARD_ANALYTICS_TOKEN is not accepted: 401 Authentication error (code " +
				"10000); set NEURONWARD_ANALYTICS_TOKEN to a token with Account Analytics: Read\n",
			exitDone,
		},
		{
			"GraphQL is down",
			account(func(o *workersai.Options) {
				o.GraphQLFails = func(time.Time) string { return "internal server error" }
			}),
			nil,
			fineToken + fineClock + fineAccount + fineWorkersAI +
				"  warning  analytics     it is not known whether the account's own figure can be read: 200 internal " +
				"server error; try again\n",
			exitDone,
		},
		{
			"a clock behind", answered(fine, "", 0, "", time.Minute), nil,
			fineToken + "  warning  clock         1m0s behind Cloudflare's" + ntp + fineAccount + fineWorkersAI +
				fineAnalytics,
			exitDone,
		},
		{
			"a clock far ahead", answered(fine, "", 0, "", -time.Hour), nil,
			fineToken + "  failure  clock         1h0m0s ahead of Cloudflare's" + ntp + fineAccount + fineWorkersAI +
				fineAnalytics,
			exitFailed,
		},
		{
			"too much was asked", answered(fine, "/verify", 429, refused(971, "Please wait"), 0), nil,
			"  warning  token         it was not verified: 429 Please wait (code 971); try again in five minutes\n" +
				fineClock,
			exitDone,
		},
		{
			"the API is down", answered(fine, "/verify", 503, "<html>", 0), nil,
			"  failure  api           API gives no answer that can be used: 503 Service Unavailable; check whether " +
				"this machine may reach it, and NEURONWARD_API\n",
			exitFailed,
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			server := httptest.NewServer(c.h)
			t.Cleanup(server.Close)
			api := server.URL + "/client/v4"
			got, code := checked(t, append([]string{"NEURONWARD_UPSTREAM=" + api}, c.set...))
			got = strings.ReplaceAll(got, api, "API")
			for _, clock := range []string{"59s", "1m1s"} { // the second that a Date is cut to
				got = strings.ReplaceAll(got, clock+" behind", "1m0s behind")
			}
			got = strings.NewReplacer("59m59s ahead", "1h0m0s ahead", "1h0m1s ahead", "1h0m0s ahead").Replace(got)
			if want := c.want + fineHere; got != want || code != c.code {
				t.Errorf("exit %d\n%swant %d\n%s", code, got, c.code, want)
			}
		})
	}
	t.Run("nobody is there", func(t *testing.T) {
		got, code := checked(t, []string{"NEURONWARD_UPSTREAM=http://127.0.0.1:1/client/v4"})
		equal(t, "exit", code, exitFailed)
		equal(t, "lines", got, "  failure  api           http://127.0.0.1:1/client/v4 "+
			"gives no answer that can be used: dial tcp 127.0.0.1:1: connect: connection refused; "+
			"check whether this machine may reach it, and NEURONWARD_API\n"+fineHere)
	})
	t.Run("offline", func(t *testing.T) {
		asked := false
		server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked = true }))
		t.Cleanup(server.Close)
		got, code := checked(t, []string{"NEURONWARD_UPSTREAM=" + server.URL + "/client/v4"}, "--offline")
		equal(t, "lines", got, fineHere)
		equal(t, "exit", code, exitDone)
		equal(t, "Cloudflare asked", asked, false)
	})
}

func TestCheckLooksAround(t *testing.T) {
	dir := t.TempDir()
	damaged := filepath.Join(dir, "damaged")
	if err := os.WriteFile(damaged, []byte("half a fi"), 0o600); err != nil {
		t.Fatal(err)
	}
	taken := listenOn(t, nil)
	ours := listenOn(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(
			w,
			map[string]string{
				"/errors/account_limited": `{"name":"account_limited"}`, "/metrics": "neuronward_build_info 1",
			}[r.URL.Path],
		)
	}))
	const running = "; none is needed if that is the proxy of this configuration; a new one waits only for one that " +
		"is ending\n"
	for _, c := range []struct {
		name, set, want string // what one of the lines must be
		code            int
	}{
		{
			"a file that is not there", "NEURONWARD_STORE=file:DIR/new/neurons",
			"  ok       store         DIR/new/neurons can be made: it does not exist yet\n", exitDone,
		},
		{
			"a place where no file can be", "NEURONWARD_STORE=file:DIR/damaged/neurons",
			"  failure  store         filestore: DIR/damaged/neurons cannot be made: DIR/damaged is a file, not a " +
				"directory: move it away, or name a file elsewhere; fix it, or name another store\n",
			exitFailed,
		},
		{
			"a directory that cannot be written", "NEURONWARD_STORE=file:/proc/neuronward/neurons",
			"; name a path in NEURONWARD_STORE that this user can write, or memory:\n", exitFailed,
		},
		{
			"a damaged file", "NEURONWARD_STORE=file:DIR/damaged", "  failure  store         filestore: DIR/damaged: ",
			exitFailed,
		},
		{
			"Redis is down", "NEURONWARD_STORE=redis://127.0.0.1:1/0",
			"  failure  store         redis://127.0.0.1:1/0 does not answer: redisstore: dial tcp 127.0.0.1:1: " +
				"connect: connection refused; start the server, or fix the network to it; until then " +
				"NEURONWARD_ON_STORE_FAILURE says what happens to calls\n",
			exitFailed,
		},
		{
			"nothing is counted", "NEURONWARD_QUOTA_MODE=off",
			"  ok       store         none: nothing is counted with NEURONWARD_QUOTA_MODE=off\n", exitDone,
		},
		{
			"a port that is taken", "NEURONWARD_LISTEN=" + taken,
			"  failure  listen        another program listens on " + taken + "; stop it, or set NEURONWARD_LISTEN to " +
				"another address\n",
			exitFailed,
		},
		{
			"a port that another proxy has", "NEURONWARD_LISTEN=" + ours,
			"  warning  listen        a neuronward listens on " + ours + running, exitDone,
		},
		{
			"the admin's port is taken", "NEURONWARD_ADMIN_LISTEN=" + taken,
			"  failure  admin_listen  another program listens on " + taken + "; stop it, or set " +
				"NEURONWARD_ADMIN_LISTEN to another address\n",
			exitFailed,
		},
		{
			"the admin's port is another proxy's", "NEURONWARD_ADMIN_LISTEN=" + ours,
			"  warning  admin_listen  a neuronward listens on " + ours + running, exitDone,
		},
		{
			"an address of another machine", "NEURONWARD_ADMIN_LISTEN=192.0.2.1:1",
			"  failure  admin_listen  nothing can listen on 192.0.2.1:1: bind: cannot assign requested address; set " +
				"NEURONWARD_ADMIN_LISTEN to another address\n",
			exitFailed,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, code := checked(t, []string{strings.ReplaceAll(c.set, "DIR", dir)}, "--offline")
			if got = strings.ReplaceAll(got, dir, "DIR"); !strings.Contains(got, c.want) || code != c.code {
				t.Errorf("exit %d\n%swant %d\n%s", code, got, c.code, c.want)
			}
		})
	}
	if left, err := os.ReadDir(filepath.Join(dir, "new")); err == nil {
		t.Errorf("got the files %v after check, want no directory", left)
	}
}

func TestCheckOfTheStoreOfARunningProxy(t *testing.T) {
	t.Parallel()
	p := start(t, costly(t, "XDG_STATE_HOME="+t.TempDir()))
	p.spend()
	var state string
	for _, line := range p.cmd.Env {
		if dir, ok := strings.CutPrefix(line, "XDG_STATE_HOME="); ok {
			state = filepath.Join(dir, "neuronward", "neurons-"+hexAccount)
		}
	}
	set := []string{"NEURONWARD_STORE=file:" + state}
	want := fmt.Sprintf("  warning  store         another process (%d) has %s open; none is needed if that is the "+
		"proxy that runs, for which a new one waits; else give this one a file of its own\n", p.cmd.Process.Pid, state)
	if got, code := checked(t, set, "--offline"); !strings.Contains(got, want) || code != exitDone {
		t.Errorf("exit %d\n%swant\n%s", code, got, want)
	}
	p.stop()
	want = "  ok       store         file:" + state + " can be read and written\n"
	if got, code := checked(t, set, "--offline"); !strings.Contains(got, want) || code != exitDone {
		t.Errorf("exit %d\n%swant\n%s", code, got, want)
	}
}

func TestCheckAsJSON(t *testing.T) {
	for _, c := range []struct {
		set    string
		ok     bool
		checks int
		code   int
	}{
		{"NEURONWARD_DRAIN=1s", true, 3, exitDone},
		{"NEURONWARD_LISTEN=" + listenOn(t, nil), false, 3, exitFailed},
		{"NEURONWARD_DRAIN=soon", false, 0, exitUsage},
	} {
		var out, errs bytes.Buffer
		code := run(t.Context(), []string{"check", "--json", "--offline"}, []string{
			"CLOUDFLARE_ACCOUNT_ID=" + hexAccount, "NEURONWARD_LISTEN=127.0.0.1:0", "NEURONWARD_ADMIN_LISTEN=",
			"NEURONWARD_STORE=memory:", c.set,
		}, strings.NewReader(""), &out, &errs)
		var r report
		if err := json.Unmarshal(out.Bytes(), &r); err != nil {
			t.Errorf("%s: got %v, want JSON: %s", c.set, err, out.String())
		}
		equal(t, c.set+": exit", code, c.code)
		equal(t, c.set+": ok", r.OK, c.ok)
		equal(t, c.set+": checks is null", r.Checks == nil, false)
		equal(t, c.set+": checks", len(r.Checks), c.checks)
		equal(t, c.set+": stderr", errs.String(), "")
	}
}

// listenOn returns the address of a listener, which h answers, if it is not nil.
func listenOn(t *testing.T, h http.Handler) string {
	t.Helper()
	if h == nil {
		h = http.NotFoundHandler()
	}
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}
