package main

import (
	"bytes"
	"flag"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The help of a command has a line for each of its flags, and names no others.
func TestHelpNamesAllFlags(t *testing.T) {
	mention := regexp.MustCompile(`(?m)(^  |)--([a-z][a-z-]*)`)
	for _, c := range commands() {
		described, flags := map[string]bool{}, map[string]bool{}
		flagsOf(c).VisitAll(func(f *flag.Flag) { flags[f.Name] = true })
		for _, m := range mention.FindAllStringSubmatch(output(t, c.name, "-h"), -1) {
			if name := m[2]; !flags[name] {
				t.Errorf("%s: got --%s in its help, want flags that it has", c.name, name)
			} else if m[1] != "" {
				described[name] = true
			}
		}
		if got, want := slices.Sorted(maps.Keys(described)), slices.Sorted(maps.Keys(flags)); !slices.Equal(got, want) {
			t.Errorf("%s: got lines for %v in its help, want %v", c.name, got, want)
		}
	}
}

// What bash offers, as it asks a script.
func TestCompletionInBash(t *testing.T) {
	script := filepath.Join(t.TempDir(), "neuronward")
	if err := os.WriteFile(script, []byte(output(t, "completion", "bash")), 0o600); err != nil {
		t.Fatal(err)
	}
	names := ""
	for _, c := range commands() {
		names += c.name + " "
	}
	for _, tt := range []struct{ line, want string }{
		{"", names + "help -h --version"},
		{"c", "check client completion"},
		{"--", "--version"},
		{"help ", names + "-h"},
		{"help us", "usage"},
		{"help usage ", "-h"},
		{"usage --", "--addr --csv --days --json --watch"},
		{"usage --days ", ""},
		{"usage --days 3 --j", "--json"},
		{"client ", "new rotate --json --keep -h"},
		{"client --json r", "rotate"},
		{"client new ", "--json --keep -h"},
		{"client new search-team --k", "--keep"},
		{"completion ", "bash zsh fish -h"},
		{"completion bash ", "-h"},
		{"plan --plan ", "free paid prepaid"},
		{"plan --plan = p", "paid prepaid"}, // bash splits --plan=p
		{"plan --plan =", "free paid prepaid"},
		{"plan --plan paid --plan ", "free paid prepaid"},
		{"plan --prompt-file ", "compopt -o default"},
		{"plan --prompt-file a --call", "--callers"},
		{"serve ", "-h"},
		{"frobnicate ", "-h"},
	} {
		words := append([]string{"neuronward"}, strings.Split(tt.line, " ")...)
		c := exec.Command("bash", append([]string{"--norc", "-c", `source "$0"; compopt() { echo compopt "$@"; }
			COMP_WORDS=("$@") COMP_CWORD=$(($#-1)); _neuronward; echo "${COMPREPLY[@]}"`, script}, words...)...)
		got, err := c.CombinedOutput()
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "neuronward "+tt.line, strings.TrimSpace(string(got)), tt.want)
	}
}

// The other shells are offered the same.
func TestCompletionInZshAndFish(t *testing.T) {
	zsh, fish := output(t, "completion", "zsh"), output(t, "completion", "fish")
	for _, c := range completions() {
		quoted := "'" + strings.ReplaceAll(c.Summary, "'", `'"'"'`) + "'"
		contains(t, "zsh", zsh, "\n      "+c.Name+":"+quoted+"\n")
		contains(t, "fish", fish, ` -a `+c.Name+" -d "+quoted+"\n")
		_, part, _ := strings.Cut(zsh, "\n  "+c.Name+")\n")
		part, _, _ = strings.Cut(part, "esac ;;")
		args := strings.Join(c.Args, " ")
		contains(t, "zsh "+c.Name, part, "args=("+args+")")
		if len(c.Args) > 0 {
			contains(t, "fish "+c.Name, fish, "'__neuronward_at "+c.Name+" "+args+"' -a '"+args+"'\n")
		}
		for _, f := range c.Flags {
			contains(t, "zsh "+c.Name, part, "--"+f.Name+" ")
			atZsh, atFish := "return ;;\n", " -x\n"
			switch {
			case f.Values != nil:
				values := strings.Join(f.Values, " ")
				atZsh, atFish = "compadd -- "+values+"; return ;;\n", " -x -a '"+values+"'\n"
			case f.File:
				atZsh, atFish = "_files; return ;;\n", " -r -F\n"
			case f.Switch:
				atZsh, atFish = "", "\n"
			}
			contains(t, "fish "+c.Name, fish, "'__neuronward_at "+c.Name+"' -l "+f.Name+atFish)
			if atZsh != "" {
				contains(t, "zsh "+c.Name, part, "--"+f.Name+") "+atZsh)
			}
		}
	}
}

func TestCompletionOfNoShell(t *testing.T) {
	for _, args := range [][]string{{"completion"}, {"completion", "csh"}} {
		var out, errs bytes.Buffer
		equal(t, "exit", run(t.Context(), args, nil, nil, &out, &errs), exitUsage)
		contains(t, "stderr", errs.String(), "name a shell: bash, zsh, fish. Try neuronward completion -h.")
	}
}

// output is what a command prints.
func output(t *testing.T, args ...string) string {
	t.Helper()
	var out, errs bytes.Buffer
	equal(t, strings.Join(args, " ")+": exit", run(t.Context(), args, nil, nil, &out, &errs), exitDone)
	equal(t, strings.Join(args, " ")+": stderr", errs.String(), "")
	return out.String()
}
