package main

import (
	"maps"
	"os"
	"strings"
	"testing"
	"time"
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

// equal fails the test if got is not want.
func equal[T comparable](t testing.TB, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// contains fails the test if got has no want in it.
func contains(t testing.TB, what, got, want string) {
	t.Helper()
	if !strings.Contains(got, want) {
		t.Errorf("%s: got\n%s\nwant %q in it", what, got, want)
	}
}

// lacks fails the test if got has text in it.
func lacks(t testing.TB, what, got, text string) {
	t.Helper()
	if strings.Contains(got, text) {
		t.Errorf("%s: got\n%s\nwant no %q in it", what, got, text)
	}
}

// isAnswer fails the test if an answer has another status than want, or lacks one of texts in its body.
func isAnswer(t testing.TB, what string, status int, body string, want int, texts ...string) {
	t.Helper()
	if status != want {
		t.Errorf("%s: got %d %s, want %d", what, status, body, want)
	}
	for _, text := range texts {
		contains(t, what, body, text)
	}
}

// pause is between two looks at a process, which has other work to do.
func pause() { <-time.After(10 * time.Millisecond) }

// ends fails the test if the process does not end with the exit code want.
func (p *process) ends(want int) {
	p.t.Helper()
	equal(p.t, "exit", p.exit(), want)
}
