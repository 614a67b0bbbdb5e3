package page

import (
	"fmt"
	"html/template"
	"math"
	"strings"

	"github.com/neuronward/neuronward/cmd/neuronward/admin/status"
	"github.com/neuronward/neuronward/proxy"
	"github.com/neuronward/neuronward/proxy/breaker"
)

// A stateLine is the state of one part of the proxy.
type stateLine struct {
	Name  string
	Level string
	Text  template.HTML
}

func linesOf(s *status.Status, unready string) []stateLine {
	all := []stateLine{readiness(unready), load(s), requestRate(s.Rates), capacity(s.Breakers)}
	if s.Day != nil {
		all = append(all, quotaBlock(s), store(s), replicas(s), account(s))
	}
	return all
}

func readiness(unready string) stateLine {
	if unready != "" {
		return stateLine{"Readiness", levelTrouble, sentence("Not ready: ", unready)}
	}
	return stateLine{"Readiness", levelOK, "Ready: calls are accepted."}
}

func load(s *status.Status) stateLine {
	text := grouped(s.Requests.InFlight) + " of " + grouped(s.Requests.Limit) + " slots are in use; "
	wait := func(n int64) string { return plural(n, "call waits", "calls wait") }
	switch {
	case s.Requests.Queued > 0:
		return stateLine{"Load", levelWatch, sentence(text, wait(s.Requests.Queued), " for one.")}
	case s.Waiting > 0:
		text += wait(int64(s.Waiting)) + " for neurons that other calls hold."
		return stateLine{"Load", levelWatch, sentence(text)}
	}
	return stateLine{"Load", levelOK, sentence(text, "no call waits.")}
}

func requestRate(rates []proxy.Rate) stateLine {
	var slowed []string
	waiting := 0
	for _, r := range rates {
		waiting += r.Waiting
		if r.Pace < float64(r.PerMinute) {
			name := r.Task
			if r.Model != nil {
				name = *r.Model
			}
			slowed = append(slowed, fmt.Sprintf("%s at %s of %s a minute",
				name, rounded(math.Round(r.Pace)), grouped(int64(r.PerMinute))))
		}
	}
	line := stateLine{Name: "Request rate", Level: levelOK}
	switch {
	case len(slowed) > 0:
		line.Level, line.Text = levelWatch, sentence("Slower than the limit: ", list(slowed), ".")
	case len(rates) > 0:
		line.Text = sentence(plural(len(rates), "limit of requests per minute is", "limits of requests per minute are"),
			" in use, none slowed down.")
	default:
		line.Text = "No limit of requests per minute is in use yet."
	}
	if waiting > 0 {
		line.Level = levelWatch
		line.Text = sentence(line.Text, " ", plural(waiting, "call waits", "calls wait"), " for a limit.")
	}
	return line
}

func capacity(busy []breaker.Status) stateLine {
	if len(busy) == 0 {
		return stateLine{"Model capacity", levelOK, "ok: no model is out of capacity."}
	}
	text := sentence("Workers AI has no capacity for ")
	for i, b := range busy {
		if i == 3 {
			text = sentence(text, " and ", grouped(int64(len(busy)-i)), " more")
			break
		}
		if i > 0 {
			text = sentence(text, ", ")
		}
		text = sentence(text, b.Model, " (next trial ", second(b.NextTrial), ")")
	}
	return stateLine{"Model capacity", levelTrouble, sentence(text, ".")}
}

func quotaBlock(s *status.Status) stateLine {
	if !s.Blocked {
		return stateLine{"Quota block", levelOK, "none: Workers AI has not said that the day is spent."}
	}
	return stateLine{"Quota block", levelTrouble, "set: Workers AI itself said that the day is spent (3036 or 4006)."}
}

func store(s *status.Status) stateLine {
	kind := map[string]string{"file": "A file", "redis": "Redis", "memory": "Memory alone"}[s.Store.Kind]
	switch {
	case s.Store.Failure != nil:
		effect := "calls that need it are refused"
		if s.Store.Policy == "allow" {
			effect = "calls go on, counted in memory"
		}
		return stateLine{"Store", levelTrouble, sentence(kind, " fails, ", effect, ": ", *s.Store.Failure)}
	case s.Store.Kind == "memory":
		return stateLine{"Store", levelOK, "Memory alone: usage is forgotten when the process ends."}
	}
	return stateLine{"Store", levelOK, sentence(kind, " stores usage.")}
}

func replicas(s *status.Status) stateLine {
	line := stateLine{"Replicas", levelOK, "One process."}
	if s.Replicas > 1 {
		line.Text = sentence(grouped(int64(s.Replicas)), " processes share the day.")
	}
	if *s.Lost > 0 {
		line.Level = levelWatch
		line.Text = sentence(line.Text, " ", amount(*s.Lost),
			" neurons are held by processes that died, until the reset.")
	}
	return line
}

func account(s *status.Status) stateLine {
	r := s.Reconciliation
	switch {
	case r.Failure != nil:
		return stateLine{"Account", levelWatch, sentence("The account’s own figure cannot be read: ", *r.Failure)}
	case r.CountedUntil == nil:
		return stateLine{"Account", levelNone, "The account’s own figure has not been read; " +
			"what others spend of it is not known."}
	}
	return stateLine{"Account", levelOK, sentence("The account’s own figure, counted until ", clock(*r.CountedUntil),
		", finds ", amount(*s.External), " neurons spent elsewhere.")}
}

// list joins names, the first three of them.
func list(names []string) string {
	if len(names) > 3 {
		return strings.Join(names[:3], ", ") + fmt.Sprintf(" and %d more", len(names)-3)
	}
	return strings.Join(names, ", ")
}
