package main

import (
	"fmt"
	"go/ast"
	"go/constant"
	"go/parser"
	"go/token"
	"go/types"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/neuronward/neuronward/cmd/neuronward/config"
	"github.com/neuronward/neuronward/quota"
)

// A countRow is what stands behind a row of the table in quota/README.md of what the count may be wrong by.
type countRow struct {
	proofs []string // tests that show it, as "package TestName"
	says   []string // what the row must say of constants
}

// countRows are the rows by their cause, as far as it goes without brackets.
func countRows(t *testing.T) map[string]countRow {
	t.Helper()
	constants := constantTable{}
	constantOf := func(dir, name string) float64 { return constants.of(t, dir, name) }
	duration := func(dir, name string) time.Duration {
		return time.Duration(constantOf(dir, name))
	}
	minutes := func(d time.Duration) string { return words(t, math.Ceil(d.Minutes())) + " minutes" }
	every, err := time.ParseDuration(defaultOf(t, "NEURONWARD_RECONCILE"))
	if err != nil {
		t.Fatal(err)
	}
	again := duration("quota/account", "confirmAfter")
	lag, released := duration("quota", "FigureLag"), duration("quota", "releaseAfter")
	const jitter = 1.1
	unknown := lag + time.Minute + time.Duration(jitter*float64(every+again))
	speed := fmt.Sprintf("(%v tokens before", constantOf("proxy/guard", "usualSpeed"))
	if released+lag+every != 30*time.Minute {
		t.Errorf("what is lost: got released after %v at the earliest, want half an hour", released+lag+every)
	}
	if recent := 2 * 2 * quota.Heartbeat; recent != 2*time.Second {
		t.Errorf("what is claimed ahead without a limit: got what was spent in %v, want two seconds", recent)
	}

	return map[string]countRow{
		"others spend on the account": {
			[]string{"quota TestASecondSpenderTakesHalfOfTheDay", "quota TestWhatIsSpentElsewhereCounts"},
			[]string{"in " + minutes(unknown)},
		},
		"the figure is later than " + minutes(lag): {
			[]string{"proxy TestCountAgreesHoweverItIsBilled", "quota TestALateFigureReleasesNothing"}, nil,
		},
		"the figure is wrong": {
			[]string{
				"quota TestAFigureThatJumps", "quota TestAFigureThatWasTooHighEnds",
				"quota TestTheFirstFigureIsTooHigh", "quota TestLedgerAndAccountAgreeForDays",
			},
			[]string{fmt.Sprintf("%v %% of the limit", 100/constantOf("quota/reconcile", "minGrowth")), "an hour"},
		},
		"the figure is a sample": {
			[]string{"proxy TestCountAgreesHoweverItIsBilled"}, nil,
		},
		"a call takes longer than a minute, and the figure has it before it ends": {
			[]string{"quota TestALongCallIsExternalUntilItIsSettled"}, nil,
		},
		"a call is in flight at 00:00 UTC": {
			[]string{
				"quota TestInFlightAtMidnight", "proxy TestStreamOverMidnight",
				"proxy/guard TestASessionIsBookedOnBothDays",
			}, nil,
		},
		"a WebSocket session with a real-time model": {
			[]string{"proxy TestSessionsCostWhatPasses", "proxy/websocket TestReportsOfUpstream"}, nil,
		},
		"a call costs more than was reserved": {
			[]string{"quota TestOverrunsAreRecordedAndStop"}, nil,
		},
		"prices are out of date": {
			[]string{"proxy TestPricesThatAreOutOfDate"}, nil,
		},
		"an answer without a cost: pictures, speech": {
			[]string{"quota TestAModelThatDoesNotSayWhatItCosts", "proxy TestAPictureThatCostsOtherThanItsTable"}, nil,
		},
		"`cf-ai-neurons` alone reports the cost": {
			[]string{
				"proxy TestRandomWire", "proxy TestNeuronsRoundedToZero",
			},
			[]string{
				fmt.Sprintf("by %v a call", neuronsOf(constantOf("proxy", "wireRounding"))),
				fmt.Sprintf("by %v", constantOf("proxy/guard", "cutOff")),
			},
		},
		"`cf-ai-neurons` is too low on an answer that is no stream and reports nothing else": {
			[]string{"proxy TestRandomWire", "proxy/guard TestVerdicts"},
			[]string{words(t, constantOf("proxy/guard", "quarter")) + " times"},
		},
		"an answer with text reports neither neurons nor tokens": {
			[]string{"proxy TestRandomWire", "quota/tokens TestTexts", "proxy/meter TestSmallVocabulary"},
			[]string{
				fmt.Sprintf("%v times its tokens", constantOf("proxy", "wireFactor")),
				fmt.Sprintf("English for %v times", constantOf("quota/tokens", "maxProseMedian")),
				fmt.Sprintf("%v tokens for its frame", constantOf("proxy", "wireFrame")),
			},
		},
		"the same, for nonsense made to look cheap": {
			[]string{"quota/tokens TestFound"}, []string{"3.6 times"},
		},
		"a model without a price whose answer reports nothing": {
			[]string{"proxy/guard TestVerdicts", "quota TestAModelWithoutAPriceIsBookedAsItWasBilled"}, nil,
		},
		"Workers AI bills a failure that counts as free": {
			[]string{"proxy TestCountAgreesHoweverItIsBilled"}, nil,
		},
		"a router chose the model": {
			[]string{"proxy TestARoutedCallIsSettledByTheModelThatRan"}, nil,
		},
		"a stream is cut off, `NEURONWARD_ABORTED=fair`": {
			[]string{"proxy TestCancelledStreams", "proxy TestCutStreams"},
			[]string{"=" + defaultOf(t, "NEURONWARD_ABORTED") + "`"},
		},
		"the same, where the model stopped at once": {
			[]string{"proxy TestRandomWire", "proxy TestCancelledStreams"}, []string{speed},
		},
		"a cut-off stream, `seen`": {[]string{"proxy TestCancelledStreams"}, nil},
		"the same, `estimate`; a call that is not streamed; a timeout or reset": {
			[]string{
				"proxy TestCancelledStreams", "proxy TestAbortedCallsCostWhatHadPassedOrAll",
				"proxy TestChargeOfEachEntry", "proxy TestRandomWire",
			}, nil,
		},
		"a batch is in flight": {
			[]string{"proxy/guard TestBatch", "proxy/guard TestABatchSurvivesARestart", "quota TestCorrectTheNextDay"},
			[]string{words(t, quota.BatchDays) + " days"},
		},
		"`cf-aig-max-attempts` and an answer without a cost": {
			[]string{"proxy TestAttemptsByAIGateway", "proxy TestAttemptsOfAllAreCounted"}, nil,
		},
		"`cf-aig-max-attempts`, and Workers AI bills an attempt before the one that answers": {
			[]string{"proxy TestAttemptsOfAllAreCounted"}, nil,
		},
		"`kill -9`, with a limit": {
			[]string{
				"cmd/neuronward TestProcessKilled", "quota/filestore TestKilled", "quota TestReleased",
				"quota TestSlowStart",
			},
			[]string{"half an hour"},
		},
		"`kill -9`, without a limit": {
			[]string{"cmd/neuronward TestProcessKilled", "quota TestWithoutALimitNothingIsForgotten"},
			[]string{"two seconds"},
		},
		"the store fails, `NEURONWARD_ON_STORE_FAILURE=allow`": {
			[]string{"quota TestAStoreThatFailsUnderAllow", "cmd/neuronward TestReplicasOnTheirOwn"}, nil,
		},
		"a proxy has spent on its own while it could not reach Redis, and comes back": {
			[]string{"quota TestAReplicaThatWasCutOffCountsTwiceForMinutes"}, []string{"twelve minutes"},
		},
		"the count is gone: Redis is emptied, the file is deleted, `memory:`": {
			[]string{"quota TestWhatTheStoreForgetsTheFigureHas", "quota/redisstore TestServerThatLostRows"}, nil,
		},
		"the machine's clock is wrong": {
			[]string{"quota TestADayThatWasBegunWronglyIsTakenBack", "proxy TestDaysByTheDateOfUpstream"}, nil,
		},
		"calls with the caller's own token on another account; third-party models": {
			[]string{"proxy TestAThirdPartyModelIsUnmetered", "proxy TestAClientWithATokenOfItsOwn"}, nil,
		},
	}
}

