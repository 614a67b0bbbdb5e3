package proxy

import (
	"net/http"
	"testing"
)

// A header of a successful answer that shows a credential does not reach the caller, be it ours or the caller's own.
func TestSuccessShowsNoCredential(t *testing.T) {
	for _, own := range []bool{true, false} {
		options := []func(*Config){}
		caller := []string{"Authorization", "Bearer callers-own-token"}
		if !own {
			options = append(options, withoutToken)
		}
		b := newBench(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Echo", r.Header.Get("Authorization"))
			w.Header().Set("X-Echo-Own", "callers-own-token")
			w.Header().Set("X-Kept", "kept")
			answerJSON(200, chatAnswer)(w, r)
		}), options...)
		res, body := b.do("POST", chatPath, chat, caller...)
		if res.StatusCode != http.StatusOK {
			t.Fatalf("got %d %s, want 200", res.StatusCode, body)
		}
		for name, want := range map[string]string{"X-Echo": "", "X-Echo-Own": "", "X-Kept": "kept"} {
			if got := res.Header.Get(name); got != want {
				t.Errorf("with our token %t: got %s %q, want %q", own, name, got, want)
			}
		}
	}
}
