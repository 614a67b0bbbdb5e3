package sdk

import (
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/neuronward/neuronward/proxy/workersai"
)

var all = flag.Bool("all", false, "also run the clients that only a soak runs (npm ci in soak/)")

// A situation is what happens upstream of a proxy that has no settings but its account, token and a short time limit.
type situation struct {
	name     string
	title    string // for people
	simulate string // what Workers AI is to do; "" is an answer
	stream   bool
	slow     time.Duration // that the app takes for each piece
	refused  bool          // the proxy's token is
	codes    []string      // one of them must be seen; none: an answer
	upstream int           // more calls to Workers AI than these are too many
}

const slowly = 20 * time.Millisecond

var situations = []situation{
	{name: "answer", title: "An answer", upstream: 1},
	{name: "stream", title: "A stream", stream: true, upstream: 1},
	{name: "slow", title: "A stream, read slowly", stream: true, slow: slowly, upstream: 1},
	{
		name: "spent", title: "The day is used up (3036)", simulate: "3036",
		codes: []string{"insufficient_quota", "daily_limit_exceeded", "3036"}, upstream: 1,
	},
	{
		name: "spent-stream", title: "The same, where a stream should begin", simulate: "first=3036", stream: true,
		codes: []string{"insufficient_quota", "daily_limit_exceeded", "3036"}, upstream: 1,
	},
	{
		name: "busy", title: "No capacity (3040)", simulate: "3040", stream: true,
		codes: []string{"out_of_capacity", "3040"}, upstream: 3,
	},
	{
		name: "refused", title: "The proxy's token is refused", refused: true, stream: true,
		codes: []string{"authentication_failed", "10000"}, upstream: 1,
	},
	{
		name: "hung", title: "Workers AI never answers", simulate: "hang", stream: true,
		codes: []string{"timeout", "3007"}, upstream: 1,
	},
	{
		name: "midstream", title: "A stream that fails on its way (3040)", simulate: "midstream=3040; after=8",
		stream: true, codes: []string{"out_of_capacity", "3040"}, upstream: 1,
	},
	{
		name: "midstream-slow", title: "The same, read slowly", simulate: "midstream=3040; after=8",
		stream: true, slow: slowly, codes: []string{"out_of_capacity", "3040"}, upstream: 1,
	},
	{
		name: "cut", title: "A stream that upstream cuts", simulate: "midstream=cut; after=8",
		stream: true, codes: []string{"stream_interrupted", "90012"}, upstream: 1,
	},
	{
		name: "cut-slow", title: "The same, read slowly", simulate: "midstream=cut; after=8",
		stream: true, slow: slowly, codes: []string{"stream_interrupted", "90012"}, upstream: 1,
	},
}

// A view is what one client's user sees of one situation.
type view struct {
	sight
	upstream int // calls that reached Workers AI
}

// TestMatrix puts every client into every situation, each with a proxy and a Workers AI of its own, and checks that
// no failure looks like a success, that none loses its code, and that Workers AI is not called more than it helps.
func TestMatrix(t *testing.T) {
	t.Parallel()
	bin := build(t)
	answer := simulatedAnswer(t)
	seen := make([][]view, len(matrix))
	t.Run("clients", func(t *testing.T) {
		for i, c := range matrix {
			if c.soak && !*all {
				continue
			}
			t.Run(strings.NewReplacer(" ", "-", "/", "-").Replace(c.name+" "+c.api), func(t *testing.T) {
				t.Parallel()
				seen[i] = c.observe(t, bin)
				for j, s := range situations {
					if c.takesPart(s) {
						c.check(t, s, seen[i][j], answer)
					}
				}
			})
		}
	})
	if !t.Failed() {
		checkMatrix(t, seen)
	}
}

