package proxy

import (
	"io"
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

// Trailers come when nobody can look at them any longer: none reaches the caller, announced or not.
func TestSuccessHasNoTrailers(t *testing.T) {
	for name, announced := range map[string]bool{"announced": true, "not announced": false} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				trailer := "X-Echo"
				if announced {
					w.Header().Set("Trailer", trailer)
				} else {
					trailer = http.TrailerPrefix + trailer
				}
				w.Header().Set("Content-Type", "application/json")
				_, _ = io.WriteString(w, chatAnswer)
				_ = http.NewResponseController(w).Flush() // in chunks, which trailers need
				w.Header().Set(trailer, r.Header.Get("Authorization"))
			}))
			res, body := b.do("POST", chatPath, chat)
			if res.StatusCode != http.StatusOK || string(body) != chatAnswer {
				t.Fatalf("got %d %s, want 200 %s", res.StatusCode, body, chatAnswer)
			}
			if len(res.Trailer) > 0 {
				t.Errorf("got the trailers %v, want none", res.Trailer)
			}
			wantEqual(t, "what announces them", res.Header.Get("Trailer"), "")
		})
	}
}
