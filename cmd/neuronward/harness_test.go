package main

import (
	"maps"
	"os"
)

const (
	hexAccount = "0123456789abcdef0123456789abcdef"
	fakeToken  = "fake-token-abcdefghijklmnopqrstuvwxyz012"
)

// environ is the least that serve needs, with changes.
func environ(pairs ...string) map[string]string {
	m := map[string]string{"CLOUDFLARE_ACCOUNT_ID": hexAccount, "XDG_STATE_HOME": os.TempDir()}
	maps.Copy(m, toMap(pairs))
	return m
}
