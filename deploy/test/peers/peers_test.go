package main

import (
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestMain lets this binary be the peer, as the program is.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "stock" {
		if err := serveStock(os.Args[2:]); err != nil {
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// One short round of everything: each scenario has a figure of each proxy that is installed.
func TestOneRound(t *testing.T) {
	var out strings.Builder
	b := bench{
		out: &out, root: filepath.Join("..", "..", ".."), rounds: 1, time: 50 * time.Millisecond, idle: 5,
		peers: []string{"stock", "stock pooled", "neuronward"},
	}
	if err := b.run(t.Context()); err != nil {
		t.Fatalf("got %v, want every scenario measured; so far:\n%s", err, &out)
	}
	got := out.String()
	for _, s := range scenarios() {
		_, table, found := strings.Cut(got, "\n"+s.name+"\n")
		table, _, _ = strings.Cut(table, "\n\n")
		for _, peer := range b.peers {
			if !found || !strings.Contains(table, "\n  "+peer+" ") {
				t.Errorf("%s: got no figure of %s, want one, in:\n%s", s.name, peer, got)
			}
		}
	}
	if strings.Contains(got, "NaN") || strings.Contains(got, "Inf") {
		t.Errorf("got a figure that is no number, in:\n%s", got)
	}
}

// A short soak: callers of every shape, of whom some leave early, and a process that lives on.
func TestSoak(t *testing.T) {
	for _, upstream := range []string{"plain", "TLS"} {
		var out strings.Builder
		b := bench{out: &out, root: filepath.Join("..", "..", ".."), only: upstream}
		if err := b.soak(t.Context(), 3*time.Second, 20*time.Millisecond); err != nil {
			t.Fatalf("got %v, want a soak without failures of the process; so far:\n%s", err, &out)
		}
		if n := strings.Count(out.String(), "RSS"); n != soakReports {
			t.Errorf("got %d reports of memory, want %d, in:\n%s", n, soakReports, &out)
		}
	}
}

// With -before another binary of neuronward is measured with the settings of ours, last of all.
func TestBefore(t *testing.T) {
	upstream := &url.URL{Scheme: "http", Host: "upstream.invalid"}
	b := bench{binary: "/new", before: "/old"}
	var commands [][]string
	for _, k := range b.kinds() {
		if k.name != ours && k.name != "before" {
			continue
		}
		args, environ, err := k.command(&b, "127.0.0.1:1", upstream)
		if err != nil {
			t.Fatal(err)
		}
		commands = append(commands, append(args, environ...))
	}
	if len(commands) != 2 || commands[0][0] != "/new" || commands[1][0] != "/old" ||
		!slices.Equal(commands[0][1:], commands[1][1:]) {
		t.Errorf("got the commands %q, want those of /new and /old with the same settings", commands)
	}
	b.before = ""
	if kinds := b.kinds(); kinds[len(kinds)-1].name == "before" {
		t.Error("without -before there is a binary from before, want none")
	}
}
