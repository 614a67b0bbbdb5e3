package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/neuronward/neuronward/normalize"
	"github.com/neuronward/neuronward/proxy/guard"
	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/ahead"
)

// A figureTable makes the figures of documents from what the code has.
type figureTable struct {
	t   *testing.T
	all constantTable
}

func (f figureTable) of(dir, name string) float64 { return f.all.of(f.t, dir, name) }

func (f figureTable) time(dir, name string) time.Duration { return time.Duration(f.of(dir, name)) }

func (f figureTable) fallback(field string) time.Duration {
	return time.Duration(f.all.fallback(f.t, "proxy", field))
}

// setting is the default of a setting that is a time.
func (f figureTable) setting(name string) time.Duration {
	f.t.Helper()
	d, err := time.ParseDuration(defaultOf(f.t, name))
	if err != nil {
		f.t.Fatal(err)
	}
	return d
}

// mebibytes is the default of a setting that is a size.
func (f figureTable) mebibytes(name string) int {
	f.t.Helper()
	n, err := strconv.Atoi(strings.TrimSuffix(defaultOf(f.t, name), "MiB"))
	if err != nil {
		f.t.Fatal(err)
	}
	return n
}

func (f figureTable) words(n float64) string { return words(f.t, n) }

// port is that of a listener's default address.
func (f figureTable) port(setting string) string {
	address := defaultOf(f.t, setting)
	return address[strings.LastIndexByte(address, ':')+1:]
}

// spell is a time as prose has it.
func (f figureTable) spell(d time.Duration) string {
	f.t.Helper()
	units := []struct {
		d   time.Duration
		one string
	}{
		{7 * 24 * time.Hour, "a week"},
		{24 * time.Hour, "a day"},
		{time.Hour, "an hour"},
		{time.Minute, "a minute"},
		{time.Second, "a second"},
		{time.Second / 2, "half a second"},
		{time.Millisecond, "a millisecond"},
	}
	for _, u := range units {
		switch {
		case d == u.d:
			return u.one
		case d > u.d && d%u.d == 0:
			_, unit, _ := strings.Cut(u.one, " ")
			return f.words(float64(d/u.d)) + " " + unit + "s"
		}
	}
	f.t.Errorf("got the time %v, want one that has words", d)
	return ""
}

// short is a time with a number and a unit.
func short(d time.Duration) string {
	if d < time.Second {
		return fmt.Sprintf("%d ms", d.Milliseconds())
	}
	return fmt.Sprintf("%v s", d.Seconds())
}

