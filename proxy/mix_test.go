package proxy

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// Many callers at once, each with words of its own, some of whom leave or are
// answered before they have said all: whatever one says is in its own call
// upstream, and in its own answer, alone. Buffers and connections are shared.
func TestNobodyGetsWhatIsAnothers(t *testing.T) {
	const callers, calls = 24, 40
	var whole, left atomic.Int64
	b := newBench(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := r.Header.Get("X-Request-Id")
		kind := r.Header.Get("X-Kind")
		if kind != "early" {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				return // its caller has left
			}
			if !own(body, id) {
				t.Errorf("got upstream %.100q, want nothing but the words of %s", body, id)
			}
		}
		answer(w, kind, id)
	}))
	var all sync.WaitGroup
	for caller := range callers {
		all.Go(func() {
			rng := rand.New(rand.NewPCG(1, uint64(caller)))
			client := &http.Client{Transport: &http.Transport{}}
			defer client.CloseIdleConnections()
			for call := range calls {
				id := fmt.Sprintf("%s%02d.%03d", marked, caller, call)
				kind := []string{"json", "stream", "refused", "early", "audio"}[rng.IntN(5)]
				ctx, cancel := context.WithCancel(t.Context())
				body := said(kind, id, 1+rng.IntN(6000))
				r, err := http.NewRequestWithContext(ctx, http.MethodPost, b.url+"/run/"+modelOf(kind),
					bytes.NewReader(body))
				if err != nil {
					t.Error(err)
				}
				r.Header.Set("X-Request-Id", id)
				r.Header.Set("X-Kind", kind)
				leaves := rng.IntN(4) == 0
				if leaves {
					r.Body = io.NopCloser(&leaving{r: bytes.NewReader(body), after: rng.IntN(len(body)), leave: cancel})
				}
				res, err := client.Do(r)
				if err == nil {
					var got []byte
					limit := int64(1 << 20)
					if rng.IntN(8) == 0 {
						limit = rng.Int64N(2000) // it leaves within the answer
						leaves = true
					}
					got, err = io.ReadAll(io.LimitReader(res.Body, limit))
					if wrong := judge(res, kind, id, got, err == nil && !leaves); wrong != "" {
						t.Errorf("%s, %s: got %d %.100q: %s; want its own answer alone", id, kind, res.StatusCode, got,
							wrong)
					}
					cancel()
					res.Body.Close()
				}
				cancel()
				switch {
				case leaves:
					left.Add(1)
				case err != nil:
					t.Errorf("%s, %s: got the error %v, want none", id, kind, err)
				default:
					whole.Add(1)
				}
			}
		})
	}
	all.Wait()
	if whole.Load() < callers*calls/2 || left.Load() < callers*calls/8 {
		t.Errorf("got %d calls answered whole and %d cut off, want at least %d and %d", whole.Load(), left.Load(),
			callers*calls/2, callers*calls/8)
	}
}

// marked is how the ids of these callers begin, and nothing else does.
const marked = "id-"

// said is what the caller of an id says: a body of n times its id.
func said(kind, id string, n int) []byte {
	text := strings.Repeat(id, n)
	if kind == "audio" {
		return []byte("RIFF" + text)
	}
	return fmt.Appendf(nil, `{"stream":%t,"prompt":"%s"}`, kind == "stream", text)
}

// own reports whether a body says the words of id alone.
func own(body []byte, id string) bool {
	rest := strings.ReplaceAll(string(body), id, "")
	return rest == "RIFF" || rest == `{"stream":false,"prompt":""}` || rest == `{"stream":true,"prompt":""}`
}

// answer gives the caller of an id its words back.
func answer(w http.ResponseWriter, kind, id string) {
	w.Header().Set("X-Echo", id)
	w.Header().Set("Content-Type", "application/json")
	text := strings.Repeat(id, 4000)
	switch kind {
	case "stream":
		w.Header().Set("Content-Type", "text/event-stream")
		for range 200 {
			_, _ = fmt.Fprintf(w, "data: {\"response\":%q}\n\n", id)
		}
		_, _ = io.WriteString(w,
			"data: {\"response\":\"\",\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":1,\"total_tokens\":2}}\n"+
				"\ndata: [DONE]\n\n")
	case "refused":
		w.WriteHeader(http.StatusBadRequest)
		_, _ = fmt.Fprintf(w, `{"errors":[{"code":5006,"message":"AiError: Bad input: %s"}],"success":false}`, id)
	default:
		_, _ = fmt.Fprintf(w, `{"result":{"response":%q},"success":true}`, text)
	}
}

// judge says what is wrong with an answer to the caller of an id.
func judge(res *http.Response, kind, id string, got []byte, whole bool) string {
	if res.Header.Get("X-Request-Id") != id {
		return "another's id " + res.Header.Get("X-Request-Id")
	}
	if res.StatusCode == http.StatusOK && res.Header.Get("X-Echo") != id {
		return "another's headers"
	}
	rest := strings.ReplaceAll(string(got), id, "")
	if i := strings.LastIndex(rest, marked); i >= 0 && strings.HasPrefix(id, rest[i:]) {
		rest = rest[:i] // where it was cut
	}
	if strings.Contains(rest, marked) {
		return "another's words"
	}
	if !whole {
		return ""
	}
	switch {
	case kind == "refused":
		var e envelope
		if err := json.Unmarshal(got, &e); err != nil || e.RequestID != id || !strings.Contains(e.Error.Message, id) {
			return "no envelope of its own"
		}
	case res.StatusCode != http.StatusOK:
		return "refused"
	case kind == "stream" && !strings.HasSuffix(rest, "data: [DONE]\n\n") || strings.Count(string(got), id) < 200:
		return "not whole"
	}
	return ""
}

// leaving is a body within which its caller leaves.
type leaving struct {
	r     io.Reader
	after int
	leave func()
}

func (l *leaving) Read(p []byte) (int, error) {
	if l.after <= 0 {
		l.leave()
		return 0, errors.New("the caller leaves")
	}
	n, err := l.r.Read(p[:min(len(p), l.after)])
	l.after -= n
	return n, err
}

// modelOf is a model that takes a call of that kind.
func modelOf(kind string) string {
	if kind == "audio" {
		return testSpeechModel
	}
	return testModel
}
