package toxictest

import (
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"
)

// silence is the timeout where a test waits for one.
const silence = time.Second

// A situation is a network and how calls may end in it.
type situation struct {
	name     string
	toxics   []toxic
	simulate string // what Workers AI does besides
	comesUp  bool   // the first connection is refused
	silent   bool   // nothing comes, or not in time
	worn     bool   // a connection breaks after a number of bytes, of whichever calls
	ends     ends   // of calls that have a connection of their own
}

// ends is how each kind of call may end.
type ends [numKinds][]string

func all(end string) (e ends) {
	for k := range e {
		e[k] = []string{end}
	}
	return e
}

// broken is how a call may end whose connection breaks at any point.
var broken = []string{"upstream_unreachable", "stream_interrupted", "stream_interrupted*", cut}

// Attributes of toxics.
const (
	late     = `"latency":30,"jitter":20`                         // ms
	inPieces = `"average_size":60,"size_variation":30,"delay":50` // bytes, µs
	slow     = `"rate":100`                                       // KB/s
	lost     = `"timeout":0`                                      // the connection stays
	lostSoon = `"timeout":100`                                    // ms, and then the connection, too
	atOnce   = `"timeout":0`
)

// situations begin with what is only slow; then connections break, later and later in the call. A reset may
// discard bytes that have arrived and were not read yet.
var situations = []situation{
	{name: "a good network", ends: all(whole)},
	{name: "late", toxics: []toxic{up("latency", late), down("latency", late)}, ends: all(whole)},
	{name: "in small pieces", toxics: []toxic{up("slicer", inPieces), down("slicer", inPieces)}, ends: all(whole)},
	{name: "slow", toxics: []toxic{up("bandwidth", slow), down("bandwidth", slow)}, ends: all(whole)},
	{name: "the first connection is refused", comesUp: true, ends: all(whole)},

	{
		name: "the call takes too long to arrive", silent: true, toxics: []toxic{up("latency", `"latency":3000`)},
		ends: all("timeout"),
	},
	{name: "the call is lost", silent: true, toxics: []toxic{up("timeout", lost)}, ends: all("timeout")},
	{name: "the answer is lost", silent: true, toxics: []toxic{down("timeout", lost)}, ends: all("timeout")},
	{
		name: "an answer ends half-way and its connection does not", silent: true, simulate: "midstream=cut; after=9; ",
		// its beginning may be late, too
		toxics: []toxic{down("slow_close", `"delay":3000`)},
		ends:   ends{{"timeout"}, {cut, "timeout"}, {"timeout*", "timeout"}, {"timeout*", "timeout"}},
	},

	{
		name: "the call is lost and then the connection", toxics: []toxic{up("timeout", lostSoon)},
		ends: all("upstream_unreachable"),
	},
	{
		name: "the answer is lost and then the connection", toxics: []toxic{down("timeout", lostSoon)},
		ends: all("upstream_unreachable"),
	},
	{name: "reset when the call comes", toxics: []toxic{up("reset_peer", atOnce)}, ends: all("upstream_unreachable")},
	{
		name: "reset when the answer comes", toxics: []toxic{down("reset_peer", atOnce)},
		ends: all("upstream_unreachable"),
	},
	{name: "closed in the call", toxics: []toxic{up("limit_data", `"bytes":150`)}, ends: all("upstream_unreachable")},
	{
		name: "reset in the call", toxics: []toxic{resets("upstream"), up("limit_data", `"bytes":150`)},
		ends: all("upstream_unreachable"),
	},
	{
		name: "closed in the answer's headers", toxics: []toxic{down("limit_data", `"bytes":60`)},
		ends: all("upstream_unreachable"),
	},
	{
		name: "reset in the answer's headers", toxics: []toxic{resets("downstream"), down("limit_data", `"bytes":60`)},
		ends: all("upstream_unreachable"),
	},
	{
		name: "closed in a first event or a short answer", toxics: []toxic{down("limit_data", `"bytes":500`)},
		ends: ends{{"stream_interrupted"}, {"stream_interrupted"}, {"stream_interrupted*"}, {"stream_interrupted"}},
	},
	{
		name: "closed in the answer", worn: true, toxics: []toxic{down("limit_data", `"bytes":6000`)},
		ends: ends{{whole}, {"stream_interrupted"}, {"stream_interrupted*"}, {"stream_interrupted*"}},
	},
	{
		name: "reset in the answer", worn: true,
		toxics: []toxic{resets("downstream"), down("limit_data", `"bytes":6000`)},
		ends: ends{
			{whole},
			{"stream_interrupted", "upstream_unreachable"},
			{"stream_interrupted*"},
			{"stream_interrupted*"},
		},
	},
	{
		name: "late, and reset in the answer", worn: true,
		toxics: []toxic{down("latency", `"latency":100`), resets("downstream"), down("limit_data", `"bytes":6000`)},
		ends: ends{
			{whole},
			{"stream_interrupted", "upstream_unreachable"},
			{"stream_interrupted*"},
			{"stream_interrupted*"},
		},
	},
	{
		name: "reset far in a long answer", worn: true,
		toxics: []toxic{resets("downstream"), down("limit_data", `"bytes":60000`)},
		ends:   ends{{whole}, broken, {whole}, {whole}},
	},
}

// Whatever the network does, each call ends in time: with a success, with an envelope or, once an answer has
// begun, with a break that its caller can notice. Nothing is left of it, and no neuron that was billed is
// missing. A call that may have run is not sent again.
func TestToxic(t *testing.T) {
	for _, n := range situations {
		t.Run(n.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, &n)
			defer s.close()
			for k := range numKinds {
				got := s.call(k, n.simulate)
				if !slices.Contains(n.ends[k], got) {
					t.Errorf("%v alone: got %s, want one of %v", k, got, n.ends[k])
				}
				s.onward.CloseIdleConnections()
				s.count()
			}
			n.together(s)
		})
	}
}

// together makes many calls at once, on connections that others have used.
func (n *situation) together(s *site) {
	var callers sync.WaitGroup
	for caller := range 8 {
		random := rand.New(rand.NewPCG(1, uint64(caller)))
		callers.Go(func() {
			for range 4 {
				k := kind(random.IntN(int(numKinds)))
				got := s.call(k, n.simulate)
				if !slices.Contains(n.ends[k], got) && !(n.worn && (got == whole || slices.Contains(broken, got))) {
					s.t.Errorf("%v among others: got %s, want one of %v", k, got, n.ends[k])
				}
			}
		})
	}
	callers.Wait()
}
