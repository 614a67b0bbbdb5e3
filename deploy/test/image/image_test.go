package imagetest

import (
	"archive/tar"
	"bytes"
	"cmp"
	"debug/elf"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/neuronward/neuronward/deploy/test/loopback"
)

// nobody is the user that the image runs as.
const nobody = 65532

const home = "https://github.com/neuronward/neuronward"

func TestImage(t *testing.T) {
	s := newStorage(t)
	s.build(t)
	t.Run("holds a static binary, certificates and a directory of its user", func(t *testing.T) { testFiles(t, s) })
	t.Run("declares user, volume, health and what it was made from", func(t *testing.T) { testDeclared(t, s) })
	t.Run("tells its version, commit and date", func(t *testing.T) {
		if out, _ := s.run(t, nil, "version"); !strings.Contains(out,
			"neuronward v1.2.3-test\ncommit "+commit+"\ndate "+date+"\n") {
			t.Errorf("version = %q, want v1.2.3-test, the commit %s and %s", out, commit, date)
		}
	})
	t.Run("refuses a token that every neighbour could spend", func(t *testing.T) {
		out, status := s.run(t, []string{
			"CLOUDFLARE_ACCOUNT_ID=0123456789abcdef0123456789abcdef",
			"CLOUDFLARE_API_TOKEN=secret",
		})
		if status != 2 || !strings.Contains(out, "NEURONWARD_ALLOW_ANONYMOUS") {
			t.Errorf("exit status %d, want 2 and NEURONWARD_ALLOW_ANONYMOUS: %s", status, out)
		}
		if strings.Contains(out, "secret") {
			t.Errorf("output = %q, want it without the token", out)
		}
	})
	t.Run("healthcheck says what is wrong by its exit status", func(t *testing.T) {
		for want, environ := range map[int]string{
			1: "NEURONWARD_ADMIN_LISTEN=" + loopback.Free(t),
			2: "NEURONWARD_ADMIN_LISTEN=nowhere",
		} {
			if out, status := s.run(t, []string{environ}, "healthcheck"); status != want {
				t.Errorf("%s: exit status %d, want %d: %s", environ, status, want, out)
			}
		}
	})
	for name, user := range map[string]int{"answers": nobody, "answers as any user of group 0": 1000650000} {
		t.Run(name, func(t *testing.T) { testAnswers(t, s, user) })
	}
	t.Run("starts as the chart has it", func(t *testing.T) { testChart(t, s) })
}

func testFiles(t *testing.T, s *storage) {
	container := s.podman(t, "create", "--pull", "never", image)
	path := filepath.Join(t.TempDir(), "files.tar")
	s.podman(t, "export", "--output", path, container)
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()

	var all []string
	for archive := tar.NewReader(file); ; {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		switch h.Name {
		case "neuronward":
			static(t, archive)
		case "var/lib/neuronward/":
			if h.Uid != nobody || h.Gid != 0 || h.Mode&0o777 != 0o775 {
				t.Errorf("/var/lib/neuronward is %d:%d with mode %o, want %d:0 with 775", h.Uid, h.Gid, h.Mode, nobody)
			}
		}
		// The runtime adds empty directories and files to mount things on.
		if h.Typeflag == tar.TypeReg && h.Size > 0 || strings.HasPrefix(h.Name, "var/lib/neuronward/") {
			all = append(all, h.Name)
		}
	}
	slices.Sort(all)
	if want := []string{"etc/ssl/certs/ca-certificates.crt", "neuronward", "var/lib/neuronward/"}; !slices.Equal(all,
		want) {
		t.Errorf("the image holds %q, want %q", all, want)
	}
}

