package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/neuronward/neuronward/cmd/neuronward/config"
	"github.com/neuronward/neuronward/cmd/neuronward/conns"
	"github.com/neuronward/neuronward/proxy"
	"github.com/neuronward/neuronward/proxy/workersai"
	"github.com/neuronward/neuronward/quota"
)

// What the demo's proxy and its simulator have in common.
const (
	demoAccount   = "demo"
	demoToken     = "simulated-token"
	demoChat      = "@cf/meta/llama-3.1-8b-instruct-fp8"
	demoEmbedding = "@cf/baai/bge-base-en-v1.5"
	demoCostly    = "@cf/deepseek-ai/deepseek-r1-distill-qwen-32b"
	demoLatency   = 10 * time.Millisecond // for each token, so that a stream is seen to be one
)

func demoHelp() string {
	return `Runs the proxy in front of a simulated Workers AI inside the process. It needs
no account and no network and costs nothing; the answers are made up. It prints
calls to try.

Usage:

  neuronward demo

It reads the same variables as serve, except CLOUDFLARE_*, CF_AIG_TOKEN and
NEURONWARD_UPSTREAM, which it ignores. The most useful ones are:

` + variableTable("NEURONWARD_LISTEN", "NEURONWARD_ADMIN_LISTEN", "NEURONWARD_PLAN",
		"NEURONWARD_DAILY_NEURONS", "NEURONWARD_LOG_LEVEL") + `
Usage is kept in memory, unless NEURONWARD_STORE is set. On the free plan the
simulated account also has 10,000 neurons a day: with a higher
NEURONWARD_DAILY_NEURONS the simulated Workers AI refuses calls first.

The request header x-simulate makes a call fail, so that you see how an app
handles it. The command serve always removes this header.

  x-simulate: 3040        any documented or observed code
  x-simulate: 4006        what Workers AI says once the day is spent
  x-simulate: 3040; times=2   no capacity for two attempts: the proxy retries
  x-simulate: hang        no answer; also: reset, html-502, empty, ok-false

To test agents, it also sets the answer. Answers satisfy JSON schemas and the
arguments of tools without it.

  x-simulate: tool        call the first tool that the app offers, once; tool=2
                          calls two, tool=NAME that one
  x-simulate: say=Done%21 answer with this text, percent-encoded
  x-simulate: latency=2s  wait before the answer; slow=50ms: for each token
  x-simulate: session=a   a separate day, limits and log of calls, for tests
                          that run in parallel
  x-simulate: reset-day   sets what was spent today to zero, unblocks the quota

Combine them with a semicolon: "session=a; tool; say=Done%21".
GET ` + workersai.CallsPath + `?session=NAME returns the calls of a session.

Example:

  NEURONWARD_LISTEN=127.0.0.1:8080 neuronward demo
`
}

func demo(ctx context.Context, in *invocation) int {
	if _, code, ok := in.parse(in.flags(), demoHelp, 0); !ok {
		return code
	}
	environ := maps.Clone(in.environ)
	maps.DeleteFunc(environ, func(name, _ string) bool {
		return strings.HasPrefix(name, "CLOUDFLARE_") || strings.HasPrefix(name, "CF_") ||
			name == "NEURONWARD_UPSTREAM" || name == "NEURONWARD_API"
	})
	environ["CLOUDFLARE_ACCOUNT_ID"] = demoAccount
	if environ["NEURONWARD_STORE"] == "" {
		environ["NEURONWARD_STORE"] = config.StoreMemory + ":"
	}
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return in.fail(fmt.Errorf("the simulated Workers AI finds no port on loopback: %w", err))
	}
	environ["NEURONWARD_UPSTREAM"] = "http://" + ln.Addr().String() + "/client/v4"
	c, err := config.Load(environ, in.redactor)
	if err != nil {
		ln.Close()
		return in.mistakes(err)
	}
	log := newLogger(in.stderr, c.LogLevel, c.LogFormat, in.terminal, in.batch.Flush)
	ai := workersai.New(demoWorkersAI(c.Plan))
	simulator := newSimulator(ai, log)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := simulator.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
			log.Error("the simulated Workers AI has ended", "error", err)
		}
	}()
	defer func() {
		simulator.Close() //nolint:errcheck // nobody is left to call it
		<-ended
	}()
	for _, w := range c.Warnings {
		if !strings.HasPrefix(w, "CLOUDFLARE_") { // of the account, and this one is made up
			log.Warn("configuration", "warning", w)
		}
	}
	return in.serve(ctx, log, c, variant{
		adjust: func(p *proxy.Config) {
			p.Token = func() string { return demoToken }
			p.Simulate = true
		},
		front: func(calls http.Handler, ledger *quota.Ledger) http.Handler {
			front := demoFront{ai: ai, calls: calls, ledger: ledger}
			if config.Loopback(c.Listen) {
				front.allowed = proxy.NewHosts(c.Hosts...).Allowed
			}
			return front
		},
		started: func(at endpoints) {
			fmt.Fprint(in.stdout, demoCalls(c.Scheme(), at, c.QuotaMode != config.ModeOff))
		},
	})
}

