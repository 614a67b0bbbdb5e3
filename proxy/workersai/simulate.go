package workersai

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/neuronward/neuronward/normalize"
)

// SimulateHeader is the request header that makes one call fail, or be answered as a
// test wants. Its value begins with what is to happen:
//
//	3040, out_of_capacity   answer with this code: a number that Workers AI sends, as it
//	                        stands, or a slug of the catalog as Workers AI sends it
//	ok-false                HTTP 200 with success: false, code 3043
//	html-502, html-200      an HTML page with this status
//	empty                   HTTP 200 without a body
//	empty-stream            HTTP 200, an event stream without events
//	reset                   reset the connection
//	hang                    never answer
//	first=3040              a stream whose first event is this error
//	midstream=3040          a stream that ends with this error event
//	midstream=cut           the connection breaks between two events
//	midstream=half          the connection breaks within an event
//	midstream=idle          nothing more comes
//	midstream=end           the stream ends without its last event, [DONE] or the like
//
// Options follow in any order, with semicolons between:
//
//	shape=v4                form of the failure: v4, edge, flat, gateway, text,
//	                        json-in-message, ok-false, html, openai, anthropic, nested
//	                        (v4 under the key error), sglang; by default that of the path
//	status=503              HTTP status, 200 to 599
//	code=string             the number as number, string, text (in the message alone) or none
//	retry-after=7           a Retry-After header
//	times=2                 strike twice, let one call through, begin anew; counted for
//	                        each value of the header and model
//	after=3                 with midstream: events before the break, 3 if it is left out
//
// These go with anything, also with nothing else:
//
//	say=It%20rains.         what a text model says, percent-encoded
//	tool                    call the first of the tools that the call offers, with
//	                        arguments that satisfy its schema; once a tool has
//	                        returned something, text comes
//	tool=2, tool=a,b        call so many of them at once, or these
//	tool=a/b,c              call a and, when it has returned something, b and c
//	latency=2s              before the answer begins
//	slow=50ms               added to each output token
//	tokens=200              make the answer of a text model exactly so long (max_tokens
//	                        still holds)
//	session=NAME            a day, limits, counts of times= and a log of calls of its
//	                        own, see [CallsPath]; the last 64 names are remembered
//	reset-day               first let the day begin anew: nothing is spent
//
// So do usage=zeros, header, low-header, prompt, total or nothing, which is what the answer says of its
// cost, bill=made, half or whole, which is what a stream costs whose caller leaves, and differ=, which is in what the
// answer differs from what is known of Workers AI: a list, with commas between, of
//
//	ray, id                 there is no cf-ray, no cf-ai-req-id
//	encoding                Content-Encoding says that the answer is compressed
//	billed                  a failure has cf-ai-neurons
//	header                  cf-ai-neurons is one too high, and is there on a stream
//	neurons                 the usage has no neurons
//	prompt                  the prompt has 500 tokens that nobody sent
//	limit                   max_tokens is ignored
//	sum                     the usages of a stream's chunks add up to more than the last one
//	order                   [DONE] also comes before a stream's last usage
//
// midstream=cut and midstream=half also break an answer that is no stream, half way
// through its body. A break always comes before the last event of its stream. What
// is not understood is answered with 400 and what is.
const SimulateHeader = "X-Simulate"

// deed is what x-simulate asks for in place of an answer.
type deed uint8

const (
	deedNone        deed = iota
	deedFail             // answer with a failure
	deedReset            // reset the connection
	deedHang             // never answer
	deedEmpty            // 200 and no body
	deedEmptyStream      // 200 and an event stream without events
)

// breaking is how x-simulate wants a stream to break.
type breaking uint8

const (
	breakNone breaking = iota
	breakFail          // an error event
	breakCut           // the connection breaks between two events
	breakHalf          // the connection breaks within an event
	breakIdle          // nothing more comes
	breakEnd           // the stream ends without [DONE]
)

// directive is one x-simulate header, read. The zero value asks for nothing.
type directive struct {
	raw     string
	deed    deed
	failure failure // of deedFail and breakFail
	stream  breaking
	after   int           // events before the break
	times   int           // 0: always
	slow    time.Duration // before each event but the first
	latency time.Duration // before the answer begins
	tokens  int           // output tokens of the answer; 0: as it comes

	say      *string     // what a text model says; nil: the usual
	tools    []toolsWish // the tools that it calls, then those that it calls when these have returned, and so on
	session  string      // whose day, limits and log of calls these are; "": everybody's
	resetDay bool        // the day begins anew

	telling   Telling   // what the answer says of its cost
	cancelled Cancelled // what it costs if its caller leaves
	differs   []difference
}

// understood is what a mistake in x-simulate is answered with.
const understood = "a number or slug of the error catalog (3040, out_of_capacity), reset, hang, html-502, " +
	"html-200, empty, empty-stream, ok-false, " +
	"midstream=CODE|cut|half|idle|end, first=CODE, slow=50ms, latency=2s, tokens=100, say=TEXT, tool, tool=2, " +
	"tool=NAME, session=NAME, reset-day, usage=zeros, bill=whole, differ=ray; " +
	"options after ';': shape=, status=, times=, code=, retry-after=, after="

