package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"

	"github.com/neuronward/neuronward/cmd/neuronward/config"
	"github.com/neuronward/neuronward/cmd/neuronward/jsonlog"
)

// Exit codes.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2 // a mistake in the command line or the configuration
)

func main() {
	// Only net/http writes to the default logger, and what it writes quotes answers.
	slog.SetDefault(slog.New(slog.DiscardHandler))
	os.Exit(run(context.Background(), os.Args[1:], os.Environ(), os.Stdin, os.Stdout, os.Stderr))
}

// A command is one word of the command line.
type command struct {
	name, summary string
	run           func(ctx context.Context, in *invocation) int
}

func commands() []command {
	return []command{
		{"serve", "run the proxy (also without a command)", serve},
		{"demo", "run the proxy in front of a simulated Workers AI: no account needed", demo},
		{"explain", "say what an error code or a pasted failure means", explain},
		{"check", "report all mistakes in the configuration, and what would not work", check},
		{"usage", "show today's neurons of a running proxy, and of the last days", usage},
		{"plan", "work out what a day of calls to a model comes to", plan},
		{"client", "make an API key for an app: client new NAME", client},
		{"healthcheck", "exit 0 when the proxy of this environment is ready", healthcheck},
		{"completion", "print completion for a shell: completion bash|zsh|fish", completion},
		{"version", "print version, commit and Go version", printVersion},
	}
}

// An invocation is what one command is given. Both writers redact.
type invocation struct {
	command        command
	args           []string // after the command
	environ        map[string]string
	stdin          io.Reader
	stdout, stderr io.Writer
	batch          *jsonlog.Batch // below stderr
	redactor       *config.Redactor
	terminal       bool // people read stderr as it is written
	screen         bool // people read stdout as it is written

	// inspect is given the flags in the place of parse, which then says that the command should not continue.
	inspect func(*flag.FlagSet)
}

// run does what the command line says and returns the exit code. ctx ends a command that would run on, as SIGTERM does.
func run(ctx context.Context, args, environ []string, stdin io.Reader, stdout, stderr io.Writer) int {
	red := new(config.Redactor)
	batch := jsonlog.NewBatch(stderr)
	defer batch.Flush() //nolint:errcheck // a panic leaves something to write
	out, errw := red.Writer(afterLog{stdout, batch}), red.Writer(batch)
	in := &invocation{
		environ: toMap(environ), stdin: stdin, stdout: out, stderr: errw, batch: batch, redactor: red,
		terminal: isTerminal(stderr), screen: isTerminal(stdout),
	}
	config.RedactEnvironment(in.environ, red)
	ctx, returned := context.WithCancel(ctx)
	defer returned()
	code := dispatch(ctx, args, in)
	if err := errors.Join(out.Flush(), errw.Flush(), batch.Flush()); err != nil && code == exitDone {
		return exitFailed
	}
	return code
}

// afterLog writes behind what was logged before: people may read both on one screen.
type afterLog struct {
	io.Writer
	log *jsonlog.Batch
}

func (w afterLog) Write(p []byte) (int, error) {
	_ = w.log.Flush() // a log that cannot be written is no reason not to print
	return w.Writer.Write(p)
}

func dispatch(ctx context.Context, args []string, in *invocation) int {
	name := "serve"
	if len(args) > 0 {
		name, args = args[0], args[1:]
	}
	if name == "help" && len(args) == 1 {
		name, args = args[0], []string{"-h"}
	}
	switch name {
	case "-h", "-help", "--help", "help":
		fmt.Fprint(in.stdout, overview())
		return exitDone
	case "-v", "-version", "--version":
		name = "version"
	}
	var known []string
	for _, c := range commands() {
		if c.name == name {
			in.command, in.args = c, args
			return c.run(ctx, in)
		}
		known = append(known, c.name)
	}
	fmt.Fprintf(in.stderr, "neuronward: there is no command %q; there are %s. Try neuronward -h.\n",
		name, strings.Join(known, ", "))
	return exitUsage
}

// toMap splits NAME=value lines. Where a name is set twice, the last value counts.
func toMap(environ []string) map[string]string {
	m := make(map[string]string, len(environ))
	for _, line := range environ {
		name, value, _ := strings.Cut(line, "=")
		m[name] = value
	}
	return m
}

// flags returns the command's flag set; parse reads it.
func (in *invocation) flags() *flag.FlagSet {
	fs := flag.NewFlagSet(in.command.name, flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	return fs
}

// parse reads flags and arguments in any order and returns the arguments, of which there may be maxArgs. It reports
// whether the command should continue; if not, code is what to exit with.
func (in *invocation) parse(fs *flag.FlagSet, help func() string, maxArgs int) (args []string, code int, ok bool) {
	if in.inspect != nil {
		in.inspect(fs)
		return nil, exitDone, false
	}
	rest := in.args
	for {
		if err := fs.Parse(rest); errors.Is(err, flag.ErrHelp) {
			fmt.Fprint(in.stdout, help())
			return nil, exitDone, false
		} else if err != nil {
			return nil, in.misused(err.Error()), false
		}
		rest = fs.Args()
		if len(rest) == 0 {
			break
		}
		args, rest = append(args, rest[0]), rest[1:]
	}
	if len(args) > maxArgs {
		return nil, in.misused(fmt.Sprintf("unexpected argument %q", args[maxArgs])), false
	}
	return args, exitDone, true
}

// misused reports a mistake in the command line.
func (in *invocation) misused(problem string) int {
	fmt.Fprintf(in.stderr, "neuronward %s: %s. Try neuronward %[1]s -h.\n", in.command.name, problem)
	return exitUsage
}

// mistakes reports what is wrong with the configuration, one line each.
func (in *invocation) mistakes(err error) int {
	fmt.Fprintf(in.stderr, "neuronward: mistakes in the configuration:\n%s\n", indent(err.Error()))
	return exitUsage
}

// fail reports why the command could not do its work.
func (in *invocation) fail(err error) int {
	for line := range strings.SplitSeq(err.Error(), "\n") {
		fmt.Fprintf(in.stderr, "neuronward: %s\n", line)
	}
	return exitFailed
}

func indent(text string) string { return "  " + strings.ReplaceAll(text, "\n", "\n  ") }