// observe returns what c's user saw, in the order of the situations.
func (c *matrixClient) observe(t *testing.T, bin string) []view {
	t.Helper()
	errands := make([]errand, 0, len(situations))
	proxies := make([]*process, len(situations))
	calls := make([]atomic.Int64, len(situations))
	for i, s := range situations {
		if !c.takesPart(s) {
			continue
		}
		simulator := workersai.New(workersai.Options{Account: account, Token: "right-token"})
		upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPost {
				calls[i].Add(1)
				if s.simulate != "" {
					r.Header.Set(workersai.SimulateHeader, s.simulate)
				}
			}
			simulator.ServeHTTP(w, r)
		}))
		defer upstream.Close()
		token := "right-token"
		if s.refused {
			token = "wrong-token"
		}
		firstByte := "5m" // a busy machine may stand still for seconds
		if slices.Contains(s.codes, "timeout") {
			firstByte = "2s"
		}
		proxies[i] = start(t, bin, "serve", "CLOUDFLARE_ACCOUNT_ID="+account, "CLOUDFLARE_API_TOKEN="+token,
			"NEURONWARD_UPSTREAM="+upstream.URL+"/client/v4", "NEURONWARD_FIRST_BYTE_TIMEOUT="+firstByte,
			"NEURONWARD_RETRIES=2", "NEURONWARD_QUOTA_MODE=enforce", "NEURONWARD_STORE=memory:")
		errands = append(errands, errand{
			Scenario: s.name, URL: proxies[i].url, Key: "any-key", Stream: s.stream, Slow: int(s.slow.Milliseconds()),
		})
	}
	saw := make(map[string]sight)
	for _, s := range c.run(t, errands) {
		saw[s.Scenario] = s
	}
	views := make([]view, len(situations))
	for i, s := range situations {
		if !c.takesPart(s) {
			continue
		}
		v, ok := saw[s.name]
		if !ok {
			t.Fatalf("situations that were tried = %v, want %s among them", saw, s.name)
		}
		for _, n := range proxies[i].stop() {
			v.requests += n
		}
		views[i] = view{sight: v, upstream: int(calls[i].Load())}
		t.Logf("%s: %s, %d requests, %d of Workers AI, %.1f s",
			s.name, told(v), v.requests, views[i].upstream, v.Seconds)
	}
	return views
}

// check holds one view against what holds for all clients, but for what c's own nature is known to change.
func (c *matrixClient) check(t *testing.T, s situation, v view, answer string) {
	t.Helper()
	if len(s.codes) == 0 {
		if v.Class != "" || v.Text != answer {
			t.Errorf("%s: %s, text %q, want %q", s.name, told(v.sight), v.Text, answer)
		}
	} else {
		if v.Class == "" {
			t.Errorf("%s: a silent success with %q, want a failure", s.name, v.Text)
		}
		has := slices.ContainsFunc(s.codes, func(code string) bool {
			return v.Code == code || code != "timeout" && strings.Contains(v.Message, code) // people say timeout, too
		})
		if why, hides := c.hides[s.name]; has == hides {
			t.Errorf("%s: %s, one of %q in it: %t, want %t (%s)", s.name, told(v.sight), s.codes, has, !hides, why)
		}
		if !strings.HasPrefix(answer, v.Text) {
			t.Errorf("%s: the text is %q, want the beginning of %q", s.name, v.Text, answer)
		}
	}
	calls, within := c.limit(s)
	if s.refused && within {
		calls += calls * int(v.Seconds/10)
	}
	if v.upstream < 1 || v.upstream > calls {
		t.Errorf("%s: %d calls reached Workers AI, want 1 to %d", s.name, v.upstream, calls)
	}
}

// limit returns how many calls may reach Workers AI, and whether c repeats them by itself.
func (c *matrixClient) limit(s situation) (calls int, repeats bool) {
	if l, ok := c.repeats[s.name]; ok {
		return l.calls, true
	}
	return s.upstream, false
}

// told is what the user of a client is told, in one cell of the table.
func told(s sight) string {
	if s.Class == "" {
		return "the answer"
	}
	cell := "`" + s.Class + "`"
	if s.Status != 0 {
		cell += " " + strconv.Itoa(s.Status)
	}
	if s.Code != "" {
		cell += ", code `" + s.Code + "`"
	}
	return cell + ": " + tidy(short(s.Message))
}

// tidy leaves out of a message what no two runs have in common, and puts it on one line.
func tidy(message string) string {
	message = firstHour.ReplaceAllString(variable.ReplaceAllString(message, "…"), otherHours)
	return strings.ReplaceAll(strings.Join(strings.Fields(message), " "), "|", "\\|")
}

// In the first hour of a UTC day the reset may be late, and the refusal of a day that is used up says so: the page has
// the words of the other hours.
var firstHour = regexp.MustCompile(`Workers AI still says that (.*?) is used up, although a new day has begun, ` +
	`so this call was not sent\. The next call is sent as a trial at …\.`)

const otherHours = "Workers AI has said that $1 is used up, so this call was not sent. It resets at …."

