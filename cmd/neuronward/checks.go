package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/neuronward/neuronward/cmd/neuronward/config"
	"github.com/neuronward/neuronward/cmd/neuronward/conns"
	"github.com/neuronward/neuronward/proxy/outputlimit"
	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/filestore"
	"github.com/neuronward/neuronward/quota/redisstore"
)

// checkTimeout limits all checks together.
const checkTimeout = time.Minute

// Values of checkResult.Result.
const (
	resultOK      = "ok"
	resultWarning = "warning" // the proxy runs, but less well than it could
	resultFailure = "failure" // calls would be refused, or the proxy would not start
)

// A checkResult is the outcome of one check, in one line.
type checkResult struct {
	Check  string `json:"check"`
	Result string `json:"result"` // ok, warning, failure
	Found  string `json:"found"`
	Action string `json:"action"` // what to do; "" where there is nothing
}

// A checker checks what a valid configuration needs to work.
type checker struct {
	c       *config.Config
	results []checkResult // in the order of the checks
}

func (k *checker) ok(check, found string, args ...any) {
	k.results = append(k.results, checkResult{check, resultOK, fmt.Sprintf(found, args...), ""})
}

func (k *checker) warning(check, action, found string, args ...any) {
	k.results = append(k.results, checkResult{check, resultWarning, fmt.Sprintf(found, args...), action})
}

func (k *checker) failure(check, action, found string, args ...any) {
	k.results = append(k.results, checkResult{check, resultFailure, fmt.Sprintf(found, args...), action})
}

// failed reports whether any result is a failure.
func failed(results []checkResult) bool {
	return slices.ContainsFunc(results, func(r checkResult) bool { return r.Result == resultFailure })
}

// examine checks what c needs: Cloudflare, unless offline, and this machine.
func examine(ctx context.Context, c *config.Config, offline bool) []checkResult {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	k := &checker{c: c, results: []checkResult{}}
	if !offline {
		k.checkCloudflare(ctx)
	}
	k.checkStore(ctx)
	k.checkOutputLimit()
	k.checkClients()
	k.checkFiles()
	k.checkListener(ctx, "listen", "NEURONWARD_LISTEN", c.Listen, appAnswers)
	if c.AdminListen != "" {
		k.checkListener(ctx, "admin_listen", "NEURONWARD_ADMIN_LISTEN", c.AdminListen, adminAnswers)
	}
	return k.results
}

// checkStore checks whether usage can be stored. It leaves no file behind that was not there before.
func (k *checker) checkStore(ctx context.Context) {
	const check = "store"
	c := k.c
	switch {
	case c.QuotaMode == config.ModeOff:
		k.ok(check, "none: nothing is counted with NEURONWARD_QUOTA_MODE=off")
	case c.Store.Kind == config.StoreMemory:
		k.ok(check, "memory: usage is forgotten at the end")
	case c.Store.Kind == config.StoreRedis:
		k.checkServer(ctx)
	case c.Store.Kind == config.StoreFile:
		k.checkFile(ctx)
	default:
		k.failure(check, "name another store in NEURONWARD_STORE", "there is no store of the kind %q", c.Store.Kind)
	}
}

// checkFile checks whether a file can store usage.
func (k *checker) checkFile(ctx context.Context) {
	const check = "store"
	c := k.c
	if _, err := os.Lstat(c.Store.Path); errors.Is(err, os.ErrNotExist) {
		k.checkNewFile(c.Store.Path)
		return
	}
	other := ""
	store, closeStore, err := openStore(ctx, c.Store, c.Account, unwatched(), filestore.Options{
		LockWait: 100 * time.Millisecond, Waiting: func(pid string) { other = pid },
	})
	if err != nil && other != "" {
		k.warning(check, "none is needed if that is the proxy that runs, for which a new one waits; "+
			"else give this one a file of its own",
			"another process (%s) has %s open", other, c.Store.Path)
		return
	}
	if err == nil {
		today := quota.DayOf(time.Now())
		_, err = store.History(ctx, today, today)
		err = errors.Join(err, closeStore())
	}
	if err != nil {
		k.failure(check, "fix it, or name another store",
			"%s", strings.TrimPrefix(oneLine(err), "NEURONWARD_STORE: "))
		return
	}
	if w := openDirectory(c.Store.Path); w != "" {
		k.warning(check, "chmod o-w the directory", "%s", w)
	}
	k.ok(check, "%s can be read and written", c.Store)
}

