package live

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/neuronward/neuronward/quota"
)

func judge(agrees bool, format string, args ...any) (result, seen string) {
	seen = fmt.Sprintf(format, args...)
	if agrees {
		return Agrees, seen
	}
	return Differs, seen
}

func unseen(format string, args ...any) (result, seen string) {
	return Unseen, fmt.Sprintf(format, args...)
}

func (e *evidence) of(name string) *answer {
	return e.answers[slices.IndexFunc(e.answers, func(a *answer) bool { return a.call.name == name })]
}

// on makes a look at one answer, which must be a success.
func on(name string, of func(*answer) (result, seen string)) look {
	return func(e *evidence) (result, seen string) {
		if a := e.of(name); a.succeeded() {
			return of(a)
		}
		return unseen("the call failed")
	}
}

// answers: the answer is a success of a media type with these members.
func answers(name, mediaType string, keys ...string) look {
	return func(e *evidence) (result, seen string) {
		a := e.of(name)
		if !a.succeeded() {
			return judge(false, "%s", a.outcome())
		}
		have := a.keys()
		all := !slices.ContainsFunc(keys, func(key string) bool { return !slices.Contains(have, key) })
		return judge(all && a.mediaType() == mediaType, "%d %s with %s", a.status, a.mediaType(),
			strings.Join(have, ", "))
	}
}

// finalUsage: the last usage is at one of these places, and complete.
func finalUsage(name string, places ...string) look {
	return on(name, func(a *answer) (result, seen string) {
		n := len(a.usages)
		if n == 0 {
			return judge(false, "none")
		}
		last := a.usages[n-1]
		ok := slices.Contains(places, last.where) && last.has("prompt_tokens", "total_tokens", "neurons") &&
			last.tokens() > 0 && (len(a.events) == 0 || !last.choices)
		if len(a.events) > 0 {
			with := 0
			for _, u := range a.usages {
				if u.choices {
					with++
				}
			}
			return judge(ok, "%d usages, %d of them in events with choices; the last one: %s", n, with, last.names())
		}
		return judge(ok, "%s: %s", last.where, last.names())
	})
}

// summed: usages but the last one are increments.
func summed(name string) look {
	return on(name, func(a *answer) (result, seen string) {
		n := len(a.usages)
		if n < 2 {
			return judge(true, "there are none")
		}
		var sum float64
		for _, u := range a.usages[:n-1] {
			sum += u.tokens()
		}
		last := a.usages[n-1].tokens()
		return judge(sum == last, "%v tokens in %d usages, %v in the last one", sum, n-1, last)
	})
}

// tabled is what the price table makes of an answer's tokens.
func tabled(a *answer) (n quota.Neurons, ok bool) {
	u := a.cost.Usage
	return a.price.Tokens(u.Input, u.Cached, u.Output), u.HasTokens
}

// priced: the neurons of an answer are its tokens at the price table.
func priced(name string) look {
	return on(name, func(a *answer) (result, seen string) {
		u := a.cost.Usage
		want, ok := tabled(a)
		if !ok || !u.HasNeurons {
			return unseen("the answer does not say both tokens and neurons")
		}
		return judge(near(u.Neurons, want.Float()), "%.6f neurons for %d tokens in, %d of them cached, and %d out; "+
			"by the table %.6f", u.Neurons, u.Input, u.Cached, u.Output, want.Float())
	})
}

// near reports whether two amounts of neurons are the same but for rounding.
func near(a, b float64) bool { return math.Abs(a-b) <= 0.0005+0.01*math.Abs(b) }

// halfCent is how far cf-ai-neurons may be off, having two decimals.
const halfCent = 0.0051

// headerNeurons returns cf-ai-neurons; ok is false where it is missing or no amount.
func headerNeurons(a *answer) (n float64, ok bool) {
	n, err := strconv.ParseFloat(a.header.Get("cf-ai-neurons"), 64)
	return n, err == nil && n >= 0
}

// headerText is cf-ai-neurons as received.
func headerText(a *answer) string {
	if values := a.header.Values("cf-ai-neurons"); len(values) > 0 {
		return strings.Join(values, ", ")
	}
	return "missing"
}

