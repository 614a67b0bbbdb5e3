package account

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/neuronward/neuronward/quota"
)

// A figure that Cloudflare does not give by model is logged once.
func TestAFigureWithoutModelsIsLoggedOnce(t *testing.T) {
	var log bytes.Buffer
	r := NewReconciler(ReconcilerOptions{Log: slog.New(slog.NewTextHandler(&log, nil))})
	r.logByModel(nil)
	r.logByModel(quota.ErrStore)
	for _, passes := range []Kind{RateLimited, Unavailable, Unreachable, Canceled} {
		r.logByModel(&Error{Kind: passes})
	}
	if got := log.String(); got != "" {
		t.Errorf("got log %s, want none", got)
	}
	for range 2 {
		r.logByModel(&Error{Kind: Garbled, Message: `unknown field "count"`})
	}
	if got := log.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, "cannot be read by model") {
		t.Errorf("got log\n%s\nwant one line, with %q", got, "cannot be read by model")
	}
}

func TestReportsOfAReading(t *testing.T) {
	forbidden := &Error{Kind: Forbidden}
	for _, c := range []struct {
		name string
		err  error
		want string // part of the text
	}{
		{"it works", nil, ""},
		{"the store fails", fmt.Errorf("%w: away", quota.ErrStore), "while the store fails"},
		{"it is lower than it was", fmt.Errorf("%w: 1 after 2", quota.ErrDropped), "does not count"},
		{"a permission is missing", forbidden, "cannot be read"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := reportOf(c.err)
			if !strings.Contains(got.text, c.want) || (got.text == "") != (c.err == nil) {
				t.Errorf("got text %q, want %q in it", got.text, c.want)
			}
			if want := KindOf(c.err); got.kind != want {
				t.Errorf("got kind %v, want %v", got.kind, want)
			}
		})
	}
}
