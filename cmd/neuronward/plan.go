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
	return `Works out a day before it comes: how many calls of one kind it has room for, how
many of them run at once, and what they cost. It asks nobody: prices, the count
of a prompt's tokens and what is reserved are those of the proxy.

Usage:

  neuronward plan --model MODEL [OPTIONS]

  --model MODEL          required, such as @cf/openai/gpt-oss-120b
  --prompt-bytes N       length of the prompt, of English prose (2000)
  --prompt-file FILE     the prompt itself; - is standard input
  --output-tokens N      tokens that an answer has on average (300)
  --max-tokens N         the limit that calls name; fit is the one of
                         NEURONWARD_DEFAULT_MAX_TOKENS
  --callers N            each of them makes one call after the other (1)
  --seconds-per-call S   (1, and 1 more for 100 tokens of the answer)
  --plan PLAN            free, paid or prepaid
  --limit N              neurons that may be spent a day; 0 is no limit
  --json                 one JSON object

A prompt counts as many tokens as the proxy reserves for it, which is about a
quarter more than English has. What the proxy learns from answers is left out,
and with tight a hundredth of the day, which it keeps back until the last hour.
Dollars are for what is beyond the 10,000 free neurons a day; a month has 30
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
	if _, code, ok := in.parse(fs, planHelp(), 0); !ok {
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
