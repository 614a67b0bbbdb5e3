package manifeststest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
)

// top is the top of the repository.
var top = filepath.Join("..", "..", "..")

// binary builds the product once, and returns its path.
var binary = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "neuronward")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "neuronward")
	cmd := exec.CommandContext(context.Background(), "go", "build", "-o", path, "./cmd/neuronward")
	cmd.Dir = top
	if out, err := cmd.CombinedOutput(); err != nil {
		return path, fmt.Errorf("go build: %w\n%s", err, out)
	}
	return path, nil
})

func TestMain(m *testing.M) {
	log.SetOutput(io.Discard) // Helm tells of each link that it follows
	status := m.Run()
	if path, _ := binary(); path != "" {
		os.RemoveAll(filepath.Dir(path)) //nolint:errcheck // nothing depends on it
	}
	os.Exit(status)
}

// product returns the command that runs the product with these variables and no others.
func product(t *testing.T, environ []string, args ...string) *exec.Cmd {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), path, args...)
	cmd.Env = append([]string{}, environ...)
	return cmd
}

// say runs the product to its end.
func say(t *testing.T, environ []string, args ...string) (out string, status int) {
	t.Helper()
	text, err := product(t, environ, args...).CombinedOutput()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return string(text), exit.ExitCode()
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(text), 0
}

// variables are the names that the product knows, by its own help, and their defaults.
func variables(t *testing.T) map[string]string {
	t.Helper()
	help, _ := say(t, nil, "serve", "-h")
	known := make(map[string]string)
	entries := regexp.MustCompile(`(?m)^  ([A-Z][A-Z0-9_]+)(, …_FILE)?\n((?:      .*\n)+)`)
	for _, entry := range entries.FindAllStringSubmatch(help, -1) {
		known[entry[1]] = ""
		if said := regexp.MustCompile(`\(([^()]*)\)\s*$`).FindStringSubmatch(entry[3]); said != nil {
			known[entry[1]] = strings.Join(strings.Fields(said[1]), " ")
		}
		if entry[2] != "" {
			known[entry[1]+"_FILE"] = ""
		}
	}
	for _, name := range []string{"CLOUDFLARE_ACCOUNT_ID", "CLOUDFLARE_API_TOKEN_FILE", "NEURONWARD_STORE"} {
		if _, ok := known[name]; !ok {
			t.Fatalf("the help of serve, want %s in it:\n%s", name, help)
		}
	}
	return known
}

// wantVariables reports names that the product does not know. What the image needs beyond its own is allowed.
func wantVariables(t *testing.T, where string, names ...string) {
	t.Helper()
	known := variables(t)
	for _, name := range names {
		if _, ok := known[name]; !ok && !slices.Contains([]string{"XDG_STATE_HOME", "SSL_CERT_DIR"}, name) {
			t.Errorf("%s sets %s, want a name that the product knows", where, name)
		}
	}
}
