package page

import (
	"fmt"
	"html/template"
	"math"
	"strings"
)

// A standing is one part of the proxy in one line.
type standing struct {
	Name  string
	Level string
	Text  template.HTML
}

func standingsOf(s *State) []standing {
	all := []standing{s.readiness(), s.load(), s.pace(), s.breaker()}
	if s.Day != nil {
		all = append(all, s.latch(), s.store(), s.replicas(), s.figure())
	}
	return all
}

func (s *State) readiness() standing {
	if s.Unready != "" {
		return standing{"Readiness", levelTrouble, sentence("Not ready: ", s.Unready)}
	}
	return standing{"Readiness", levelOK, "Ready: calls are taken."}
}

func (s *State) load() standing {
	text := sentence(grouped(s.Load.InFlight), " of ", grouped(s.Load.Limit), " places are taken")
	switch {
	case s.Load.Queued > 0:
		return standing{"Load", levelWatch, sentence(text, "; ", plural(s.Load.Queued, "call waits", "calls wait"), " for one.")}
	case s.Waiting > 0:
		return standing{"Load", levelWatch, sentence(text, "; ", plural(s.Waiting, "call waits", "calls wait"), " for neurons that others hold.")}
	}
	return standing{"Load", levelOK, sentence(text, "; nobody waits.")}
}

func (s *State) pace() standing {
	var slowed []string
	waiting := 0
	for _, r := range s.Rates {
		waiting += r.Waiting
		if r.Pace < float64(r.PerMinute) {
			name := r.Task
			if r.Model != nil {
				name = *r.Model
			}
			slowed = append(slowed, fmt.Sprintf("%s at %s of %s a minute", name, amount(math.Round(r.Pace)), grouped(int64(r.PerMinute))))
		}
	}
	text, level := "No limit of requests per minute is in use yet.", levelOK
	switch {
	case len(slowed) > 0:
		text, level = "Slower than the limit: "+list(slowed)+".", levelWatch
	case len(s.Rates) > 0:
		text = plural(len(s.Rates), "limit of requests per minute is", "limits of requests per minute are") + " in use, none slowed down."
	}
	if waiting > 0 {
		text += " " + plural(waiting, "call waits", "calls wait") + " a turn."
		level = levelWatch
	}
	return standing{"Pace", level, sentence(text)}
}

func (s *State) breaker() standing {
	if len(s.Breakers) == 0 {
		return standing{"Breaker", levelOK, "Closed for every model: Workers AI has capacity."}
	}
	text := sentence("Workers AI has no capacity for ")
	for i, b := range s.Breakers {
		if i == 3 {
			text = sentence(text, " and ", grouped(int64(len(s.Breakers)-i)), " more")
			break
		}
		if i > 0 {
			text = sentence(text, ", ")
		}
		text = sentence(text, b.Model, " (next trial ", second(b.NextTrial), ")")
	}
	return standing{"Breaker", levelTrouble, sentence(text, ".")}
}

func (s *State) latch() standing {
	if !s.Day.Latched {
		return standing{"Latch", levelOK, "Open: Workers AI has not said that the day is spent."}
	}
	return standing{"Latch", levelTrouble, "Shut: Workers AI itself said that the day is spent (3036 or 4006)."}
}

func (s *State) store() standing {
	kind := map[string]string{"file": "A file", "redis": "Redis", "memory": "Memory alone"}[s.Store.Kind]
	if s.Store.Failure != "" {
		then := "calls that need it are refused"
		if s.Store.Policy == "allow" {
			then = "calls go on, counted in memory"
		}
		return standing{"Store", levelTrouble, sentence(kind, " fails, ", then, ": ", s.Store.Failure)}
	}
	if s.Store.Kind == "memory" {
		return standing{"Store", levelOK, "Memory alone: what is spent is forgotten at the end."}
	}
	return standing{"Store", levelOK, sentence(kind, " keeps what is spent.")}
}

func (s *State) replicas() standing {
	lost := template.HTML("")
	level := levelOK
	if s.Day.Lost > 0 {
		level, lost = levelWatch, sentence(" ", amount(s.Day.Lost), " neurons are held by processes that have ended, until the reset.")
	}
	if s.Holders <= 1 {
		return standing{"Replicas", level, sentence("This process has the day for itself.", lost)}
	}
	return standing{"Replicas", level, sentence(grouped(int64(s.Holders)), " processes share the day.", lost)}
}

func (s *State) figure() standing {
	d := s.Day
	switch {
	case d.FigureFailure != "":
		return standing{"Account", levelWatch, sentence("Its own figure cannot be read: ", d.FigureFailure)}
	case d.FigureAt == nil:
		return standing{"Account", levelNone, "Its own figure has not been read; what others spend of it is not known."}
	}
	return standing{"Account", levelOK, sentence("Its own figure, counted until ", clock(*d.FigureAt), ", finds ", amount(d.External), " neurons spent elsewhere.")}
}

// list joins names, the first three of them.
func list(names []string) string {
	if len(names) > 3 {
		return strings.Join(names[:3], ", ") + fmt.Sprintf(" and %d more", len(names)-3)
	}
	return strings.Join(names, ", ")
}