// parseDirective reads the values of x-simulate. The first word says what is to
// happen, options follow behind semicolons in any order.
func parseDirective(values []string) (directive, error) {
	d := directive{raw: strings.Join(values, "; "), after: -1}
	if len(values) == 0 {
		return d, nil
	}
	var options []func() error // applied at the end: they need the code
	for word := range strings.SplitSeq(d.raw, ";") {
		word = strings.TrimSpace(word)
		if word == "" {
			continue
		}
		name, value, assigned := strings.Cut(word, "=")
		name, value = strings.ToLower(strings.TrimSpace(name)), strings.Trim(strings.TrimSpace(value), `"`)
		var err error
		switch {
		case !assigned:
			err = d.begin(name)
		case name == "midstream" || name == "first":
			err = d.breakWith(name, strings.ToLower(value))
		default:
			options = append(options, func() error { return d.option(name, value) })
		}
		if err != nil {
			return directive{}, err
		}
	}
	for _, set := range options {
		if err := set(); err != nil {
			return directive{}, err
		}
	}
	switch {
	case d.stream == breakNone && d.after >= 0:
		return directive{}, errors.New("after= goes with midstream=")
	case d.stream != breakNone && d.after < 0:
		d.after = 3
	}
	return d, nil
}

// begin reads a word that stands alone.
func (d *directive) begin(word string) error {
	switch word {
	case "tool":
		d.tools = []toolsWish{{count: 1}}
		return nil
	case "reset-day":
		d.resetDay = true
		return nil
	}
	if d.deed != deedNone || d.stream != breakNone {
		return fmt.Errorf("%q: only one thing can happen at a time", word)
	}
	d.deed = deedFail
	switch word {
	case "reset":
		d.deed = deedReset
	case "hang":
		d.deed = deedHang
	case "empty":
		d.deed = deedEmpty
	case "empty-stream":
		d.deed = deedEmptyStream
	case "ok-false":
		d.failure = *refuse(3043)
		d.failure.shape = shapeOKFalse
	case "html-502", "html-200":
		d.failure = *refuse(7009)
		d.failure.shape = shapeHTML
		d.failure.status, _ = strconv.Atoi(word[len("html-"):])
	default:
		f, err := findFailure(word)
		if err != nil {
			return err
		}
		d.failure = *f
	}
	return nil
}

// breakWith reads midstream= and first=.
func (d *directive) breakWith(name, value string) error {
	if d.deed != deedNone || d.stream != breakNone {
		return fmt.Errorf("%s: only one thing can happen at a time", name)
	}
	kinds := map[string]breaking{"cut": breakCut, "half": breakHalf, "idle": breakIdle, "end": breakEnd}
	if kind, ok := kinds[value]; ok && name == "midstream" {
		d.stream = kind
		return nil
	}
	f, err := findFailure(value)
	if err != nil {
		return err
	}
	d.stream, d.failure = breakFail, *f
	if name == "first" {
		d.after = 0
	}
	return nil
}

// option reads what follows the first word.
func (d *directive) option(name, value string) error {
	if known, err := d.scripts(name, value); known {
		return err
	}
	fails := d.deed == deedFail || d.stream == breakFail
	switch name {
	case "slow":
		slow, err := time.ParseDuration(value)
		if err != nil || slow < 0 {
			return fmt.Errorf("slow=%s is no duration such as 50ms", value)
		}
		d.slow = slow
		return nil
	case "tokens":
		return number(name, value, 1, 1_000_000, &d.tokens)
	case "usage":
		d.telling = Telling(value)
		if !slices.Contains(tellings, d.telling) {
			return fmt.Errorf("usage=%s is none of %v", value, tellings)
		}
		return nil
	case "bill":
		d.cancelled = Cancelled(value)
		if d.cancelled != CancelledAsMade && d.cancelled != CancelledHalf && d.cancelled != CancelledWhole {
			return fmt.Errorf("bill=%s is none of made, half, whole", value)
		}
		return nil
	case "differ":
		return d.differ(value)
	case "times":
		if d.deed == deedNone && d.stream == breakNone {
			return errors.New("times= without anything to happen")
		}
		return number(name, value, 1, 1_000_000, &d.times)
	case "after":
		return number(name, value, 0, 1_000_000, &d.after)
	case "shape", "status", "code", "retry-after":
		if !fails {
			return fmt.Errorf("%s= goes with a code", name)
		}
	}
	switch name {
	case "shape":
		if !slices.Contains(shapes, shape(value)) {
			return fmt.Errorf("shape=%s is none of %v", value, shapes)
		}
		d.failure.shape = shape(value)
	case "code":
		if !slices.Contains(codings, coding(value)) {
			return fmt.Errorf("code=%s is none of %v", value, codings)
		}
		d.failure.coding = coding(value)
	case "status":
		return number(name, value, 200, 599, &d.failure.status)
	case "retry-after":
		var seconds int
		d.failure.retryAfter = value
		return number(name, value, 0, 1_000_000, &seconds)
	default:
		return fmt.Errorf("%q is not understood. What is: %s", name, understood)
	}
	return nil
}

func number(name, value string, low, high int, to *int) error {
	n, err := strconv.Atoi(value)
	if err != nil || n < low || n > high {
		return fmt.Errorf("%s=%s is no whole number from %d to %d", name, value, low, high)
	}
	*to = n
	return nil
}

// findFailure returns the failure that a number or slug of the catalog names. A
// number is sent as it stands; a slug as Workers AI sends it, which is 4006 for
// account_limited and 3046 for timeout.
func findFailure(word string) (*failure, error) {
	if word == normalize.Unclassified.String() {
		return refuse(unknownCode), nil
	}
	code, known := normalize.Lookup(word)
	n, err := strconv.Atoi(word)
	if err != nil && known {
		if n = code.Entry().Number; asSent[n] != 0 {
			n = asSent[n]
		}
	}
	if _, ok := findWire(n); !ok && n >= 90001 {
		return nil, fmt.Errorf("%s is the proxy's own: Workers AI never sends it", word)
	} else if !ok {
		return nil, fmt.Errorf("%q is not understood. What is: %s", word, understood)
	}
	return refuse(n), nil
}
