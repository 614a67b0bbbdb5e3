package workersai_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/neuronward/neuronward/proxy/workersai"
	"github.com/neuronward/neuronward/quota"
)

const (
	older  = "@cf/meta/llama-3.1-8b-instruct-fp8" // 13778 in, 26128 out
	newer  = "@cf/qwen/qwen3-30b-a3b-fp8"         // 4625 in, 30475 out
	cached = "@cf/zai-org/glm-5.3-flash"          // 13636 in, 2727 cached, 45455 out; Workers Paid
	paid   = "@cf/moonshotai/kimi-k2.6"
)

// noon is the simulator's clock in tests that do not move it.
var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// service is a simulator behind a real server.
type service struct {
	*workersai.Simulator
	t    *testing.T
	root string // of the server
	ai   string // …/accounts/acct/ai
}

func start(t *testing.T, o workersai.Options) *service {
	t.Helper()
	if o.Now == nil {
		o.Now = func() time.Time { return noon }
	}
	sim := workersai.New(o)
	server := httptest.NewServer(sim)
	t.Cleanup(server.Close)
	return &service{sim, t, server.URL, server.URL + "/client/v4/accounts/acct/ai"}
}

// record keeps what a simulator tells of its calls.
type record struct {
	mu    sync.Mutex
	calls []workersai.Call
}

func (r *record) add(c workersai.Call) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls = append(r.calls, c)
}

func (r *record) all() []workersai.Call {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.calls)
}

// last returns the call that came last, the zero value if there was none.
func (r *record) last() workersai.Call {
	all := r.all()
	if len(all) == 0 {
		return workersai.Call{}
	}
	return all[len(all)-1]
}

// answer is what came back; err is why the body was cut off, if it did.
type answer struct {
	status int
	header http.Header
	body   string
	err    error
}

// do sends a request with headers as name, value, name, value.
func (s *service) do(method, url, body string, headers ...string) answer {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return answer{err: err}
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	return answer{res.StatusCode, res.Header, string(data), err}
}

func (s *service) post(path, body string, headers ...string) answer {
	s.t.Helper()
	return s.do(http.MethodPost, s.ai+path, body, headers...)
}

func (s *service) get(path string) answer {
	s.t.Helper()
	return s.do(http.MethodGet, s.ai+path, "")
}

// decode reads a JSON answer that must be 200.
func decode[T any](t *testing.T, a answer) T {
	t.Helper()
	var v T
	if a.err != nil {
		t.Fatalf("got %d, error %v, want no error\n%s", a.status, a.err, a.body)
	}
	wantHead(t, a, http.StatusOK, "application/json")
	if err := json.Unmarshal([]byte(a.body), &v); err != nil {
		t.Fatalf("got %v, want JSON of a %T\n%s", err, v, a.body)
	}
	return v
}

// v4 is the envelope of an answer.
type v4[T any] struct {
	Result  T    `json:"result"`
	Success bool `json:"success"`
	Errors  []struct {
		Code    int
		Message string
	} `json:"errors"`
	Info map[string]int `json:"result_info"`
}

type usage struct {
	Prompt     int64   `json:"prompt_tokens"`
	Completion int64   `json:"completion_tokens"`
	Total      int64   `json:"total_tokens"`
	Neurons    float64 `json:"neurons"`
	Details    struct {
		Cached int64 `json:"cached_tokens"`
	} `json:"prompt_tokens_details"`
}

// wantHead ends the test unless a has this status and this content type.
func wantHead(t *testing.T, a answer, status int, kind string) {
	t.Helper()
	if got := a.header.Get("Content-Type"); a.status != status || got != kind {
		t.Fatalf("got %d, Content-Type %q, want %d, %q\n%s", a.status, got, status, kind, a.body)
	}
}

// wantCounts checks what the simulator has counted.
func (s *service) wantCounts(calls, requests int64, billed quota.Neurons) {
	s.t.Helper()
	if s.Calls() != calls || s.Requests() != requests {
		s.t.Errorf("got %d calls, %d requests, want %d, %d", s.Calls(), s.Requests(), calls, requests)
	}
	if s.Billed() != billed {
		s.t.Errorf("got %v billed, want %v", s.Billed(), billed)
	}
}

// wantCharge checks the headers of a call that was charged: neurons is none where they are not known yet.
func wantCharge(t *testing.T, a answer, neurons string) {
	t.Helper()
	if got := a.header.Get("cf-ai-neurons"); got != neurons {
		t.Errorf("got cf-ai-neurons %q, want %q", got, neurons)
	}
	if got := a.header.Get("cf-ai-req-id"); got == "" {
		t.Errorf("got cf-ai-req-id %q, want some", got)
	}
}

// refused checks that a is a v4 failure.
func refused(t *testing.T, a answer, status, code int, says string) {
	t.Helper()
	var v v4[json.RawMessage]
	if err := json.Unmarshal([]byte(a.body), &v); err != nil {
		t.Fatalf("got %d, %v, want %d with JSON\n%s", a.status, err, status, a.body)
	}
	if a.status != status || v.Success {
		t.Errorf("got %d, success %t, want %d, false\n%s", a.status, v.Success, status, a.body)
	}
	if len(v.Errors) == 0 {
		t.Fatalf("got no errors, want %d with %q\n%s", code, says, a.body)
	}
	if first := v.Errors[0]; first.Code != code || !strings.Contains(first.Message, says) {
		t.Errorf("got the error %+v, want %d with %q\n%s", first, code, says, a.body)
	}
}
