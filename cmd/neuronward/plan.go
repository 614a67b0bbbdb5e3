package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"time"

	"github.com/neuronward/neuronward/cmd/neuronward/config"
	"github.com/neuronward/neuronward/quota/price"
)

func planHelp() string {
	return `Calculates how many calls of one kind fit into a day's limit, how many of them
can run at once, and what they cost. It works offline, with the proxy's own
prices, token counts and reservations.

Usage:

  neuronward plan --model MODEL [OPTIONS]

  --model MODEL          required, such as @cf/openai/gpt-oss-120b
  --prompt-bytes N       length of the prompt, as English prose (2000)
  --prompt-file FILE     the prompt itself; - is standard input
  --output-tokens N      average tokens of an answer (300)
  --max-tokens N         max_tokens of the calls; fit is as in
                         NEURONWARD_DEFAULT_MAX_TOKENS
  --callers N            callers, each with one call at a time (1)
  --seconds-per-call S   (1, plus 1 for each 100 tokens of the answer)
  --plan PLAN            free, paid or prepaid
  --limit N              the limit of neurons a day; 0 is no limit
  --json                 one JSON object

The prompt is counted as the proxy reserves it: about a quarter more tokens than
English text has. Two things are not included: what the proxy learns from
answers, and, with tight, the 1 % of the limit that it keeps free until the last
hour. Dollars are for neurons beyond the 10,000 free ones a day. A month has 30
days.

It reads these variables, unless an option says otherwise:

` + variableTable("NEURONWARD_PLAN", "NEURONWARD_DAILY_NEURONS", "NEURONWARD_ESTIMATE", "NEURONWARD_RATE_LIMITS",
		"NEURONWARD_DEFAULT_MAX_TOKENS", "NEURONWARD_PRICES", "NEURONWARD_USD_PER_1000_NEURONS") + `
Examples:

  neuronward plan --model @cf/openai/gpt-oss-120b --callers 8
  neuronward plan --model @cf/zai-org/glm-4.7-flash --max-tokens 900 --plan paid
`
}

// planOptions are the options that stand for a variable.
var planOptions = map[string]string{
	"NEURONWARD_PLAN": "plan", "NEURONWARD_DAILY_NEURONS": "limit", "NEURONWARD_DEFAULT_MAX_TOKENS": "max-tokens",
}

func plan(_ context.Context, in *invocation) int {
	fs := in.flags()
	model := fs.String("model", "", "")
	size := fs.Int64("prompt-bytes", 2000, "")
	file := fs.String("prompt-file", "", "")
	output := fs.Int64("output-tokens", 300, "")
	callers := fs.Int("callers", 1, "")
	seconds := fs.Float64("seconds-per-call", 0, "")
	asJSON := fs.Bool("json", false, "")
	for _, option := range planOptions {
		fs.String(option, "", "")
	}
	if _, code, ok := in.parse(fs, planHelp, 0); !ok {
		return code
	}
	given := map[string]string{}
	fs.Visit(func(f *flag.Flag) { given[f.Name] = f.Value.String() })
	if _, set := given["seconds-per-call"]; !set {
		*seconds = 1 + float64(*output)/100
	}
	switch {
	case *model == "":
		return in.misused("--model is missing; name one, such as --model @cf/openai/gpt-oss-120b")
	case *size < 0 || *size > maxPrompt:
		return in.misused("--prompt-bytes must be from 0 to 33554432")
	case *output < 0 || *output > 1e7:
		return in.misused("--output-tokens must be from 0 to 10000000")
	case *callers < 1 || *callers > 1e5:
		return in.misused("--callers must be from 1 to 100000")
	case !(*seconds >= 0.1 && *seconds <= 1e5):
		return in.misused("--seconds-per-call must be from 0.1 to 100000")
	}
	p := planner{output: *output, callers: *callers, duration: time.Duration(*seconds * float64(time.Second))}
	err := p.configure(in, given)
	if err == nil {
		err = p.findModel(*model)
	}
	if err != nil {
		return in.misused(err.Error())
	}
	prompt := prose(int(*size))
	if *file != "" {
		if prompt, err = in.readPrompt(*file); err != nil {
			return in.fail(err)
		}
	}
	if p.request, err = measurePrompt(p.model, prompt); err != nil {
		return in.fail(err)
	}
	r := p.report()
	if *asJSON {
		return in.printJSON(r)
	}
	fmt.Fprint(in.stdout, screen{drawn: in.screen}.plan(&r))
	return exitDone
}

// configure reads the variables, with those options in their place that are given.
func (p *planner) configure(in *invocation, given map[string]string) error {
	environ := maps.Clone(in.environ)
	for variable, option := range planOptions {
		if value, ok := given[option]; ok {
			environ[variable] = value
		}
	}
	c, err := config.LoadOnly(environ, in.redactor, "NEURONWARD_PLAN", "NEURONWARD_DAILY_NEURONS",
		"NEURONWARD_ESTIMATE", "NEURONWARD_RATE_LIMITS", "NEURONWARD_DEFAULT_MAX_TOKENS", "NEURONWARD_PRICES",
		"NEURONWARD_USD_PER_1000_NEURONS")
	if mistakes, ok := errors.AsType[config.Mistakes](err); ok {
		m := mistakes[0]
		if option := planOptions[m.Variable]; given[option] != "" {
			m.Variable = "--" + option
		}
		return m
	}
	p.c, p.estimator = c, price.NewEstimator(c.PriceTable, estimateMode(c))
	return err
}

// maxPrompt is the longest prompt, in bytes.
const maxPrompt = 32 << 20

// readPrompt reads a file, or standard input.
func (in *invocation) readPrompt(path string) (string, error) {
	read := func() ([]byte, error) { return os.ReadFile(path) }
	if path == "-" {
		read = func() ([]byte, error) { return io.ReadAll(io.LimitReader(in.stdin, maxPrompt+1)) }
	}
	text, err := read()
	switch {
	case err != nil:
		return "", fmt.Errorf("--prompt-file: %w", err)
	case len(text) > maxPrompt:
		return "", errors.New("--prompt-file: the prompt is longer than 32 MiB")
	}
	return string(text), nil
}
