package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/agext/levenshtein"

	"github.com/neuronward/neuronward/cmd/neuronward/admin/status"
	"github.com/neuronward/neuronward/cmd/neuronward/config"
	"github.com/neuronward/neuronward/cmd/neuronward/dayplan"
	"github.com/neuronward/neuronward/quota"
)

// plan writes what a planned day comes to.
func (s screen) plan(r *planReport) string {
	var b strings.Builder
	fmt.Fprintf(&b, "A call of %s\n\n", r.Model)
	s.amount(&b, "prompt", r.PromptTokens, fmt.Sprintf("tokens, as counted in %s bytes", s.count(r.PromptBytes)))
	answer := "tokens"
	switch {
	case r.Fit:
		answer += ", at most " + s.count(*r.MaxTokens) + ", and less when less is left"
	case r.MaxTokens != nil:
		answer += ", at most " + s.count(*r.MaxTokens)
	case r.Cut:
		answer += ", the model's default where calls name no limit"
	}
	if r.Cut {
		answer += "; longer answers are cut"
	}
	s.amount(&b, "answer", r.OutputTokens, answer)
	s.line(&b, "reserved", r.Reserved, "neurons while it runs ("+r.Estimate+")")
	s.line(&b, "costs", r.Neurons, "neurons")

	callers := "1 caller"
	if r.Callers > 1 {
		callers = s.count(int64(r.Callers)) + " callers"
	}
	took := config.ShortDuration(time.Duration(r.Seconds * float64(time.Second)))
	fmt.Fprintf(&b, "\nA day of %s, %s a call, %s plan\n\n", callers, took, r.Plan)
	of := ""
	if r.AtOnce != nil {
		s.amount(&b, "at once", int64(*r.AtOnce), "calls fit when the day begins")
		of = " of " + s.number(*r.Limit)
	}
	calls := "limited by the callers: all of them call without a pause"
	switch r.LimitedBy {
	case dayplan.Requests:
		calls = "limited by Cloudflare's requests per minute"
	case dayplan.Neurons:
		calls = "limited by neurons: callers wait from " + *r.WaitingAt + " UTC on"
		if r.SpentAt != nil {
			calls = "limited by neurons: none fits from " + *r.SpentAt + " UTC on"
			if *r.SpentAt != *r.WaitingAt {
				calls += ", and callers wait from " + *r.WaitingAt + " on"
			}
		}
	case dayplan.Callers:
	}
	s.amount(&b, "calls", r.Calls, calls)
	s.line(&b, "neurons", r.NeuronsADay, strings.TrimSpace(of))
	fmt.Fprintf(&b, "  %-9s %*.2f  a day beyond the free %s neurons, %.2f a month\n", "dollars", numberWidth, r.USDADay,
		s.count(int64(quota.FreeNeurons/quota.OneNeuron)), r.USDAMonth)
	if r.Advice != "" {
		b.WriteString("\n" + paragraph("", "", r.Advice))
	}
	return b.String()
}

// amount writes a line with a whole number.
func (s screen) amount(b *strings.Builder, name string, n int64, note string) {
	fmt.Fprintf(b, "  %-9s %*s  %s\n", name, numberWidth, s.count(n), note)
}

// count writes a whole number, on a screen with commas.
func (s screen) count(n int64) string {
	return strings.TrimSuffix(s.number(status.Neurons(n)*status.Neurons(quota.OneNeuron)), ".00")
}

// nearModels says which models have names that are near one that nobody knows.
func nearModels(name string, known []string) string {
	short := func(name string) string { return strings.ToLower(name[strings.LastIndexByte(name, '/')+1:]) }
	meant := short(name)
	words := strings.FieldsFunc(meant, func(r rune) bool { return r == '-' || r == '.' || r == ' ' })
	distance := func(model string) int {
		lacks := func(word string) bool { return !strings.Contains(short(model), word) }
		if len(meant) > 2 && !slices.ContainsFunc(words, lacks) {
			return 0
		}
		return levenshtein.Distance(meant, short(model), nil)
	}
	near := slices.DeleteFunc(slices.Clone(known), func(model string) bool {
		return distance(model) > len(meant)/2
	})
	slices.SortStableFunc(near, func(a, b string) int { return cmp.Compare(distance(a), distance(b)) })
	if len(near) == 0 {
		return "write one as Workers AI does, such as @cf/openai/gpt-oss-120b"
	}
	return "near it are " + strings.Join(near[:min(len(near), 4)], ", ")
}
