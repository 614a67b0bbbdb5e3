package main

import (
	"context"
	"fmt"
	"time"
)

// watchEvery is how often usage --watch asks.
const watchEvery = 2 * time.Second

// watch writes what ask returns until ctx ends: in place of what was drawn before, and in a pipe one
// report after the other. Once the proxy has answered, it may be away for a while.
func (in *invocation) watch(ctx context.Context, s screen, ask func(context.Context) (usageReport, error)) int {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for answered := false; ; {
		asking, cancel := context.WithTimeout(ctx, usageTimeout)
		r, err := ask(asking)
		cancel()
		switch {
		case ctx.Err() != nil:
			return exitDone
		case err != nil && !answered:
			return in.fail(err)
		case s.drawn:
			fmt.Fprint(in.stdout, "\x1b[H\x1b[2J") // the top of an empty screen
		case answered:
			fmt.Fprintln(in.stdout)
		}
		if err != nil {
			fmt.Fprintln(in.stdout, err)
		} else {
			fmt.Fprint(in.stdout, s.usage(r, time.Now()))
		}
		answered = true
		select {
		case <-ctx.Done():
			return exitDone
		case <-tick.C:
		}
	}
}
