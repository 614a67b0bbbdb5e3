package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/neuronward/neuronward/cmd/neuronward/config"
	"github.com/neuronward/neuronward/normalize"
)

// healthTimeout bounds the whole check; container runtimes wait 30 seconds by default.
const healthTimeout = 5 * time.Second

// healthVariables are those that the check reads.
var healthVariables = []string{"NEURONWARD_LISTEN", "NEURONWARD_ADMIN_LISTEN", "NEURONWARD_TLS_CERT"}

func healthcheckHelp() string {
	return `Asks the proxy that runs with the same environment whether it is ready. Exit 0:
ready. Exit 1: not ready. It is for container images without a shell.

Usage:

  neuronward healthcheck

It calls /readyz on the admin listener. If that is off, it calls the app
listener, over TLS if that has a certificate. It reads only these variables:

` + variableTable(healthVariables...) + `
Example, in a Dockerfile:

  HEALTHCHECK CMD ["/neuronward", "healthcheck"]
`
}

func healthcheck(ctx context.Context, in *invocation) int {
	if _, code, ok := in.parse(in.flags(), healthcheckHelp, 0); !ok {
		return code
	}
	c, err := config.LoadOnly(in.environ, in.redactor, healthVariables...)
	if err != nil {
		return in.mistakes(err)
	}
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	if err := askReady(ctx, c); err != nil {
		return in.fail(err)
	}
	fmt.Fprintln(in.stdout, "ready")
	return exitDone
}

// askReady returns nil if the proxy is ready; the error says why it is not.
func askReady(ctx context.Context, c *config.Config) error {
	const maxAnswer = 4 << 10 // bytes
	url := "http://" + callable(c.AdminListen) + "/readyz"
	if c.AdminListen == "" {
		url = c.Scheme() + "://" + callable(c.Listen) + "/readyz"
	}
	status, body, err := ask(ctx, url, maxAnswer)
	if err != nil {
		return fmt.Errorf("not ready: %w", err)
	}
	if status == http.StatusOK {
		return nil
	}
	reason := strings.TrimSpace(string(body))
	if f, ok := normalize.Parse(body); ok { // of the app listener
		reason = f.Error()
	}
	return fmt.Errorf("not ready: %s answered %d %s: %s", url, status, http.StatusText(status), reason)
}

// anyCertificate accepts any certificate, to ask another process of this machine for its state. The certificate names
// the host that apps call, not this address; no secret is sent, and the answer is used for nothing else.
func anyCertificate() *tls.Config {
	return &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12} //nolint:gosec // see above
}

// ask gets url from another process of this machine, and at most maxBody bytes of its answer.
func ask(ctx context.Context, url string, maxBody int64) (status int, body []byte, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return 0, nil, err
	}
	// Between two processes of one machine there is neither a proxy nor a redirect.
	client := &http.Client{
		Transport:     &http.Transport{TLSClientConfig: anyCertificate()},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	defer client.CloseIdleConnections()
	resp, err := client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	body, err = io.ReadAll(io.LimitReader(resp.Body, maxBody))
	return resp.StatusCode, body, err
}
