package workersai_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/neuronward/neuronward/proxy/workersai"
)

func TestReset(t *testing.T) {
	s := start(t, workersai.Options{})
	if a := s.post("/run/"+older, prompted, "x-simulate", "reset"); !errors.Is(a.err, syscall.ECONNRESET) {
		t.Errorf("got error %v, want %v", a.err, syscall.ECONNRESET)
	}
	if s.Calls() != 0 {
		t.Errorf("calls: got %d, want 0", s.Calls())
	}
}

func TestCutOfAnAnswerThatIsNoStream(t *testing.T) {
	s := start(t, workersai.Options{})
	for _, header := range []string{"midstream=cut", "midstream=half; after=0"} {
		a := s.post("/run/"+older, prompted, "x-simulate", header)
		if a.status != 200 || !errors.Is(a.err, io.ErrUnexpectedEOF) {
			t.Errorf("%s: got %d, error %v, want 200, %v", header, a.status, a.err, io.ErrUnexpectedEOF)
		}
		if want := `{"result":{"response":"This`; !strings.HasPrefix(a.body, want) {
			t.Errorf("%s: got body %s, want %s first", header, a.body, want)
		}
	}
	refused(t, s.post("/run/"+older, prompted, "x-simulate", "midstream=3040"), 400, 5006, `set "stream": true`)
}

func TestHangEnds(t *testing.T) {
	for _, header := range []string{"hang", "midstream=idle; after=2"} {
		t.Run(header, func(t *testing.T) {
			closing := make(chan struct{})
			sim := workersai.New(workersai.Options{Closing: closing})
			ended := make(chan any)
			hanging := make(chan struct{}, 16)
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				defer func() {
					got := recover()
					ended <- got
					if got != nil {
						panic(got)
					}
				}()
				hanging <- struct{}{}
				sim.ServeHTTP(w, r)
			}))
			defer server.Close()
			s := &service{sim, t, server.URL, server.URL + "/client/v4/accounts/acct/ai"}
			answers := make(chan answer, 1)
			go func() { answers <- s.post("/run/"+older, streamed, "x-simulate", header) }()
			<-hanging
			select {
			case got := <-ended:
				t.Fatalf("got an end before closing, with %v, want it to hang", got)
			default:
			}
			close(closing)
			if err, _ := (<-ended).(error); !errors.Is(err, http.ErrAbortHandler) {
				t.Errorf("it ended: got %v, want %v", err, http.ErrAbortHandler)
			}
			if a := <-answers; a.err == nil {
				t.Errorf("the caller: got a whole answer %+v, want one cut off", a)
			}
		})
	}
}

// What hangs ends when the caller leaves, and not before.
func TestHangEndsWithTheCaller(t *testing.T) {
	for _, header := range []string{"hang", "midstream=idle", "slow=2h"} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
			defer cancel()
			r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/client/v4/accounts/a/ai/run/"+older,
				strings.NewReader(streamed))
			r.Header.Set("x-simulate", header)
			began := time.Now()
			func() {
				defer func() {
					if err, _ := recover().(error); !errors.Is(err, http.ErrAbortHandler) && header != "slow=2h" {
						t.Errorf("%s: it ended: got %v, want %v", header, err, http.ErrAbortHandler)
					}
				}()
				workersai.New(workersai.Options{}).ServeHTTP(httptest.NewRecorder(), r)
			}()
			if took := time.Since(began); took != time.Hour {
				t.Errorf("%s: it ended after: got %v, want %v", header, took, time.Hour)
			}
		})
	}
}
