package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/filestore"
	"github.com/neuronward/neuronward/quota/redisstore"
)

// checkPatience bounds all that check asks of others.
const checkPatience = time.Minute

// Values of checkResult.Result.
const (
	foundOK      = "ok"
	foundWarning = "warning" // it runs, but less well than it could
	foundFailure = "failure" // calls would be refused, or it would not start
)

// A checkResult is what one check showed, in one line.
type checkResult struct {
	Check  string `json:"check"`
	Result string `json:"result"` // ok, warning, failure
	Found  string `json:"found"`
	Action string `json:"action"` // what to do; "" where there is nothing
}

// checkResults are what checks showed, in their order.
type checkResults []checkResult

func (f *checkResults) ok(check, found string, args ...any) {
	*f = append(*f, checkResult{check, foundOK, fmt.Sprintf(found, args...), ""})
}

func (f *checkResults) warning(check, action, found string, args ...any) {
	*f = append(*f, checkResult{check, foundWarning, fmt.Sprintf(found, args...), action})
}

func (f *checkResults) failure(check, action, found string, args ...any) {
	*f = append(*f, checkResult{check, foundFailure, fmt.Sprintf(found, args...), action})
}

// failed reports whether any of them is a failure.
func (f checkResults) failed() bool {
	for _, one := range f {
		if one.Result == foundFailure {
			return true
		}
	}
	return false
}

// examine looks at what a valid configuration needs of the world: Cloudflare, unless offline, and this machine.
func (l *loader) examine(ctx context.Context, offline bool) checkResults {
	ctx, cancel := context.WithTimeout(ctx, checkPatience)
	defer cancel()
	f := checkResults{}
	c := &l.config
	if !offline {
		c.checkCloudflare(ctx, &f)
	}
	c.checkStore(ctx, &f)
	c.checkClients(&f)
	c.checkListener(ctx, &f, "listen", "NEURONWARD_LISTEN", c.Listen, c.appAnswers)
	if c.AdminListen != "" {
		c.checkListener(ctx, &f, "admin_listen", "NEURONWARD_ADMIN_LISTEN", c.AdminListen, c.adminAnswers)
	}
	return f
}

// checkStore looks whether what is spent could be kept. It leaves no file behind that was not there.
func (c *config) checkStore(ctx context.Context, f *checkResults) {
	const check = "store"
	switch {
	case c.QuotaMode == modeOff:
		f.ok(check, "none: nothing is counted with NEURONWARD_QUOTA_MODE=off")
		return
	case c.Store.kind() == storeMemory:
		f.ok(check, "memory: what was spent is forgotten at the end")
		return
	}
	if c.Store.kind() == storeRedis {
		c.checkServer(ctx, f)
		return
	}
	if path := c.Store.path(); path != "" {
		if _, err := os.Lstat(path); errors.Is(err, os.ErrNotExist) {
			c.checkNewFile(f, path)
			return
		}
	}
	const moment = 100 * time.Millisecond
	other := ""
	store, closeStore, err := openStore(ctx, c.Store, c.Account, slog.New(slog.DiscardHandler), filestore.Options{LockWait: moment, Waiting: func(pid string) { other = pid }})
	if err != nil && other != "" {
		f.warning(check, "none is needed if that is the proxy that runs, for which a new one waits; else give this one a file of its own",
			"another process (%s) has %s open", other, c.Store.path())
		return
	}
	if err == nil {
		today := quota.DayOf(time.Now())
		_, err = store.History(ctx, today, today)
		err = errors.Join(err, closeStore())
	}
	if err != nil {
		f.failure(check, "mend it, or name another store", "%s", strings.TrimPrefix(oneLine(err), "NEURONWARD_STORE: "))
		return
	}
	f.ok(check, "%s can be read and written", c.Store)
}

