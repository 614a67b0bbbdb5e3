package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/neuronward/neuronward/cmd/neuronward/admin/status"
	"github.com/neuronward/neuronward/cmd/neuronward/config"
	"github.com/neuronward/neuronward/proxy/websocket"
)

// usageTimeout bounds all requests to the running proxy together.
const usageTimeout = 10 * time.Second

func usageHelp() string {
	return `Shows what a running proxy has spent, in neurons and US dollars: today (used,
reserved, left) by model and by client, and the last days. Exit 1: no proxy
answers.

Usage:

  neuronward usage [--days N] [--json | --csv | --watch] [--addr HOST:PORT]

  --days N   number of days, including today (7); 62 at most
  --json     one JSON object: verdict, today, sessions (as in /status); days
  --csv      a row for each day, model and client, oldest day first:
             day,model,client,calls,neurons,usd
  --watch    refresh every 2 seconds, in place on a terminal; Ctrl-C ends it
             with exit 0
  --addr     the proxy's admin listener, instead of NEURONWARD_ADMIN_LISTEN

The first 10,000 neurons of each day (UTC) are free. Models and clients share
them in proportion to what they spent on the day.

It reads one variable:

` + variableTable("NEURONWARD_ADMIN_LISTEN") + `
On a terminal it draws bars, in color unless NO_COLOR is set.

Example:

  neuronward usage --addr 10.0.0.7:3037 --json
`
}

// A usageReport is what usage shows, and what --json prints.
type usageReport struct {
	Verdict  status.Verdict   `json:"verdict"`
	Today    status.Today     `json:"today"`
	Sessions websocket.Status `json:"sessions"` // over WebSockets, since the process began
	Days     []status.PastDay `json:"days"`
}

func usage(ctx context.Context, in *invocation) int {
	fs := in.flags()
	asJSON := fs.Bool("json", false, "")
	asCSV := fs.Bool("csv", false, "")
	watch := fs.Bool("watch", false, "")
	days := fs.Int("days", status.DefaultDays, "")
	addr := fs.String("addr", "", "")
	if _, code, ok := in.parse(fs, usageHelp, 0); !ok {
		return code
	}
	switch {
	case *days < 1 || *days > status.MaxDays:
		return in.misused(fmt.Sprintf("--days must be from 1 to %d", status.MaxDays))
	case *asJSON && *asCSV:
		return in.misused("--json and --csv exclude each other")
	case *watch && (*asJSON || *asCSV):
		return in.misused("--watch excludes --json and --csv")
	}
	c, mistakes := config.LoadOnly(in.environ, in.redactor, "NEURONWARD_ADMIN_LISTEN")
	at := c.AdminListen
	if *addr != "" {
		at = strings.TrimSuffix(strings.TrimPrefix(*addr, "http://"), "/")
		if err := config.CheckAddress(at); err != nil {
			return in.misused("--addr: " + err.Error())
		}
	} else if mistakes != nil {
		return in.mistakes(mistakes)
	} else if at == "" {
		return in.misused("the admin listener is off (NEURONWARD_ADMIN_LISTEN is empty), so there is nothing to ask")
	}
	base := "http://" + callable(at)
	s := screen{drawn: in.screen && in.environ["TERM"] != "dumb"}
	s.colored = s.drawn && in.environ["NO_COLOR"] == ""
	if *watch {
		ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
		defer stop()
		return in.watch(ctx, s, func(ctx context.Context) (usageReport, error) { return askUsage(ctx, base, *days) })
	}
	ctx, cancel := context.WithTimeout(ctx, usageTimeout)
	defer cancel()
	if *asCSV {
		rows, err := askProxy(ctx, fmt.Sprintf("%s/status/history.csv?days=%d", base, *days))
		if err != nil {
			return in.fail(err)
		}
		in.stdout.Write(rows) //nolint:errcheck // as all that is printed
		return exitDone
	}
	r, err := askUsage(ctx, base, *days)
	if err != nil {
		return in.fail(err)
	}
	if *asJSON {
		return in.printJSON(r)
	}
	fmt.Fprint(in.stdout, s.usage(r, time.Now()))
	return exitDone
}

// askUsage asks the proxy whose admin listener has this base URL.
func askUsage(ctx context.Context, base string, days int) (usageReport, error) {
	var now struct {
		status.Today
		Verdict  status.Verdict   `json:"verdict"`
		Sessions websocket.Status `json:"sessions"`
	}
	var past status.History
	for _, q := range []struct {
		path string
		into any
	}{{"/status", &now}, {fmt.Sprintf("/status/history?days=%d", days), &past}} {
		if err := askJSON(ctx, base+q.path, q.into); err != nil {
			return usageReport{}, err
		}
	}
	return usageReport{now.Verdict, now.Today, now.Sessions, past.Days}, nil
}

func askJSON(ctx context.Context, url string, into any) error {
	body, err := askProxy(ctx, url)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(body, into); err != nil {
		return fmt.Errorf("%s did not answer as neuronward does (%w); is it its admin listener?", url, err)
	}
	return nil
}

func askProxy(ctx context.Context, url string) ([]byte, error) {
	const maxAnswer = 16 << 20
	code, body, err := ask(ctx, url, maxAnswer)
	switch {
	case err != nil:
		return nil, fmt.Errorf("no proxy answers: %w; is it running, and is this its admin listener "+
			"(--addr, NEURONWARD_ADMIN_LISTEN)?", err)
	case code == http.StatusServiceUnavailable:
		return nil, errors.New("the proxy cannot say: " + strings.TrimSpace(string(body)))
	case code != http.StatusOK:
		return nil, fmt.Errorf("%s answered %d %s; is it the admin listener of neuronward?",
			url, code, http.StatusText(code))
	}
	return body, nil
}