// checkServer checks whether a Redis server can store usage. It writes nothing.
func (k *checker) checkServer(ctx context.Context) {
	const check = "store"
	c := k.c
	store := redisstore.Open(c.Store.Redis, c.Account, redisstore.Options{Password: c.Store.Password})
	warnings, err := store.Inspect(ctx)
	trip := store.RoundTrip()
	err = errors.Join(err, store.Close())
	switch {
	case errors.Is(err, redisstore.ErrUnusable):
		k.failure(check, "name a server that can store usage", "%s: %s", c.Store, oneLine(err))
		return
	case err != nil:
		k.failure(check, "start the server, or fix the network to it; "+
			"until then NEURONWARD_ON_STORE_FAILURE says what happens to calls",
			"%s does not answer: %s", c.Store, oneLine(err))
		return
	}
	for _, w := range warnings {
		k.warning(check, "change the server or its settings", "%s: %s", c.Store, w)
	}
	if len(warnings) == 0 {
		k.ok(check, "%s answers within %v", c.Store, (trip + time.Millisecond - 1).Truncate(time.Millisecond))
	}
}

// checkNewFile checks whether a file could be made at path.
func (k *checker) checkNewFile(path string) {
	if err := config.Usable(filepath.Dir(path)); err != nil {
		k.failure("store", "name a path in NEURONWARD_STORE that this user can write, or memory:",
			"%s cannot be made: %s", path, oneLine(err))
		return
	}
	k.ok("store", "%s can be made: it does not exist yet", path)
}

// checkOutputLimit says what the proxy changes in bodies.
func (k *checker) checkOutputLimit() {
	const text = "calls of text models that name no limit of output tokens are sent with "
	switch d := k.c.DefaultMaxTokens; {
	case d.Fit:
		k.ok("max_tokens", text+"the largest from %d to %d that fits what is left of the limits",
			outputlimit.MinFit, outputlimit.MaxFit)
	case d.IsSet():
		k.ok("max_tokens", text+"%d, or what their model's context window still has", d.Tokens)
	}
}

// checkClients says who may call. What is wrong with the clients file is a mistake in the configuration.
func (k *checker) checkClients() {
	c := k.c
	switch {
	case c.Clients != nil:
		k.ok("clients", "%s", c.Clients)
	case !config.Loopback(c.Listen) && (c.Token.IsSet() || c.GatewayToken.IsSet()):
		k.warning("clients", "give each client a key (NEURONWARD_CLIENTS_FILE) if strangers can reach it",
			"none: whoever reaches %s spends the account's neurons", c.Listen)
	default:
		k.ok("clients", "none: whoever reaches %s may call", c.Listen)
	}
}

// checkFiles warns where the system's limit of open files is below what the limits of the configuration need.
func (k *checker) checkFiles() {
	fits, needed, allowed := conns.Fit(k.c.MaxConnections, k.c.MaxInFlight)
	if fits < k.c.MaxConnections {
		k.warning("open_files", "raise that (ulimit -n, LimitNOFILE), or lower NEURONWARD_MAX_CONNECTIONS",
			"a process may open %d files, and %d connections with the calls on them need %d, so only %d connections "+
				"are accepted at once", allowed, k.c.MaxConnections, needed, fits)
	}
}

// checkListener checks whether an address can be bound. ours reports whether the process that has it is a neuronward.
func (k *checker) checkListener(
	ctx context.Context, check, variable, address string, ours func(ctx context.Context, address string) bool,
) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	switch {
	case err == nil:
		if err := l.Close(); err != nil {
			k.warning(check, "try again", "%s was free: %s", address, oneLine(err))
			return
		}
		if strings.HasSuffix(address, ":0") {
			k.ok(check, "%s: whichever port is free", address)
			return
		}
		k.ok(check, "%s is free", address)
	case errors.Is(err, syscall.EADDRINUSE) && ours(ctx, address):
		k.warning(check, "none is needed if that is the proxy of this configuration; "+
			"a new one waits only for one that is ending", "a neuronward listens on %s", address)
	case errors.Is(err, syscall.EADDRINUSE):
		k.failure(check, "stop it, or set "+variable+" to another address", "another program listens on %s", address)
	default:
		if op, ok := errors.AsType[*net.OpError](err); ok {
			err = op.Err
		}
		k.failure(check, "set "+variable+" to another address", "nothing can listen on %s: %s", address, oneLine(err))
	}
}

// adminAnswers reports whether the admin listener of a neuronward answers at address.
func adminAnswers(ctx context.Context, address string) bool {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	status, body, err := ask(ctx, "http://"+callable(address)+"/metrics", 1<<20)
	return err == nil && status == http.StatusOK && strings.Contains(string(body), "neuronward_build_info")
}

// appAnswers reports whether the app listener of a neuronward answers at address.
func appAnswers(ctx context.Context, address string) bool {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	for _, scheme := range []string{"http", "https"} { // the other process may have a certificate where we have none
		_, body, err := ask(ctx, scheme+"://"+callable(address)+"/errors/account_limited", 64<<10)
		if err == nil && strings.Contains(string(body), "account_limited") {
			return true
		}
	}
	return false
}

// oneLine returns the text of err in one line.
func oneLine(err error) string { return strings.ReplaceAll(err.Error(), "\n", "; ") }