// checkServer looks whether a server can keep what is spent. Nothing is written.
func (c *config) checkServer(ctx context.Context, f *checkResults) {
	const check = "store"
	address, err := redisstore.Parse(string(c.Store))
	if err != nil {
		f.failure(check, "write it as redis://host:6379/0", "%s", oneLine(err))
		return
	}
	store := redisstore.Open(address, string(c.Account), redisstore.Options{})
	warnings, err := store.Inspect(ctx)
	err = errors.Join(err, store.Close())
	switch {
	case errors.Is(err, redisstore.ErrUnfit):
		f.failure(check, "name a server that can keep neurons", "%s: %s", c.Store, oneLine(err))
		return
	case err != nil:
		f.failure(check, "start the server, or mend the way to it; until then calls meet NEURONWARD_ON_STORE_FAILURE", "%s does not answer: %s", c.Store, oneLine(err))
		return
	}
	for _, w := range warnings {
		f.warning(check, "set the server up so", "%s: %s", c.Store, w)
	}
	if len(warnings) == 0 {
		f.ok(check, "%s answers", c.Store)
	}
}

// checkNewFile looks whether a file could be begun at path.
func (c *config) checkNewFile(f *checkResults, path string) {
	dir := path[:max(strings.LastIndexByte(path, os.PathSeparator), 0)]
	if dir == "" {
		dir = "."
	}
	if err := usable(dir); err != nil {
		f.failure("store", "name a path in NEURONWARD_STORE that this user can write, or memory:", "%s cannot be begun: %s", path, oneLine(err))
		return
	}
	f.ok("store", "%s can be begun: it is not there yet", path)
}

// checkClients says who may call. A file that is bad was a mistake in the configuration.
func (c *config) checkClients(f *checkResults) {
	switch {
	case c.ClientsFile.set():
		f.ok("clients", "%s", c.ClientsFile)
	case !c.Listen.loopback() && (c.Token.set() || c.GatewayToken.set()):
		f.warning("clients", "give each client a key (NEURONWARD_CLIENTS_FILE) if strangers may come that far", "none: whoever reaches %s spends the account's neurons", c.Listen)
	default:
		f.ok("clients", "none: whoever reaches %s may call", c.Listen)
	}
}

// checkListener looks whether an address could be listened on. ours reports whether what has it is a neuronward.
func (c *config) checkListener(ctx context.Context, f *checkResults, check, variable string, at address, ours func(context.Context) bool) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", string(at))
	switch {
	case err == nil:
		if err := l.Close(); err != nil {
			f.warning(check, "try again", "%s was free: %s", at, oneLine(err))
			return
		}
		if strings.HasSuffix(string(at), ":0") {
			f.ok(check, "%s: whichever port is free", at)
			return
		}
		f.ok(check, "%s is free", at)
	case errors.Is(err, syscall.EADDRINUSE) && ours(ctx):
		f.warning(check, "none is needed if that is the proxy of this configuration; a new one waits only for one that is ending", "a neuronward listens on %s", at)
	case errors.Is(err, syscall.EADDRINUSE):
		f.failure(check, "stop it, or set "+variable+" to another address", "another program listens on %s", at)
	default:
		if op, ok := errors.AsType[*net.OpError](err); ok {
			err = op.Err
		}
		f.failure(check, "set "+variable+" to another address", "nothing can listen on %s: %s", at, oneLine(err))
	}
}

// adminAnswers reports whether the admin listener of a neuronward answers at its address.
func (c *config) adminAnswers(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	status, body, err := ask(ctx, "http://"+callable(string(c.AdminListen))+"/metrics", 1<<20)
	return err == nil && status == http.StatusOK && strings.Contains(string(body), "neuronward_build_info")
}

// appAnswers reports whether the app listener of a neuronward answers at its address.
func (c *config) appAnswers(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	for _, scheme := range []string{"http", "https"} { // whether the other one has a certificate says nothing of us
		_, body, err := ask(ctx, scheme+"://"+callable(string(c.Listen))+"/errors/account_limited", 64<<10)
		if err == nil && strings.Contains(string(body), "account_limited") {
			return true
		}
	}
	return false
}

// oneLine is the text of err in one line.
func oneLine(err error) string { return strings.ReplaceAll(err.Error(), "\n", "; ") }
