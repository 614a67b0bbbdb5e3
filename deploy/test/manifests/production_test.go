package manifeststest

import (
	"bytes"
	"io"
	"io/fs"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/dotenv"

	"github.com/neuronward/neuronward/deploy/test/loopback"
)

// prepared is deploy/compose/production as somebody uses it: a copy in which prepare.sh has run. key is that of the
// first client.
func prepared(t *testing.T) (dir, key string) {
	t.Helper()
	root := t.TempDir()
	dir = filepath.Join(root, "deploy", "compose", "production")
	if err := os.CopyFS(dir, os.DirFS(filepath.Join(top, "deploy", "compose", "production"))); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(filepath.Join(root, "deploy", "prometheus"),
		os.DirFS(filepath.Join(top, "deploy", "prometheus"))); err != nil {
		t.Fatal(err)
	}
	out, err := prepare(t, dir, "some-token\n", "ai.example.com", someAccount)
	if err != nil {
		t.Fatalf("prepare.sh: %v\n%s", err, out)
	}
	said := regexp.MustCompile(`shown this once: (\S+)\n$`).FindStringSubmatch(out)
	if said == nil {
		t.Fatalf("prepare.sh said %q, want the key of the first client", out)
	}
	return dir, said[1]
}

func prepare(t *testing.T, dir, stdin string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), filepath.Join(dir, "prepare.sh"), args...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func TestProduction(t *testing.T) {
	dir, _ := prepared(t)
	environ, err := dotenv.Read(filepath.Join(dir, ".env"))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "compose.yml")
	project, err := composed(t, path, environ)
	if err != nil {
		t.Fatal(err)
	}
	wantConfined(t, project, "caddy", "neuronward", "prometheus", "redis")
	proxy := project.Services["neuronward"]
	wantVariables(t, "compose.yml", slices.Collect(maps.Keys(proxy.Environment))...)
	wantTimeToDrain(t, proxy)
	if proxy.User == "" || strings.HasPrefix(proxy.User, "0:") {
		t.Errorf("user of neuronward = %q, want the owner of its secrets, and not root", proxy.User)
	}
	if _, err := composed(t, path, nil); err == nil ||
		!strings.Contains(err.Error(), "run ./prepare.sh") {
		t.Errorf("without .env: error %v, want one that says to run ./prepare.sh", err)
	}

	// Only the proxy reaches Redis.
	for name, s := range project.Services {
		_, reaches := s.Networks["store"]
		if want := name == "neuronward" || name == "redis"; reaches != want || name == "redis" && len(s.Networks) != 1 {
			t.Errorf("networks of %s = %v, want store among them: %t", name, s.Networks, want)
		}
	}
	if !project.Networks["store"].Internal {
		t.Error("the network store leads outside, want it internal")
	}

	// The program takes the configuration, its files where compose mounts them.
	var given []string
	for name, value := range proxy.Environment {
		inside, ok := strings.CutPrefix(*value, "/etc/neuronward/")
		if ok {
			*value = filepath.Join(dir, "secrets", "neuronward", inside)
		}
		given = append(given, name+"="+*value)
	}
	if said, status := say(t, given, "check", "--offline"); status == mistakes || strings.Contains(said, "by others") ||
		!strings.Contains(said, "1 client") {
		t.Errorf("check: exit status %d, want no mistakes, 1 client and no files that others can read:\n%s",
			status, said)
	}
	wantScrapes(t, mounted(t, project, "prometheus"), "neuronward:3037")
}

// What is there is not written over, and what is no account is refused before anything is written.
func TestProductionIsPreparedOnce(t *testing.T) {
	dir, _ := prepared(t)
	before, err := os.ReadFile(filepath.Join(dir, "secrets", "neuronward", "store-password"))
	if err != nil {
		t.Fatal(err)
	}
	if out, err := prepare(t, dir, "other-token\n", "ai.example.com", someAccount); err == nil ||
		!strings.Contains(out, "nothing is written over") {
		t.Errorf("the second run: error %v, said %q, want it refused", err, out)
	}
	if again, err := os.ReadFile(filepath.Join(dir, "secrets", "neuronward", "store-password")); err != nil ||
		!bytes.Equal(before, again) {
		t.Errorf("the password after the second run (error %v) is another one, want it kept", err)
	}
	secrets := filepath.Join(dir, "secrets", "neuronward")
	if err := filepath.WalkDir(secrets, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("mode of %s = %v, want it closed to others", e.Name(), info.Mode())
		}
		return err
	}); err != nil {
		t.Error(err)
	}
	for _, args := range [][]string{{"ai.example.com"}, {"ai.example.com", "0123"}} {
		fresh := t.TempDir()
		if err := copyFile(filepath.Join(dir, "prepare.sh"), filepath.Join(fresh, "prepare.sh")); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(filepath.Join(fresh, "prepare.sh"), 0o755); err != nil {
			t.Fatal(err)
		}
		out, err := prepare(t, fresh, "token\n", args...)
		if entries, _ := os.ReadDir(fresh); err == nil || len(entries) != 1 {
			t.Errorf("prepare.sh %q: error %v, %d files, want it refused and nothing written: %s",
				args, err, len(entries), out)
		}
	}
}

