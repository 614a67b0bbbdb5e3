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

	"github.com/neuronward/neuronward/cmd/neuronward/config"
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

// A checker looks at what a valid configuration needs of the world.
type checker struct {
	c       *config.Config
	results []checkResult // in the order of the checks
}

func (k *checker) ok(check, found string, args ...any) {
	k.results = append(k.results, checkResult{check, foundOK, fmt.Sprintf(found, args...), ""})
}

func (k *checker) warning(check, action, found string, args ...any) {
	k.results = append(k.results, checkResult{check, foundWarning, fmt.Sprintf(found, args...), action})
}

func (k *checker) failure(check, action, found string, args ...any) {
	k.results = append(k.results, checkResult{check, foundFailure, fmt.Sprintf(found, args...), action})
}

// failed reports whether any of them is a failure.
func failed(results []checkResult) bool {
	for _, one := range results {
		if one.Result == foundFailure {
			return true
		}
	}
	return false
}

// examine checks what c needs: Cloudflare, unless offline, and this machine.
func examine(ctx context.Context, c *config.Config, offline bool) []checkResult {
	ctx, cancel := context.WithTimeout(ctx, checkPatience)
	defer cancel()
	k := &checker{c: c, results: []checkResult{}}
	if !offline {
		k.checkCloudflare(ctx)
	}
	k.checkStore(ctx)
	k.checkClients()
	k.checkListener(ctx, "listen", "NEURONWARD_LISTEN", c.Listen, k.appAnswers)
	if c.AdminListen != "" {
		k.checkListener(ctx, "admin_listen", "NEURONWARD_ADMIN_LISTEN", c.AdminListen, k.adminAnswers)
	}
	return k.results
}

// checkStore looks whether what is spent could be kept. It leaves no file behind that was not there.
func (k *checker) checkStore(ctx context.Context) {
	const check = "store"
	c := k.c
	switch {
	case c.QuotaMode == config.ModeOff:
		k.ok(check, "none: nothing is counted with NEURONWARD_QUOTA_MODE=off")
		return
	case c.Store.Kind == config.StoreMemory:
		k.ok(check, "memory: what was spent is forgotten at the end")
		return
	}
	if c.Store.Kind == config.StoreRedis {
		k.checkServer(ctx)
		return
	}
	if path := c.Store.Path; path != "" {
		if _, err := os.Lstat(path); errors.Is(err, os.ErrNotExist) {
			k.checkNewFile(path)
			return
		}
	}
	const moment = 100 * time.Millisecond
	other := ""
	store, closeStore, err := openStore(ctx, c.Store, c.Account, slog.New(slog.DiscardHandler), filestore.Options{LockWait: moment, Waiting: func(pid string) { other = pid }})
	if err != nil && other != "" {
		k.warning(check, "none is needed if that is the proxy that runs, for which a new one waits; else give this one a file of its own",
			"another process (%s) has %s open", other, c.Store.Path)
		return
	}
	if err == nil {
		today := quota.DayOf(time.Now())
		_, err = store.History(ctx, today, today)
		err = errors.Join(err, closeStore())
	}
	if err != nil {
		k.failure(check, "mend it, or name another store", "%s", strings.TrimPrefix(oneLine(err), "NEURONWARD_STORE: "))
		return
	}
	k.ok(check, "%s can be read and written", c.Store)
}

// checkServer looks whether a server can keep what is spent. Nothing is written.
func (k *checker) checkServer(ctx context.Context) {
	const check = "store"
	c := k.c
	store := redisstore.Open(c.Store.Redis, c.Account, redisstore.Options{})
	warnings, err := store.Inspect(ctx)
	err = errors.Join(err, store.Close())
	switch {
	case errors.Is(err, redisstore.ErrUnusable):
		k.failure(check, "name a server that can keep neurons", "%s: %s", c.Store, oneLine(err))
		return
	case err != nil:
		k.failure(check, "start the server, or mend the way to it; until then calls meet NEURONWARD_ON_STORE_FAILURE", "%s does not answer: %s", c.Store, oneLine(err))
		return
	}
	for _, w := range warnings {
		k.warning(check, "set the server up so", "%s: %s", c.Store, w)
	}
	if len(warnings) == 0 {
		k.ok(check, "%s answers", c.Store)
	}
}

// checkNewFile looks whether a file could be begun at path.
func (k *checker) checkNewFile(path string) {
	dir := path[:max(strings.LastIndexByte(path, os.PathSeparator), 0)]
	if dir == "" {
		dir = "."
	}
	if err := config.Usable(dir); err != nil {
		k.failure("store", "name a path in NEURONWARD_STORE that this user can write, or memory:", "%s cannot be begun: %s", path, oneLine(err))
		return
	}
	k.ok("store", "%s can be begun: it is not there yet", path)
}

// checkClients says who may call. A file that is bad was a mistake in the configuration.
func (k *checker) checkClients() {
	c := k.c
	switch {
	case c.Clients != nil:
		k.ok("clients", "%s", c.Clients)
	case !config.Loopback(c.Listen) && (c.Token.IsSet() || c.GatewayToken.IsSet()):
		k.warning("clients", "give each client a key (NEURONWARD_CLIENTS_FILE) if strangers may come that far", "none: whoever reaches %s spends the account's neurons", c.Listen)
	default:
		k.ok("clients", "none: whoever reaches %s may call", c.Listen)
	}
}

// checkListener looks whether an address could be listened on. ours reports whether what has it is a neuronward.
func (k *checker) checkListener(ctx context.Context, check, variable string, at string, ours func(context.Context) bool) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", at)
	switch {
	case err == nil:
		if err := l.Close(); err != nil {
			k.warning(check, "try again", "%s was free: %s", at, oneLine(err))
			return
		}
		if strings.HasSuffix(at, ":0") {
			k.ok(check, "%s: whichever port is free", at)
			return
		}
		k.ok(check, "%s is free", at)
	case errors.Is(err, syscall.EADDRINUSE) && ours(ctx):
		k.warning(check, "none is needed if that is the proxy of this configuration; a new one waits only for one that is ending", "a neuronward listens on %s", at)
	case errors.Is(err, syscall.EADDRINUSE):
		k.failure(check, "stop it, or set "+variable+" to another address", "another program listens on %s", at)
	default:
		if op, ok := errors.AsType[*net.OpError](err); ok {
			err = op.Err
		}
		k.failure(check, "set "+variable+" to another address", "nothing can listen on %s: %s", at, oneLine(err))
	}
}

// adminAnswers reports whether the admin listener of a neuronward answers at its address.
func (k *checker) adminAnswers(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	status, body, err := ask(ctx, "http://"+callable(k.c.AdminListen)+"/metrics", 1<<20)
	return err == nil && status == http.StatusOK && strings.Contains(string(body), "neuronward_build_info")
}

// appAnswers reports whether the app listener of a neuronward answers at its address.
func (k *checker) appAnswers(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	for _, scheme := range []string{"http", "https"} { // whether the other one has a certificate says nothing of us
		_, body, err := ask(ctx, scheme+"://"+callable(k.c.Listen)+"/errors/account_limited", 64<<10)
		if err == nil && strings.Contains(string(body), "account_limited") {
			return true
		}
	}
	return false
}

// oneLine is the text of err in one line.
func oneLine(err error) string { return strings.ReplaceAll(err.Error(), "\n", "; ") }
