package main

import (
	"bytes"
	"crypto/tls"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/neuronward/neuronward/proxy/workersai"
)

// TestMain makes the test binary the commands that the scripts and the process tests run: neuronward itself, and as
// much of curl as the calls need that demo prints.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"neuronward": main, "curl": curl})
}

// plainBinary builds neuronward as it is built for use, without the race detector, once for all tests that measure it.
// It is beside the commands, which testscript removes at the end.
var plainBinary = sync.OnceValues(func() (path string, err error) {
	command, err := exec.LookPath("neuronward")
	if err != nil {
		return "", err
	}
	path = filepath.Join(filepath.Dir(command), "neuronward-plain")
	if out, err := exec.Command("go", "build", "-buildvcs=false", "-o", path, ".").CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return path, nil
})

// quickExit spares each run of a binary with the race detector in it a second at the end.
const quickExit = "GORACE=atexit_sleep_ms=0"

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		UpdateScripts:       os.Getenv("UPDATE_SCRIPTS") != "",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(e *testscript.Env) error {
			simulator := httptest.NewServer(workersai.New(workersai.Options{Account: hexAccount, Token: fakeToken}))
			e.Defer(simulator.Close)
			e.Vars = append(e.Vars, quickExit, "XDG_STATE_HOME="+e.WorkDir+"/state",
				"SIMULATOR="+simulator.URL+"/client/v4")
			return nil
		},
	})
}

// curl does -s, -N, -i, -k, -H and -d.
func curl() {
	if err := transfer(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "curl:", err)
		os.Exit(1)
	}
}

func transfer(args []string, out io.Writer) error {
	header := http.Header{}
	var data, url string
	var include, insecure bool
	for len(args) > 0 {
		arg := args[0]
		args = args[1:]
		switch {
		case arg == "-H" && len(args) > 0:
			name, value, _ := strings.Cut(args[0], ":")
			header.Set(name, strings.TrimSpace(value))
			args = args[1:]
		case arg == "-d" && len(args) > 0:
			// As curl does without a Content-Type: it claims to send a form.
			data, args = strings.ReplaceAll(args[0], "\n", ""), args[1:]
			header.Set("Content-Type", "application/x-www-form-urlencoded")
		case strings.HasPrefix(arg, "-") && strings.Trim(arg, "-siNk") == "":
			include, insecure = include || strings.Contains(arg, "i"), insecure || strings.Contains(arg, "k")
		case !strings.HasPrefix(arg, "-") && url == "":
			url = arg
		default:
			return fmt.Errorf("%w: %s", flag.ErrHelp, arg)
		}
	}
	method := http.MethodGet
	if data != "" {
		method = http.MethodPost
	}
	r, err := http.NewRequest(method, url, strings.NewReader(data))
	if err != nil {
		return err
	}
	r.Header = header
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: insecure}}}
	resp, err := client.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var head bytes.Buffer
	if include {
		fmt.Fprintf(&head, "%s %s\r\n", resp.Proto, resp.Status)
		if err := resp.Header.Write(&head); err != nil {
			return err
		}
		head.WriteString("\r\n")
	}
	_, err = io.Copy(out, io.MultiReader(&head, resp.Body))
	return err
}