// variable is an address, a time or an id.
var variable = regexp.MustCompile(`127\.0\.0\.1:\d+|\d{4}-\d\d-\d\dT[\d:.]+Z|[0-9a-f]{32}|` +
	`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)

// checkMatrix compares MATRIX.md with what was seen, or writes it. What it says of clients that were not run stays.
func checkMatrix(t *testing.T, seen [][]view) {
	t.Helper()
	const path = "MATRIX.md"
	old := contents(t, path)
	kept := func(begin, end string) string {
		_, part, found := strings.Cut(old, begin)
		if !found {
			t.Errorf("%s has no %q, want it by .ci/sdk -all -update", path, begin)
		}
		part, _, _ = strings.Cut(part, end)
		return part
	}
	var overview, sections strings.Builder
	row(&overview, "Client", "API", "Day used up", "No capacity", "Token refused", "No answer", "Failure in a stream")
	row(&overview, "---", "---", "---", "---", "---", "---", "---")
	for i, c := range matrix {
		title := fmt.Sprintf("\n## %s, %s\n\n", c.title(t), c.api)
		cells := fmt.Sprintf("\n| %s | %s |", c.title(t), c.api)
		sections.WriteString(title)
		if seen[i] == nil {
			overview.WriteString(cells[1:] + kept(cells, "\n") + "\n")
			sections.WriteString(kept(title, "\n## "))
			continue
		}
		overview.WriteString(cells[1:] + c.overview(seen[i]) + "\n")
		sections.WriteString(c.section(seen[i]))
	}
	hold(t, path, old, matrixHead+"\n"+overview.String()+sections.String())
}

// overview is c's row but for its first two cells.
func (c *matrixClient) overview(views []view) string {
	var b strings.Builder
	for i, s := range situations {
		if !slices.Contains([]string{"spent-stream", "busy", "refused", "hung", "midstream"}, s.name) {
			continue
		}
		code := "`" + views[i].Code + "`"
		if _, hides := c.hides[s.name]; hides {
			code = "no code"
		} else if views[i].Code == "" {
			code = "the code in a text"
		}
		fmt.Fprintf(&b, " %s, %d / %s |", code, views[i].requests, c.calls(s, views[i]))
	}
	return b.String()
}

func (c *matrixClient) section(views []view) string {
	var b strings.Builder
	if c.recipe != "" {
		b.WriteString(c.recipe + "\n\n")
	}
	row(&b, "Situation", "What the person sees", "Requests", "Calls to Workers AI")
	row(&b, "---", "---", "---", "---")
	var notes []string
	mark := func(why string) string {
		if why == "" {
			return ""
		}
		if !slices.Contains(notes, why) {
			notes = append(notes, why)
		}
		return fmt.Sprintf(" [%d]", 1+slices.Index(notes, why))
	}
	for i, s := range situations {
		if !c.takesPart(s) {
			continue
		}
		v := views[i]
		marks := mark(c.hides[s.name]) + mark(c.repeats[s.name].why)
		row(&b, s.title+marks, told(v.sight), strconv.Itoa(v.requests), c.calls(s, v))
	}
	for n, why := range notes {
		fmt.Fprintf(&b, "\n[%d] %s\n", n+1, why)
	}
	return b.String()
}

// calls is how many reached Workers AI: of what is repeated by time, the bound.
func (c *matrixClient) calls(s situation, v view) string {
	calls, repeats := c.limit(s)
	switch {
	case !repeats || calls == 1:
		return strconv.Itoa(v.upstream)
	case s.refused:
		return fmt.Sprintf("%d in 10 s at most", calls)
	default:
		return fmt.Sprintf("%d at most", calls)
	}
}

// The page does not depend on the hour of the day at which it is made.
func TestMatrixAtAnyHour(t *testing.T) {
	for _, message := range []string{
		"Workers AI has said that the account's daily allocation is used up, so this call was not sent. It resets at " +
			"2026-12-02T00:00:00Z.",
		"Workers AI still says that the account's daily allocation is used up, although a new day has begun, so this " +
			"call was not sent. The next call is sent as a trial at 2026-12-01T00:58:31Z.",
	} {
		const want = "Workers AI has said that the account's daily allocation is used up, so this call was not sent. " +
			"It resets at …."
		if got := tidy(message); got != want {
			t.Errorf("tidy(%q): got %q, want %q", message, got, want)
		}
	}
}