// grouped is a number with commas.
func grouped(n float64) string {
	s := strconv.Itoa(int(n))
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func kib(n float64) string { return fmt.Sprintf("%v KiB", n/(1<<10)) }
func mib(n float64) string { return fmt.Sprintf("%v MiB", n/(1<<20)) }

// documentFigures are parts of sentences with the figures that the code has, by document. Tables that a test makes or
// checks as a whole are not here.
func documentFigures(f figureTable) map[string][]string {
	say := fmt.Sprintf
	const hundredth = 100
	if got := new(ahead.Need[quota.Neurons]).Keep(100*hundredth, 100*hundredth, 24*time.Hour); got != hundredth {
		f.t.Errorf("ahead of need: got %v of 10,000, want %v", got, hundredth)
	}
	var (
		free     = grouped(quota.FreeNeurons.Float())
		app      = f.port("NEURONWARD_LISTEN")
		admin    = f.port("NEURONWARD_ADMIN_LISTEN")
		drain    = f.setting("NEURONWARD_DRAIN")
		every    = f.setting("NEURONWARD_RECONCILE")
		probe    = f.setting("NEURONWARD_QUOTA_PROBE")
		held     = f.mebibytes("NEURONWARD_MAX_HELD")
		output   = grouped(f.of("quota/price", "unlimitedOutput"))
		longer   = f.of("quota/price", "margin")
		normal   = f.of("quota", "normalPercent")
		low      = f.of("quota", "lowPercent")
		linger   = f.fallback("Linger")
		share    = f.of("proxy/fairshare", "shareOfFree")
		overload = normalize.Overloaded.Entry().Delay
		session  = guard.Ahead()
		peak     = f.time("quota/price", "peakSpan")
		toClose  = 3 * f.time("cmd/neuronward", "cutGrace")
		timeout  = quota.ReplicaTimeout
		learning = f.of("quota/price", "enoughCalls")
		margin   = 100 * f.of("cmd/neuronward", "margin")
		beside   = chartMemory(f.t)
		days     = f.words(quota.BatchDays)
		recovery = time.Duration(f.of("quota/pace", "recoverySteps")) * f.time("quota/pace", "recoverEvery")

		chat, embeddings = perMinute(f.t, "TextGeneration"), perMinute(f.t, "TextEmbeddings")
	)
	return map[string][]string{
		"README.md": {
			say("An account has %s free neurons a day", free),
			say("You need Go %s", goVersion(f.t)),
			say(" port %s ", app), say(" port %s: page, metrics", admin), say("Open `http://127.0.0.1:%s/`", admin),
			say("The default is the free plan with its limit of %s neurons a day", free),
			say("normal # may use %v %% of the account's day; high: all, low: %v %%", normal, low),
			say("at most %v %% of the limit", 100/hundredth),
			say("The proxy reserves %s tokens for it, later %v times the longest answer seen", output, longer),
			say("It reads every %s what they spent", f.spell(every)),
		},
		"quota/README.md": {
			say("An account has %s free neurons a day", free), say("a limit of %s a day", free),
			say("English prose counts as %v times its tokens", f.of("quota/tokens", "maxProseMedian")),
			say("For these %s tokens are reserved. After %v such calls it is %v times the longest answer of the last "+
				"%v to %v hours", output, learning, longer, peak.Hours(), 2*peak.Hours()),
			say("by %s at most, and by %[1]s if the header is", f.words(f.of("proxy/headers", "maxAttempts"))),
			say("of the call above %s, where `tight` has room for %s", atOnce(f.t, "bound"), atOnce(f.t, "tight")),
			say("%v %% of each limit stays free", margin),
			say("in the last %s of the day", strings.TrimPrefix(f.spell(time.Duration(
				f.of("quota", "marginSteps")*f.of("quota", "marginStep"))), "an ")),
			say("from %v to %s that fits", f.of("proxy/outputlimit", "MinFit"),
				grouped(f.of("proxy/outputlimit", "MaxFit"))),
			say("%s answers within %s agree", f.words(f.of("quota/clock", "confirmations")),
				f.spell(f.time("quota/clock", "confirmWithin"))),
			say("ends within %s, or should have ended", f.spell(f.time("proxy", "warnBefore"))),
			say("Cloudflare's figure is %s late", f.spell(f.time("quota", "FigureLag"))),
			say("a %s of the limit, or %s what others spent in the same time before, up to a %s of the limit",
				part(f.of("quota/reconcile", "minGrowth")), part(f.of("quota/reconcile", "paceFactor")),
				part(f.of("quota/reconcile", "maxGrowth"))),
			say("a second figure, %s later", f.spell(f.time("quota/account", "confirmAfter"))),
			say("only if figures stay low for %s", f.spell(f.time("quota/reconcile", "confirmAfter"))),
			say("without a pause of %s", f.spell(f.time("quota", "auditQuiet"))),
			say("The first %s neurons of each UTC day", free),
			say("like its last %s whole days", f.words(f.of("cmd/neuronward/bill", "usualDays"))),
			say("(%d days at most", quota.KeepDays),
			say("shows the last %s days", f.words(f.of("cmd/neuronward/admin/status", "DefaultDays"))),
			say("at the rate of the last %s", strings.TrimPrefix(f.spell(
				f.time("cmd/neuronward/admin/status", "maxCounted")), "an ")),
			say("`GET /status` on port %s", admin),
			say("the proxy reads it every %s", f.spell(every)),
		},
		"quota/redisstore/README.md": {
			say("holds at most %v %% of the limit ahead of need", 100/hundredth),
			say("of one that stopped within %s, of one that was killed within %s", f.spell(quota.Heartbeat),
				f.words((timeout + 2*quota.Heartbeat).Seconds())),
			say("or with the next sync, after %s at most", f.spell(quota.Heartbeat)),
			say("nothing is granted in that %s", strings.TrimPrefix(f.spell(
				f.time("quota/redisstore", "settleTime")), "a ")),
			say("does not wait for them for %s", f.spell(f.time("quota/redisstore", "replicaPause"))),
			say("After %s the others have divided", f.spell(timeout)),
			say("what %s calls need for %s (of a client's budget, for %s)", f.words(f.of("quota/ahead", "fewCalls")),
				f.spell(f.time("quota/ahead", "longIdle")), f.spell(f.time("quota/ahead", "soonIdle"))),
			say("each call that needs more than %v %% of its limit", 100/hundredth),
			say("One sync reads %v days, so `usage --days %d`", f.of("quota/redisstore", "stepDays"), quota.KeepDays),
			say("A sync may take %s measured round trips, %s at least and %s at most",
				f.words(f.of("quota/redisstore", "stepTrips")), short(f.time("quota/redisstore", "minDeadline")),
				short(f.time("quota/redisstore", "maxDeadline"))),
			say("it may take as much again, %s at most", f.spell(f.time("quota/redisstore", "maxDeadline")/2)),
			say("at most %s away", short(f.time("quota/redisstore", "farAway"))),
		},
		"proxy/README.md": {
			say("to the full rate in steps, within %s", f.spell(recovery)),
			say("doubles from %s", f.spell(f.time("proxy", "firstBackoff"))),
			say("if it is above %s,", short(f.time("proxy", "maxBackoff"))),
			say("stays open for %s", f.spell(linger)), say("up to %s. An incomplete", short(20*linger)),
			say("wait for up to %s", short(f.fallback("InFlightWait"))),
			say("`overloaded` with `retry-after: %v`", overload.Seconds()),
			say("at most %s fifths of slots, queue and memory", f.words(share)),
			say("Headers must arrive within %s", short(f.time("cmd/neuronward/conns", "firstRequest"))),
			say("without a pause of %s, and after that at %s/s", short(f.fallback("UploadPause")),
				kib(float64(f.fallback("UploadRate")))),
			say("An answer must be read within %s", f.spell(f.fallback("ReadPause"))),
			say("Further callers wait %s,", short(f.fallback("HeldWait"))),
			say("needs up to %s beside the bodies", mib(f.of("cmd/neuronward", "restMemory"))),
			say("plus %d MiB: %d MiB by default", beside, held+beside),
			say("(%s are accepted)", grouped(f.of("cmd/neuronward", "maxHostile"))),
			say("%v seconds or %v characters are reserved", session.Seconds, session.Characters),
			say("arrives within %s", f.spell(f.time("proxy", "finishTime"))),
			say("close code %v (%v when", f.of("proxy/websocket", "ClosePolicy"),
				f.of("proxy/websocket", "CloseGoingAway")),
			say("gets %v `stream_interrupted`", f.of("proxy/websocket", "CloseInternal")),
			say("violates the protocol %v, a frame above %s %v", f.of("proxy/websocket", "CloseProtocol"),
				mib(f.of("proxy/websocket", "maxFrame")), f.of("proxy/websocket", "CloseTooBig")),
			say("only in the first %s of a JSON answer", kib(f.of("proxy", "bufferSize"))),
		},
		"proxy/clients/README.md": {
			say("normal %v %%, low %v %%", normal, low), say("another client, for %s days", days),
		},
		"normalize/README.md": {
			say("sends one every %v seconds as a trial", f.time("proxy/tokenblock", "Pause").Seconds()),
		},
		"metrics/README.md": {
			say("Port %s (`NEURONWARD_ADMIN_LISTEN`)", admin), say("Port %s has", app),
			say("the last %v failures", f.of("proxy/recent", "Max")),
			say("keeps %v hours in at", f.of("metrics/minutes", "keptSamples")/60),
			say("text of at most %v columns", f.of("cmd/neuronward", "lineWidth")),
			say("without secrets, %v bytes at most", f.of("proxy", "maxPathText")),
			say("`url.path` (%v bytes at most", f.of("proxy", "maxPathText")),
			say("the rest for %v seconds at most", f.time("cmd/neuronward", "flushTime").Seconds()),
			say("only if %v KiB of lines wait", f.of("cmd/neuronward/jsonlog", "maxBatch")/1024),
			say("within %v ms of each other", f.time("cmd/neuronward/jsonlog", "interval").Milliseconds()),
			say("those of the last %v ms", f.time("cmd/neuronward/jsonlog", "interval").Milliseconds()),
			say("once %s at most", f.spell(f.time("metrics/tracing", "reportEvery"))),
			say("waits of %s or more", f.spell(f.time("metrics/tracing", "minWait"))),
		},
		"cmd/neuronward/README.md": {
			say("for `NEURONWARD_DRAIN` plus %v seconds at most", toClose.Seconds()),
		},
		"deploy/README.md": {
			say("`NEURONWARD_DRAIN` (%s) at most", short(drain)),
			say("%s for calls in flight (`NEURONWARD_DRAIN`), %s to close", short(drain), short(toClose)),
			say("the limit is %d MiB, for `NEURONWARD_MAX_HELD=64MiB`", 64+beside),
			say("up to `NEURONWARD_MAX_HELD` (%d MiB)", held),
			say("--memory %dm", held+beside),
			say("%s requests a minute for text generation are %v a second", grouped(chat), chat/60),
			say("%s for embeddings are %v", grouped(embeddings), embeddings/60),
		},
		"deploy/prometheus/runbooks/NeuronwardRequestsPerMinuteExceeded.md": {
			say("in steps, within %s", f.spell(recovery)),
		},
		"deploy/prometheus/runbooks/NeuronwardQuotaLatched.md": {
			say("every `NEURONWARD_QUOTA_PROBE` (%v minutes)", probe.Minutes()),
		},
		"deploy/prometheus/runbooks/NeuronwardReconcileStale.md": {
			say("Every `NEURONWARD_RECONCILE` (%v minutes)", every.Minutes()),
		},
	}
}

// part is the word for a factor, or for one part in so many.
func part(n float64) string { return map[float64]string{2: "twice", 10: "tenth", 100: "hundredth"}[n] }

// perMinute is Cloudflare's limit of requests a minute for a task.
func perMinute(t *testing.T, task string) float64 {
	t.Helper()
	n, err := strconv.Atoi(firstMatch(t, "quota/pace/table.go", `workload\.`+task+`: +(\d+),`))
	if err != nil {
		t.Fatal(err)
	}
	return float64(n)
}

// atOnce is how many calls of the kind that quota/README.md plans fit at once.
func atOnce(t *testing.T, estimate string) string {
	t.Helper()
	var out, failures strings.Builder
	code := run(t.Context(), []string{
		"plan", "--model", "@cf/meta/llama-3.1-8b-instruct-fp8", "--prompt-bytes", "2000", "--max-tokens", "300",
		"--output-tokens", "100", "--callers", "1000",
	}, []string{"NEURONWARD_ESTIMATE=" + estimate}, nil, &out, &failures)
	if code != exitDone {
		t.Fatalf("plan: got exit code %d and %q, want %d", code, failures.String(), exitDone)
	}
	_, fits, _ := strings.Cut(out.String(), "at once")
	return strings.Fields(fits + " none")[0]
}

// goVersion is the version of Go that go.mod asks for.
func goVersion(t *testing.T) string {
	t.Helper()
	return firstMatch(t, "go.mod", `(?m)^go (\d+\.\d+)`)
}

// chartMemory is how many MiB a container of the chart has beyond NEURONWARD_MAX_HELD.
func chartMemory(t *testing.T) int {
	t.Helper()
	n, err := strconv.Atoi(firstMatch(t, "deploy/helm/neuronward/templates/deployment.yaml", `maxHeldMiB (\d+)`))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func firstMatch(t *testing.T, path, pattern string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(top, path))
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(pattern).FindSubmatch(text)
	if m == nil {
		t.Fatalf("%s: got nothing that fits %s, want it", path, pattern)
	}
	return string(m[1])
}

// Sentences of documents have the figures of the code.
func TestDocumentsHaveTheFiguresOfTheCode(t *testing.T) {
	docs := documents(t)
	for path, figures := range documentFigures(figureTable{t, constantTable{}}) {
		text := strings.Join(strings.Fields(docs[path]), " ")
		for _, figure := range figures {
			if !strings.Contains(text, figure) {
				t.Errorf("%s: got no %q, want it", path, figure)
			}
		}
	}
}
