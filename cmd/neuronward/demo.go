package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/neuronward/neuronward/proxy"
	"github.com/neuronward/neuronward/proxy/workersai"
)

// What the demo's proxy and its simulator have in common.
const (
	demoAccount   = "demo"
	demoToken     = "simulated-token"
	demoChat      = "@cf/meta/llama-3.1-8b-instruct-fp8"
	demoEmbedding = "@cf/baai/bge-base-en-v1.5"
	demoLatency   = 10 * time.Millisecond // for each token, so that a stream is seen to be one
)

func demoHelp() string {
	return `Runs the proxy in front of a simulated Workers AI inside the process. It needs
no account, calls nobody and costs nothing; the answers are made up. It prints
calls to try.

Usage:

  neuronward demo

The configuration is that of serve, but for CLOUDFLARE_*, CF_AIG_TOKEN and
NEURONWARD_UPSTREAM, which are ignored. These matter here:

` + variableTable(variables(), named("NEURONWARD_LISTEN", "NEURONWARD_ADMIN_LISTEN", "NEURONWARD_LOG_LEVEL")) + `
A request header provokes a failure, so that an app can be seen to meet it;
serve removes that header always:

  x-simulate: 3040        any documented or observed code
  x-simulate: hang        no answer; also: reset, html-502, empty, ok-false

Example:

  NEURONWARD_LISTEN=127.0.0.1:8080 neuronward demo
`
}

func demo(ctx context.Context, in *invocation) int {
	if _, code, ok := in.parse(in.flags(), demoHelp(), 0); !ok {
		return code
	}
	environ := maps.Clone(in.environ)
	maps.DeleteFunc(environ, func(name, _ string) bool {
		return strings.HasPrefix(name, "CLOUDFLARE_") || strings.HasPrefix(name, "CF_AIG_") || name == "NEURONWARD_UPSTREAM"
	})
	environ["CLOUDFLARE_ACCOUNT_ID"] = demoAccount
	l := load(environ, in.redactor)
	if err := l.err(); err != nil {
		return in.mistakes(err)
	}
	log := newLogger(in.stderr, l.config.LogLevel, l.config.LogFormat, in.terminal)

	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return in.fail(fmt.Errorf("the simulated Workers AI finds no port on loopback: %w", err))
	}
	simulator := newHTTPServer(workersai.New(workersai.Options{Account: demoAccount, Token: demoToken, Latency: demoLatency}), log)
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
	l.config.Upstream.u = &url.URL{Scheme: "http", Host: ln.Addr().String(), Path: "/client/v4"}
	l.warnings = nil
	l.warn()
	for _, w := range l.warnings {
		log.Warn("configuration", "warning", w)
	}
	return in.serve(ctx, log, &l.config, func(c *proxy.Config) {
		c.Token = func() string { return demoToken }
		c.Simulate = true
	}, func(at endpoints) { fmt.Fprint(in.stdout, demoCalls(at)) })
}

// demoCalls are calls to copy and paste, in at most textWidth columns.
func demoCalls(at endpoints) string {
	app, metrics := "http://"+callable(at.app), ""
	if at.admin != "" {
		metrics = fmt.Sprintf(`
The counters:

  curl -s http://%s/metrics \
    | grep neuronward_errors_total | grep -v ' 0$'
`, callable(at.admin))
	}
	return strings.NewReplacer("{app}", app, "{chat}", demoChat, "{embedding}", demoEmbedding, "{account}", demoAccount).Replace(`
neuronward demo: a simulated Workers AI, no account needed. Ctrl-C ends it.

Base URL for an OpenAI client (any key will do):

  {app}/v1

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

A failure, provoked (3040, out of capacity):

  curl -si {app}/run/{chat} \
    -H 'x-simulate: 3040' -d '{"prompt": "Hello"}'
`) + metrics + "\n"
}