// static reports a binary that needs more than a kernel.
func static(t *testing.T, r io.Reader) {
	t.Helper()
	content, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	binary, err := elf.NewFile(bytes.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range binary.Progs {
		if p.Type == elf.PT_INTERP {
			t.Error("the binary wants a dynamic linker, which the image does not have")
		}
	}
}

func testDeclared(t *testing.T, s *storage) {
	var declared []struct {
		Config struct {
			User       string
			Env        []string
			Entrypoint []string
			Cmd        []string
			Volumes    map[string]struct{}
			Labels     map[string]string
		}
		Healthcheck struct{ Test []string }
	}
	if err := json.Unmarshal([]byte(s.podman(t, "image", "inspect", image)), &declared); err != nil {
		t.Fatal(err)
	}
	c := declared[0].Config
	if c.User != fmt.Sprintf("%d:%[1]d", nobody) {
		t.Errorf("user = %q, want %d:%[2]d", c.User, nobody)
	}
	if _, ok := c.Volumes["/var/lib/neuronward"]; !ok || len(c.Volumes) != 1 {
		t.Errorf("volumes = %v, want /var/lib/neuronward alone", c.Volumes)
	}
	for _, want := range []string{
		"NEURONWARD_LISTEN=:3036", "NEURONWARD_ADMIN_LISTEN=:3037",
		"XDG_STATE_HOME=/var/lib",
	} {
		if !slices.Contains(c.Env, want) {
			t.Errorf("environment = %q, want %s in it", c.Env, want)
		}
	}
	if !slices.Equal(c.Entrypoint, []string{"/neuronward"}) || len(c.Cmd) != 0 {
		t.Errorf("entrypoint = %q, command = %q, want /neuronward and none", c.Entrypoint, c.Cmd)
	}
	want := []string{"CMD", "/neuronward", "healthcheck"}
	if got := declared[0].Healthcheck.Test; !slices.Equal(got, want) {
		t.Errorf("health check = %q, want %q", got, want)
	}
	for label, want := range map[string]string{
		"title": "neuronward", "description": "A reverse proxy in front of Cloudflare Workers AI",
		"version": version, "revision": commit, "created": date, "licenses": "Apache-2.0",
		"url": home, "source": home, "documentation": home + "/blob/main/deploy/README.md",
	} {
		if got := c.Labels["org.opencontainers.image."+label]; got != want {
			t.Errorf("label %s is %q, want %q", label, got, want)
		}
	}
}

func testAnswers(t *testing.T, s *storage, user int) {
	_, app, _ := net.SplitHostPort(loopback.Free(t))
	_, admin, _ := net.SplitHostPort(loopback.Free(t))
	container := s.start(t, user, []string{
		"NEURONWARD_LISTEN=:" + app, "NEURONWARD_ADMIN_LISTEN=:" + admin,
		"NEURONWARD_STORE=file:/var/lib/neuronward/demo",
	}, "demo")
	until(t, "it is ready", func() bool {
		status, _ := call(t, http.MethodGet, "http://127.0.0.1:"+admin+"/readyz", "")
		return status == http.StatusOK
	})

	top := s.podman(t, "top", container, "user", "capeff", "capbnd")
	want := []string{strconv.Itoa(user), "none", "none"}
	if fields := strings.Fields(top); len(fields) < 3 || !slices.Equal(fields[len(fields)-3:], want) {
		t.Errorf("user and capabilities of the process = %q, want %q in the last row", fields, want)
	}

	// By a name, as from another container.
	body := `{"model": "@cf/meta/llama-3.1-8b-instruct-fp8", "messages": [{"role": "user", "content": "Hello"}]}`
	status, answer := call(t, http.MethodPost, "http://127.0.0.1:"+app+"/v1/chat/completions", body)
	if status != http.StatusOK || !strings.Contains(answer, `"role":"assistant"`) {
		t.Errorf("chat = %d %s, want 200 and a message of the assistant", status, answer)
	}
	s.podman(t, "exec", container, "/neuronward", "healthcheck")
	const model = "@cf/meta/llama-3.1-8b-instruct-fp8"
	if out := s.podman(t, "exec", container, "/neuronward", "usage", "--json"); !strings.Contains(out, model) {
		t.Errorf("usage = %s, want %s in it", out, model)
	}

	s.podman(t, "stop", "--time", "40", container)
	if status := s.podman(t, "inspect", "--format", "{{.State.ExitCode}}", container); status != "0" {
		t.Errorf("exit status after stop = %s, want 0", status)
	}
}

// call returns status 0 when nobody answers.
func call(t *testing.T, method, url, body string) (status int, answer string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Host = "demo"
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err.Error()
	}
	return resp.StatusCode, string(text)
}

// until waits until ok says so, however much else the machine has to do.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(time.Minute); !ok(); <-tick.C {
		if time.Now().After(end) {
			t.Fatalf("%s: not within a minute, want it sooner", what)
		}
	}
}

// output runs a command and returns what it printed, without the newline at the end, and its exit status.
func output(t *testing.T, cmd *exec.Cmd) (string, int) {
	t.Helper()
	var out, complaints bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaints
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		t.Fatalf("%s: %v; .ci/install installs it", cmd.Path, err)
	}
	said := strings.TrimSpace(out.String())
	if status := cmd.ProcessState.ExitCode(); status != 0 {
		return strings.TrimSpace(said + "\n" + complaints.String()), cmp.Or(status, -1)
	}
	return said, 0
}
