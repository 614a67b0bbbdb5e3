package simtest

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// Call calls sim, which must take the call, and returns its answer. path follows /ai/; header is names and values in
// turn.
func Call(t testing.TB, sim http.Handler, path, body string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/client/v4/accounts/a/ai/"+path,
		strings.NewReader(body))
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	sim.ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		t.Fatalf("%s %s: status %d, want 200: %s", path, body, w.Code, w.Body)
	}
	return w
}
