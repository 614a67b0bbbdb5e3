package workersai

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// An Answer is what Options.Answer wants a call to be answered with. The zero value
// leaves it to the simulator.
type Answer struct {
	// Text is what a text model says.
	Text string
	// Tools are the tools that a text model calls instead.
	Tools []ToolCall
	// Simulate is read as a value of SimulateHeader: it makes the call fail, slow or
	// what else that header can. A header of the caller's own goes before it.
	Simulate string
}

// A ToolCall is a call of a tool by a model.
type ToolCall struct {
	Name      string
	Arguments string // a JSON object
}

// toolsWish is which tools x-simulate wants to be called at once.
type toolsWish struct {
	count int      // so many
	names []string // these; nil: in turn
}

// script reads what the header and then Options.Answer want of the call of a model.
func (x *exchange) script(model string) *failure {
	if x.s.o.Answer == nil || x.route.surface == surfaceNone {
		return nil
	}
	call := x.call()
	call.Body = string(x.body)
	call.Model, call.Task = model, x.s.models[model].task
	if target := x.s.models[model].price.AliasedTo; target != "" {
		call.Model = target
	}
	call.Stream, _ = x.in.flag("stream") // what is no flag is refused later
	x.scripted = x.s.o.Answer(call)
	if x.scripted.Simulate == "" || x.directive.raw != "" {
		return nil
	}
	var err error
	if x.directive, err = parseDirective([]string{x.scripted.Simulate}); err != nil {
		return refuseText(5006, "Options.Answer: %v", err)
	}
	return nil
}

// scripts reads the options of x-simulate that write the answer or say whose call it is; known is false for others.
func (d *directive) scripts(name, value string) (known bool, err error) {
	switch name {
	case "say":
		said, err := url.PathUnescape(value)
		if err != nil {
			return true, errors.New("say= is percent-encoded: a % stands before two hexadecimal digits")
		}
		d.say = &said
	case "tool":
		for group := range strings.SplitSeq(value, "/") {
			var wish toolsWish
			if wish.count, err = strconv.Atoi(group); err != nil {
				wish.names = strings.Split(group, ",")
				wish.count = len(wish.names)
			}
			if wish.count < 1 || wish.count > maxCalls || slices.Contains(wish.names, "") {
				return true, fmt.Errorf("tool=%s is neither names of tools nor a number from 1 to %d", value, maxCalls)
			}
			d.tools = append(d.tools, wish)
		}
		return true, nil
	case "latency":
		if d.latency, err = time.ParseDuration(value); err != nil || d.latency < 0 {
			return true, fmt.Errorf("latency=%s is no duration such as 2s", value)
		}
	case "session":
		if value == "" || len(value) > maxSessionName {
			return true, fmt.Errorf("session= has a name of 1 to %d bytes", maxSessionName)
		}
		d.session = value
	default:
		return false, nil
	}
	return true, nil
}

// ResetsDay reports whether a request's headers ask for the day of all that name
// no session to begin anew.
func ResetsDay(h http.Header) bool {
	d, err := parseDirective(h.Values(SimulateHeader))
	return err == nil && d.resetDay && d.session == ""
}