// A real Redis with the configuration and the users of production, the program on it, and a real Caddy in front.
func TestProductionAtWork(t *testing.T) {
	dir, key := prepared(t)
	secret := func(name string) string { return filepath.Join(dir, "secrets", "neuronward", name) }
	data := t.TempDir()
	_, port, _ := net.SplitHostPort(loopback.Free(t))
	redis := func() *exec.Cmd {
		cmd := exec.CommandContext(t.Context(), "redis-server", filepath.Join(dir, "redis.conf"), "--bind", "127.0.0.1",
			"--port", port, "--aclfile", filepath.Join(dir, "secrets", "redis", "users.acl"))
		cmd.Dir = data
		return started(t, cmd)
	}
	server := redis()
	ask := func(args ...string) string {
		out, err := exec.CommandContext(t.Context(), "redis-cli",
			append([]string{"-p", port, "--no-auth-warning"}, args...)...).CombinedOutput()
		if err != nil && !strings.Contains(string(out), "refused") {
			t.Fatalf("redis-cli %q: %v\n%s", args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	health := strings.Fields(regexp.MustCompile(`redis-cli (.*) \| grep -q PONG`).
		FindStringSubmatch(string(read(t, "deploy", "compose", "production", "compose.yml")))[1])
	eventually(t, "Redis answers its health check", func() bool { return ask(health...) == "PONG" })
	for who, refused := range map[string]string{
		"": "NOAUTH", "--user health --pass none": "NOPERM", "--user default --pass none": "WRONGPASS",
		"--user neuronward --pass none": "WRONGPASS",
	} {
		if got := ask(append(strings.Fields(who), "get", "x")...); !strings.Contains(got, refused) {
			t.Errorf("get as %q = %q, want %s", who, got, refused)
		}
	}

	app, admin := loopback.Free(t), loopback.Free(t)
	said := new(strings.Builder)
	t.Cleanup(func() { // once those who write it have ended
		if t.Failed() {
			t.Logf("the proxy said:\n%s", said)
		}
	})
	serve := func() *exec.Cmd {
		cmd := product(t, []string{
			"NEURONWARD_LISTEN=" + app, "NEURONWARD_ADMIN_LISTEN=" + admin,
			"NEURONWARD_STORE=redis://neuronward@127.0.0.1:" + port + "/0",
			"NEURONWARD_STORE_PASSWORD_FILE=" + secret("store-password"),
			"NEURONWARD_CLIENTS_FILE=" + secret("clients.yaml"),
		}, "demo")
		cmd.Stdout, cmd.Stderr = said, said
		started(t, cmd)
		eventually(t, "the proxy is ready", func() bool { return answers(t, "http://"+admin+"/readyz") })
		return cmd
	}
	end := func(cmd *exec.Cmd) {
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("the proxy ended with %v, want no error", err)
		}
	}
	proxy := serve()

	front := loopback.Free(t)
	caddyfile := strings.NewReplacer("{$DOMAIN}", "http://"+front, "neuronward:3036", app,
		"127.0.0.1:2015", loopback.Free(t)).Replace(string(read(t, "deploy", "compose", "production", "Caddyfile")))
	path := filepath.Join(t.TempDir(), "Caddyfile")
	if err := os.WriteFile(path, []byte(caddyfile), 0o600); err != nil {
		t.Fatal(err)
	}
	caddy := exec.CommandContext(t.Context(), "caddy", "run", "--config", path, "--adapter", "caddyfile")
	caddy.Env = []string{"HOME=" + t.TempDir()}
	started(t, caddy)
	eventually(t, "Caddy passes calls on", func() bool { return answers(t, "http://"+front+"/livez") })

	call := func() (status int, stream string) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+front+"/v1/chat/completions",
			strings.NewReader(`{"model": "@cf/meta/llama-3.1-8b-instruct-fp8", "stream": true,
				"messages": [{"role": "user", "content": "Hello"}]}`))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+key)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Errorf("the stream: error %v, want none", err)
		}
		return resp.StatusCode, string(text)
	}
	status, stream := 0, ""
	eventually(t, "Redis answers in time", func() bool { // on a busy machine it may be too late for a call
		status, stream = call()
		return !strings.Contains(stream, "store_unavailable")
	})
	if status != http.StatusOK || !strings.Contains(stream, "data: [DONE]") {
		t.Errorf("the stream: status %d, want 200 and data: [DONE] at its end:\n%s", status, stream)
	}

	// The count is in Redis, also after that was killed.
	used := func() string {
		status, _ := fetch(t, "http://"+admin+"/status")
		return regexp.MustCompile(`"used": [0-9.]+`).FindString(status)
	}
	eventually(t, "neurons are counted", func() bool { return used() != `"used": 0` && used() != "" })
	before := used()
	end(proxy)
	if err := server.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	server.Wait() //nolint:errcheck // it was killed
	redis()
	eventually(t, "Redis answers again", func() bool { return ask(health...) == "PONG" })
	proxy = serve()
	eventually(t, "the count is what it was, "+before, func() bool { return used() == before })
	end(proxy)
	warns := regexp.MustCompile(`level"?[:=]"?(WARN|ERROR)`)
	late := regexp.MustCompile("no answer within|the store is far away|store_unavailable") // on a busy machine
	for line := range strings.Lines(said.String()) {
		if warns.MatchString(line) && !late.MatchString(line) {
			t.Errorf("the proxy says %s, want it content with its user and its server", line)
		}
	}
}

// started starts a program that ends with the test.
func started(t *testing.T, cmd *exec.Cmd) *exec.Cmd {
	t.Helper()
	if err := cmd.Start(); err != nil {
		t.Fatalf("%s: %v; .ci/install installs it", cmd.Path, err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill() //nolint:errcheck // it may have ended
		cmd.Wait()         //nolint:errcheck // it may have been waited for
	})
	return cmd
}

// eventually waits until ok says so, however much else the machine has to do.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(time.Minute); !ok(); <-tick.C {
		if time.Now().After(end) {
			t.Fatalf("%s: not within a minute, want it sooner", what)
		}
	}
}
