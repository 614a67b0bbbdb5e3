package main

import (
	"os"
	"path/filepath"
	"regexp"
	"syscall"
	"testing"
)

const (
	oneClient = "clients:\n  - {name: a, key_sha256: " +
		"47aa206af77b4b183f7ee7b3250d64b8a243759be47ce143179ac6d32395e669}\n"
	noClient = "clients: []\n"
)

// A running proxy follows its clients file, keeps the last good one, and shows which it is in the log and the gauges.
func TestProcessFollowsTheClientsFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "clients.yaml")
	put := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	put(oneClient)
	p := start(t, []string{"CLOUDFLARE_ACCOUNT_ID=" + hexAccount, "NEURONWARD_CLIENTS_FILE=" + path})
	loaded, loadedAt := "", regexp.MustCompile(`(?m)^neuronward_clients_reload_timestamp_seconds ([0-9.e+]+)$`)
	want := func(success string, changed bool) {
		t.Helper()
		_, body := p.get(p.admin + "/metrics")
		contains(t, "metrics", body, "\nneuronward_clients_reload_success "+success+"\n")
		m := loadedAt.FindStringSubmatch(body)
		if m == nil || (m[1] != loaded) != changed {
			t.Errorf("loaded at %v, before that at %s; want a change: %t", m, loaded, changed)
		}
		if m != nil {
			loaded = m[1]
		}
	}
	want("1", true)
	lacks(t, "the log of a file of hashes, which is no secret", p.log.String(), "can be read by others")

	put("clients: 1\n")
	line := p.await("the clients file is refused")
	contains(t, "reason", line["reason"].(string), path+":1: clients: is not a list")
	want("0", false)
	put(noClient)
	if line := p.await("the clients file is in use as it is now"); line["clients"] != 0.0 {
		t.Errorf("got %v, want 0 clients", line)
	}
	want("1", true)
	if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	p.await("the clients file is in use as it is now") // unchanged, and logged once more
	want("1", true)
	_, status := p.get(p.admin + "/status")
	contains(t, "the settings in /status", status, path+", 0 clients")
	p.signal()
	equal(t, "exit", p.exit(), exitDone)
}
