package demo

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"
)

const (
	defaultTimeout = 30 * time.Second
	maxShown       = 64 << 10 // bytes of an answer
)

// A Caller makes the calls of the buttons.
type Caller struct {
	client *http.Client
	base   string
}

// NewCaller returns a Caller for the app listener with this base URL.
func NewCaller(base string) *Caller {
	return &Caller{base: base, client: &http.Client{Transport: &http.Transport{
		DialContext: new(net.Dialer).DialContext,
		// It is our own listener; its certificate may name another host.
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // see above
	}}}
}

// Call makes the call that key names and writes request and answer to w while they arrive. ok reports whether there is
// such a call.
func (c *Caller) Call(ctx context.Context, key string, w io.Writer) (ok bool) {
	for _, g := range Groups() {
		for i := range g.Actions {
			if a := &g.Actions[i]; a.Key == key {
				c.write(ctx, a, w)
				return true
			}
		}
	}
	return false
}

func (c *Caller) write(ctx context.Context, a *Action, w io.Writer) {
	timeout := a.timeout
	if timeout == 0 {
		timeout = defaultTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	err := c.exchange(ctx, a, w)
	switch {
	case err == nil:
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		fmt.Fprintf(w, "\n(nothing within %g s: the caller gave up)\n", timeout.Seconds())
	default:
		fmt.Fprintf(w, "\n(the connection was cut: %v)\n", err)
	}
}

func (c *Caller) exchange(ctx context.Context, a *Action, w io.Writer) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+a.path, strings.NewReader(a.body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	header := ""
	if a.simulate != "" {
		r.Header.Set("X-Simulate", a.simulate)
		header = " -H 'x-simulate: " + a.simulate + "'"
	}
	fmt.Fprintf(w, "$ curl -siN %s%s%s \\\n    -d '%s'\n\n", c.base, a.path, header, a.body)
	began := time.Now()
	res, err := c.client.Do(r)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	fmt.Fprintf(w, "%s %s\n", res.Proto, res.Status)
	for _, name := range slices.Sorted(maps.Keys(res.Header)) {
		fmt.Fprintf(w, "%s: %s\n", strings.ToLower(name), strings.Join(res.Header[name], ", "))
	}
	fmt.Fprintln(w)
	n, err := io.Copy(w, io.LimitReader(res.Body, maxShown))
	switch {
	case err != nil:
		return err
	case n == maxShown:
		fmt.Fprintf(w, "\n(and more: %d KiB are shown)\n", maxShown>>10)
	default:
		fmt.Fprintf(w, "\n(after %s)\n", time.Since(began).Round(time.Millisecond))
	}
	return nil
}
