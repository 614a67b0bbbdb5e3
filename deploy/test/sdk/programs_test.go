package sdk

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/neuronward/neuronward/normalize"
)

// A program that has not ended by then hangs.
const maxWait = 5 * time.Minute

// programsAtOnce is small: they take seconds to start, and more of them stand in each other's way.
const programsAtOnce = 3

// A program is an end program that is asked one question without a terminal.
type program struct {
	command []string          // below node_modules; the question comes last
	files   map[string]string // its configuration, by path in its home: PROXY stands for its URL, MODEL for the model
	environ []string
	read    func(line []byte, s *sight) // one line of what it writes
}

// inProgram asks a program each errand's question, each in a home of its own.
func inProgram(p program) func(*testing.T, []errand) []sight {
	return func(t *testing.T, errands []errand) []sight {
		t.Helper()
		sights, places := make(chan sight, len(errands)), make(chan struct{}, programsAtOnce)
		for _, e := range errands {
			home := t.TempDir()
			go func() {
				places <- struct{}{}
				sights <- p.ask(t, home, e)
				<-places
			}()
		}
		var all []sight
		for range errands {
			all = append(all, <-sights)
		}
		return all
	}
}

func (p program) ask(t *testing.T, home string, e errand) sight {
	s := sight{Scenario: e.Scenario}
	for name, text := range p.files {
		path := filepath.Join(home, name)
		text = p.fill(text, e.URL)
		err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o600))
		if err != nil {
			t.Error(err)
			return s
		}
	}
	modules, err := filepath.Abs(filepath.Join("soak", "node_modules"))
	if err != nil {
		t.Error(err)
		return s
	}
	ctx, cancel := context.WithTimeout(t.Context(), maxWait)
	defer cancel()
	args := append(append([]string{}, p.command[1:]...), question)
	cmd := exec.CommandContext(ctx, filepath.Join(modules, p.command[0]), args...)
	cmd.Dir = home
	cmd.Env = append(cmd.Environ(), "HOME="+home, "XDG_CONFIG_HOME="+home, "XDG_DATA_HOME="+home+"/data",
		"XDG_CACHE_HOME="+home+"/cache", "XDG_STATE_HOME="+home+"/state")
	cmd.Env = append(cmd.Env, p.environ...)
	cmd.WaitDelay = 10 * time.Second
	var out, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &stderr
	began := time.Now()
	err = cmd.Run()
	s.Seconds = time.Since(began).Seconds()
	for line := range bytes.Lines(append(out.Bytes(), stderr.Bytes()...)) {
		p.read(bytes.TrimSpace(line), &s)
	}
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		t.Errorf("%s: %v has not ended after %v", e.Scenario, p.command, maxWait)
	case errors.As(err, &exit) && s.Class == "":
		s.Class, s.Message = "exit "+exit.String(), strings.TrimSpace(stderr.String())
	case err == nil && s.Class != "":
		t.Logf("%s: %v exits with 0 although it says %s", e.Scenario, p.command, s.Message)
	case err != nil && exit == nil:
		t.Error(err)
	}
	return s
}

// recipe shows the configuration to people.
func (p program) recipe() string {
	var b strings.Builder
	for name, text := range p.files {
		fmt.Fprintf(&b, "`%s`:\n\n```\n%s\n```", name, strings.TrimSpace(p.fill(text, "http://127.0.0.1:3036")))
	}
	return b.String()
}

func (p program) fill(text, url string) string {
	return strings.ReplaceAll(strings.ReplaceAll(text, "PROXY", url), "MODEL", model)
}

var codex = program{
	command: []string{".bin/codex", "exec", "--skip-git-repo-check", "--sandbox", "read-only", "--json"},
	environ: []string{"NEURONWARD_KEY=any-key"},
	files:   map[string]string{".codex/config.toml": codexConfig},
	read:    readCodex,
}

// codexOnce leaves all retries to the proxy.
var codexOnce = program{
	command: codex.command, environ: codex.environ, read: codex.read,
	files: map[string]string{".codex/config.toml": codexConfig + "request_max_retries = 0\nstream_max_retries = 0\n"},
}

const codexConfig = `
model = "MODEL"
model_provider = "neuronward"
[model_providers.neuronward]
name = "neuronward"
base_url = "PROXY/v1"
env_key = "NEURONWARD_KEY"
wire_api = "responses"
`

func readCodex(line []byte, s *sight) {
	var event struct {
		Type string `json:"type"`
		Item struct {
			Type string `json:"type"`
			Text string `json:"text"`
		} `json:"item"`
		Error struct {
			Message string `json:"message"`
		} `json:"error"`
	}
	if json.Unmarshal(line, &event) != nil {
		return
	}
	switch {
	case event.Item.Type == "agent_message":
		s.Text += event.Item.Text
	case event.Type == "turn.failed":
		s.Class, s.Message = event.Type, event.Error.Message
	}
}

var openCode = program{
	command: []string{"opencode-linux-x64-baseline/bin/opencode", "run", "--format", "json"},
	files: map[string]string{"opencode/opencode.json": `{
  "autoupdate": false, "share": "disabled", "agent": {"title": {"disable": true}},
  "provider": {"neuronward": {
    "npm": "@ai-sdk/openai-compatible",
    "options": {"baseURL": "PROXY/v1", "apiKey": "any-key"},
    "models": {"MODEL": {"limit": {"context": 32000, "output": 256}}}
  }},
  "model": "neuronward/MODEL", "small_model": "neuronward/MODEL"
}`},
	read: func(line []byte, s *sight) {
		var event struct {
			Type string `json:"type"`
			Part struct {
				Text string `json:"text"`
			} `json:"part"`
			Error struct {
				Name string `json:"name"`
				Data struct {
					Message      string `json:"message"`
					StatusCode   int    `json:"statusCode"`
					ResponseBody string `json:"responseBody"`
				} `json:"data"`
			} `json:"error"`
		}
		if json.Unmarshal(line, &event) != nil {
			return
		}
		switch event.Type {
		case "text":
			s.Text += event.Part.Text
		case "error":
			s.Class, s.Status, s.Message = event.Error.Name, event.Error.Data.StatusCode, event.Error.Data.Message
			if f, ok := normalize.Parse([]byte(event.Error.Data.ResponseBody)); ok {
				s.Code = f.Word()
			}
		}
	},
}

var continueCLI = program{
	command: []string{".bin/cn", "--config", "config.yaml", "-p"},
	environ: []string{"CONTINUE_TELEMETRY_ENABLED=0"},
	files: map[string]string{"config.yaml": `
name: neuronward
version: 1.0.0
schema: v1
models:
  - {name: neuronward, provider: openai, model: "MODEL", apiBase: PROXY/v1, apiKey: any-key, roles: [chat]}
`},
	read: func(line []byte, s *sight) {
		var failure struct {
			Status  string `json:"status"`
			Message string `json:"message"`
		}
		if json.Unmarshal(line, &failure) == nil && failure.Status == "error" {
			s.Class, s.Message = "status error", failure.Message
			return
		}
		if len(line) > 0 && line[0] != '{' {
			s.Text += string(line)
		}
	},
}