// demoFront stands before the demo's proxy: there a test of an app reads what it has called, and lets the day begin
// anew.
type demoFront struct {
	ai      http.Handler // the simulated Workers AI
	calls   http.Handler // the proxy
	ledger  *quota.Ledger
	allowed func(host string) bool // as which it may be called; nil: any
}

func (d demoFront) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case d.allowed != nil && !d.allowed(r.Host): // the proxy refuses it
	case r.URL.Path == workersai.CallsPath:
		d.ai.ServeHTTP(w, r)
		return
	case d.ledger != nil && workersai.ResetsDay(r.Header):
		d.ledger.Restart()
	}
	d.calls.ServeHTTP(w, r)
}

// newSimulator returns the server of the simulated Workers AI.
func newSimulator(ai http.Handler, log *slog.Logger) *http.Server {
	s := conns.NewServer(ai, log)
	s.MaxHeaderBytes = 64 << 10     // what the proxy sends is longer than what came
	s.IdleTimeout = 2 * time.Minute // a Listener would close idle connections
	return s
}

// demoWorkersAI is the simulated account. What it allows depends on its plan, like that of a real one.
func demoWorkersAI(plan string) workersai.Options {
	o := workersai.Options{Account: demoAccount, Token: demoToken, Latency: demoLatency, Plan: workersai.PlanPaid}
	if plan == config.PlanFree {
		o.Plan, o.DailyNeurons = workersai.PlanFree, quota.FreeNeurons.Float()
	}
	return o
}

// demoCalls are calls to copy and paste, in textWidth columns at most, for an app listener of this scheme. guarded says
// that neurons are counted.
func demoCalls(scheme string, at endpoints, guarded bool) string {
	text := demoText
	if guarded {
		text += demoRefused
	}
	text += demoFailure
	if at.admin != "" {
		text += demoPage
	}
	if at.admin != "" && guarded {
		text += demoUsage
	}
	base := scheme + "://" + callable(at.app)
	app := base
	if scheme == "https" { // its certificate names another host, if curl trusts it at all
		app = "-k " + base
	}
	return strings.NewReplacer(
		"{base}", base, "{app}", app, "{admin}", callable(at.admin),
		"{chat}", demoChat, "{embedding}", demoEmbedding, "{costly}", demoCostly,
	).Replace(text) + "\n"
}

const demoText = `
neuronward demo: a simulated Workers AI, no account needed. Ctrl-C ends it.

Base URL for an OpenAI client (any key will do):

  {base}/v1

A chat:

  curl -s {app}/v1/chat/completions -d '{
    "model": "{chat}",
    "messages": [{"role": "user", "content": "Hello"}]}'

A stream:

  curl -sN {app}/v1/chat/completions -d '{
    "model": "{chat}", "stream": true,
    "messages": [{"role": "user", "content": "Hello"}]}'

The native route:

  curl -s {app}/run/{chat} \
    -d '{"prompt": "Hello"}'

Embeddings:

  curl -s {app}/v1/embeddings -d '{
    "model": "{embedding}", "input": "Hello"}'
`

const demoRefused = `
A call that is refused before Workers AI sees it, since it may cost more neurons
than the day has:

  curl -si {app}/v1/chat/completions -d '{
    "model": "{costly}",
    "max_tokens": 30000,
    "messages": [{"role": "user", "content": "Hello"}]}'
`

const demoFailure = `
A simulated failure (3040, out of capacity):

  curl -si {app}/run/{chat} \
    -H 'x-simulate: 3040' -d '{"prompt": "Hello"}'
`

const demoPage = `
A page that shows what happens, with buttons for these calls and for each
failure:

  http://{admin}/

The counters:

  curl -s http://{admin}/metrics \
    | grep neuronward_errors_total | grep -v ' 0$'
`

const demoUsage = `
Today's usage (neuronward usage --addr {admin} prints it for people):

  curl -s http://{admin}/status
`
