package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"
)

// version, commit and date are set by the linker: -ldflags "-X main.version=v1.2.3". Nothing else writes them. Commit
// and date are set only where there is no .git to read them from, as where the image is built.
var version, commit, date string

func versionHelp() string {
	return `Prints the version, the commit and its date, and the version of Go.

Usage:

  neuronward version [--json]

  --json   one JSON object: version, commit, date, go
`
}

// A build is what is known about how this binary was made.
type build struct {
	Version string `json:"version"` // "dev" when nobody said
	Commit  string `json:"commit"`  // with "-dirty" when the tree had changes; "unknown" outside git
	Date    string `json:"date"`    // of the commit; "unknown" with it
	Go      string `json:"go"`
}

// thisBuild reads what the linker and the Go command wrote into the binary.
func thisBuild() build {
	b := build{Version: version, Commit: commit, Date: date, Go: runtime.Version()}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = new(debug.BuildInfo)
	}
	if b.Version == "" && info.Main.Version != "(devel)" {
		b.Version = info.Main.Version // go install …@v1.2.3
	}
	if b.Version == "" {
		b.Version = "dev"
	}
	dirty := ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			b.Commit = s.Value
		case s.Key == "vcs.time":
			b.Date = s.Value
		case s.Key == "vcs.modified" && s.Value == "true":
			dirty = "-dirty"
		}
	}
	b.Commit, b.Date = cmp.Or(b.Commit, "unknown"), cmp.Or(b.Date, "unknown")
	b.Commit += dirty
	return b
}

func printVersion(_ context.Context, in *invocation) int {
	fs := in.flags()
	asJSON := fs.Bool("json", false, "")
	if _, code, ok := in.parse(fs, versionHelp, 0); !ok {
		return code
	}
	b := thisBuild()
	if *asJSON {
		return in.printJSON(b)
	}
	fmt.Fprintf(in.stdout, "neuronward %s\ncommit %s\ndate %s\n%s %s/%s\n",
		b.Version, b.Commit, b.Date, b.Go, runtime.GOOS, runtime.GOARCH)
	return exitDone
}

// printJSON writes v to stdout as indented JSON.
func (in *invocation) printJSON(v any) int {
	enc := json.NewEncoder(in.stdout)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		return in.fail(err)
	}
	return exitDone
}
