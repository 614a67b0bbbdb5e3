package main

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

// A request that is not valid HTTP is counted as the callers' failure that it is, and shown among the refusals.
func TestProcessCountsBrokenHTTP(t *testing.T) {
	p := start(t, costly(t))
	_, at, _ := strings.Cut(p.app, "://")
	conn, err := net.Dial("tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "hello\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "status", res.StatusCode, http.StatusBadRequest)
	equal(t, "counted", p.series(
		`neuronward_errors_total{code="5006",fault="caller",name="bad_input",origin="guard"}`), "1")
	refusals := p.status().Refusals
	if len(refusals) != 1 {
		t.Fatalf("refusals: got %d, want 1", len(refusals))
	}
	equal(t, "name", refusals[0].Name, "bad_input")
	equal(t, "request id", refusals[0].RequestID, res.Header.Get("X-Request-Id"))
}