// countHead begins each table of what the count can be wrong by.
const countHead = "\n| Cause | Largest error | How long | What corrects it |\n|---|---|---|---|\n"

// The tables in quota/README.md of what the count can be wrong by have just the rows that a test shows, and their
// figures are those of the code.
func TestReadmeProvesWhatTheCountMayBeWrongBy(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("..", "..", "quota", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, table := range strings.Split(string(data), countHead)[1:] {
		table, _, _ = strings.Cut(table, "\n\n")
		lines = append(lines, strings.Split(strings.TrimSpace(table), "\n")...)
	}
	rows := countRows(t)
	for _, line := range lines {
		cause, _, _ := strings.Cut(strings.TrimPrefix(line, "| "), " |")
		cause, _, _ = strings.Cut(cause, " (")
		row, ok := rows[cause]
		if !ok {
			t.Errorf("%q: got no proof, want a test that shows it", cause)
			continue
		}
		delete(rows, cause)
		for _, figure := range row.says {
			if !strings.Contains(line, figure) {
				t.Errorf("%q: got %q, want %q in it", cause, line, figure)
			}
		}
		if len(row.proofs) == 0 {
			t.Errorf("%q: got no test, want one", cause)
		}
		for _, proof := range row.proofs {
			dir, name, _ := strings.Cut(proof, " ")
			if !hasTest(t, dir, name) {
				t.Errorf("%q: got no %s in %s, want it", cause, name, dir)
			}
		}
	}
	for cause := range rows {
		t.Errorf("%q: got no such row in quota/README.md, want it", cause)
	}
}

// hasTest reports whether a package has a test.
func hasTest(t *testing.T, dir, name string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", "..", dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), "\nfunc "+name+"(t *testing.T)") {
			return true
		}
	}
	return false
}