var twoDecimals = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^\d+\.\d\d$`) })

// header: cf-ai-neurons says what the body does.
func header(name string) look {
	return on(name, func(a *answer) (result, seen string) {
		n, ok := headerNeurons(a)
		ok = ok && twoDecimals().MatchString(headerText(a))
		said, known := cost(a)
		if !known {
			return judge(ok, "%s; the body does not say it", headerText(a))
		}
		return judge(ok && math.Abs(n-said) <= halfCent, "%s; by the body %.6f", headerText(a), said)
	})
}

// cost is what the body of an answer says in neurons, or in tokens.
func cost(a *answer) (n float64, ok bool) {
	if u := a.cost.Usage; u.HasNeurons {
		return u.Neurons, true
	}
	priced, ok := tabled(a)
	return priced.Float(), ok
}

// floor: cf-ai-neurons of a stream is no more than it cost.
func floor(name string) look {
	return on(name, func(a *answer) (result, seen string) {
		said, known := cost(a)
		switch n, ok := headerNeurons(a); {
		case headerText(a) == "missing":
			return judge(true, "missing")
		case !known:
			return unseen("%s; the stream does not say what it cost", headerText(a))
		default:
			return judge(ok && n <= said+halfCent, "%s; by the stream %.6f", headerText(a), said)
		}
	})
}

// costed: something says what an answer cost.
func costed(name string) look {
	return on(name, func(a *answer) (result, seen string) {
		n, ok := headerNeurons(a)
		usage := "no usage"
		if len(a.usages) > 0 {
			usage = a.usages[len(a.usages)-1].names()
		}
		return judge(ok && n > 0 || a.neurons() > 0 || a.cost.Usage.HasTokens, "%s; cf-ai-neurons: %s", usage,
			headerText(a))
	})
}

// ended: a stream ends as OpenAI's do.
func ended(name string) look {
	return func(e *evidence) (result, seen string) {
		a := e.of(name)
		if len(a.events) == 0 || a.failure != nil {
			return unseen("the call failed")
		}
		var kinds []string
		marks := 0
		for _, event := range a.events {
			kind := "other"
			top := object(event.Data)
			switch {
			case event.Done():
				kind = "[DONE]"
				marks++
			case len(usagesIn(event.Data)) > 0 && !usagesIn(event.Data)[0].choices:
				kind = "usage"
			case top["choices"] != nil:
				kind = "choices"
			}
			if len(kinds) == 0 || kinds[len(kinds)-1] != kind {
				kinds = append(kinds, kind)
			}
		}
		end := "the end"
		if a.err != "" {
			end = a.err
		}
		return judge(kinds[len(kinds)-1] == "[DONE]" && marks == 1 && a.err == "", "%s, %s", strings.Join(kinds, ", "),
			end)
	}
}

// each looks at all answers of which one is known, and differs where one does.
func (e *evidence) each(of func(*answer) (text string, agrees, known bool)) (result, seen string) {
	agrees := true
	var texts []string
	for _, a := range e.answers {
		if text, ok, known := of(a); known {
			texts = append(texts, a.call.name+" "+text)
			agrees = agrees && ok
		}
	}
	if len(texts) == 0 {
		return unseen("no answer shows it")
	}
	return judge(agrees, "%s", strings.Join(texts, "; "))
}

func withinLimit(e *evidence) (result, seen string) {
	return e.each(func(a *answer) (string, bool, bool) {
		out := a.cost.Usage.Output
		return fmt.Sprintf("%d of %d", out, a.limit), out <= a.limit,
			a.succeeded() && a.cost.Usage.HasTokens && a.limit > 0
	})
}

// withinReservation leaves the output to withinLimit: it takes the longest one for each answer.
func withinReservation(e *evidence) (result, seen string) {
	return e.each(func(a *answer) (string, bool, bool) {
		u := a.cost.Usage
		most := a.price.Tokens(u.Input, 0, a.limit)
		return fmt.Sprintf("%d tokens, with its limit %v neurons of %v", u.Input, most, a.reserved),
			most <= a.reserved, a.succeeded() && u.HasTokens && u.Input > 0
	})
}

// onFailure makes a look at the failure of a call.
func onFailure(name string, of func(*answer) (result, seen string)) look {
	return func(e *evidence) (result, seen string) {
		if a := e.of(name); a.err == "" && a.failure != nil {
			return of(a)
		}
		return unseen("it is no failure, or there is no answer")
	}
}

func status(name string, want int) look {
	return func(e *evidence) (result, seen string) {
		a := e.of(name)
		if a.status == 0 {
			return judge(false, "%s", a.outcome())
		}
		return judge(a.status == want, "%d", a.status)
	}
}

func code(name string, number int, slug string) look {
	return onFailure(name, func(a *answer) (result, seen string) {
		var came any
		if u := a.failure.Upstream; u != nil {
			came = u.Code
		}
		text := "no code"
		if came != nil {
			text = fmt.Sprintf("the %T %v", came, came)
		}
		text = strings.Replace(text, "the int ", "the number ", 1)
		return judge(came == number && a.failure.Code.String() == slug, "%s, which is %v", text, a.failure.Code)
	})
}

var identified = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`(?s)^AiError: .*\([0-9a-f-]{8,}\)$`)
})

func shape(name string) look {
	return onFailure(name, func(a *answer) (result, seen string) {
		message := ""
		if u := a.failure.Upstream; u != nil {
			message = u.Message
		}
		keys := strings.Join(a.keys(), ", ")
		return judge(keys == "errors, messages, result, success" && identified().MatchString(message), "%s; %q", keys,
			message)
	})
}

func freeFailures(e *evidence) (result, seen string) {
	return e.each(func(a *answer) (string, bool, bool) {
		n, _ := headerNeurons(a)
		return headerText(a), n == 0, a.status >= 400
	})
}

// answered and (*answer).succeeded say which answers everyHas looks at.
func answered(a *answer) bool { return a.status != 0 }

// everyHas looks for a header.
func everyHas(name string, among func(*answer) bool) look {
	return func(e *evidence) (result, seen string) {
		return e.each(func(a *answer) (string, bool, bool) {
			if a.header.Get(name) == "" {
				return "lacks it", false, among(a)
			}
			return "has it", true, among(a)
		})
	}
}

func uncompressed(e *evidence) (result, seen string) {
	return e.each(func(a *answer) (string, bool, bool) {
		encoding := a.header.Get("Content-Encoding")
		ok := encoding == "" || strings.EqualFold(encoding, "identity")
		if encoding == "" {
			encoding = "is not"
		}
		return encoding, ok, answered(a)
	})
}