// A constantTable has the constants of packages and of their tests, by the folder.
type constantTable map[string]*folder

// A folder is what the packages in one have.
type folder struct {
	packages  []*types.Package
	constants map[string]float64 // in functions
	fallbacks map[string]float64 // of fields that are left out: F of x.F = cmp.Or(x.F, value)
}

func (all constantTable) folder(t *testing.T, dir string) *folder {
	t.Helper()
	if all[dir] == nil {
		all[dir] = readFolder(t, dir)
	}
	return all[dir]
}

// of returns the value of a constant.
func (all constantTable) of(t *testing.T, dir, name string) float64 {
	t.Helper()
	f := all.folder(t, dir)
	for _, p := range f.packages {
		if is, ok := p.Scope().Lookup(name).(*types.Const); ok && is.Val().Kind() != constant.Unknown {
			return valueOf(is.Val())
		}
	}
	v, ok := f.constants[name]
	if !ok {
		t.Errorf("%s: got no constant %s, want one", dir, name)
	}
	return v
}

// fallback returns what the field of an options struct is where it is left out.
func (all constantTable) fallback(t *testing.T, dir, field string) float64 {
	t.Helper()
	v, ok := all.folder(t, dir).fallbacks[field]
	if !ok {
		t.Errorf("%s: got no cmp.Or with the default of %s, want one", dir, field)
	}
	return v
}

func valueOf(of constant.Value) float64 {
	v, _ := constant.Float64Val(constant.ToFloat(of))
	return v
}

// readFolder reads the packages in a folder, as far as their constants go.
func readFolder(t *testing.T, dir string) *folder {
	t.Helper()
	files := token.NewFileSet()
	names, err := filepath.Glob(filepath.Join(top, dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	packages := map[string][]*ast.File{}
	for _, name := range names {
		file, err := parser.ParseFile(files, name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		packages[file.Name.Name] = append(packages[file.Name.Name], file)
	}
	f := &folder{constants: map[string]float64{}, fallbacks: map[string]float64{}}
	for _, of := range packages {
		info := types.Info{
			Types: map[ast.Expr]types.TypeAndValue{}, Defs: map[*ast.Ident]types.Object{},
		}
		c := types.Config{Importer: onlyConstants{}, Error: func(error) {}}
		p, _ := c.Check(dir, files, of, &info) // an error: of what is imported only constants are there
		f.packages = append(f.packages, p)
		for name, is := range info.Defs {
			if c, ok := is.(*types.Const); ok && c.Val().Kind() != constant.Unknown && c.Parent() != p.Scope() {
				f.constants[name.Name] = valueOf(c.Val())
			}
		}
		for _, file := range of {
			ast.Inspect(file, func(n ast.Node) bool {
				call, ok := n.(*ast.CallExpr)
				if !ok || len(call.Args) != 2 {
					return true
				}
				field, ok := call.Args[0].(*ast.SelectorExpr)
				name, isName := call.Fun.(*ast.SelectorExpr)
				if v := info.Types[call.Args[1]].Value; ok && isName && name.Sel.Name == "Or" && v != nil {
					f.fallbacks[field.Sel.Name] = valueOf(v)
				}
				return true
			})
		}
	}
	return f
}

// onlyConstants imports no more than the constants that others are made of.
type onlyConstants struct{}

func (onlyConstants) Import(path string) (*types.Package, error) {
	p := types.NewPackage(path, filepath.Base(path))
	for name, v := range map[string]int64{
		"Millisecond": int64(time.Millisecond), "Second": int64(time.Second), "Minute": int64(time.Minute),
		"Hour": int64(time.Hour), "OneNeuron": int64(quota.OneNeuron), "Heartbeat": int64(quota.Heartbeat),
	} {
		p.Scope().Insert(types.NewConst(token.NoPos, p, name, types.Typ[types.UntypedInt], constant.MakeInt64(v)))
	}
	p.MarkComplete()
	return p, nil
}

func neuronsOf(millionths float64) float64 { return millionths / float64(quota.OneNeuron) }

// words is a small number as prose has it.
func words(t *testing.T, n float64) string {
	t.Helper()
	all := strings.Fields("no one two three four five six seven eight nine ten eleven twelve thirteen fourteen")
	if n != math.Trunc(n) || n < 0 || int(n) >= len(all) {
		t.Fatalf("got the number %v, want a small one", n)
	}
	return all[int(n)]
}

// defaultOf is the default of a setting.
func defaultOf(t *testing.T, name string) string {
	t.Helper()
	for _, v := range config.Variables() {
		if v.Name == name {
			return v.Default
		}
	}
	t.Fatalf("got no setting %s, want it", name)
	return ""
}
