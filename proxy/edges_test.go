package proxy

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/neuronward/neuronward/normalize"
	"github.com/neuronward/neuronward/proxy/timelimit"
)

func TestUpgradeThatIsNoWebSocketIsLeftUnheard(t *testing.T) {
	var got http.Header
	b := newBench(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r.Header
		answerJSON(200, chatAnswer)(w, r)
	}))
	res, _ := b.do("POST", chatPath, chat, "Connection", "Upgrade, HTTP2-Settings", "Upgrade", "h2c", "Http2-Settings",
		"AAMAAABkAAQAAP__")
	wantEqual(t, "status", res.StatusCode, 200)
	wantEqual(t, "Upgrade upstream", got.Get("Upgrade"), "")
	wantEqual(t, "Http2-Settings upstream", got.Get("Http2-Settings"), "")
}

func TestNoCORSAnswerIsPassedOn(t *testing.T) {
	b := newBench(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Access-Control-Allow-Origin", "*")
		answerJSON(200, chatAnswer)(w, r)
	}))
	if res, _ := b.do("POST", chatPath, chat); res.StatusCode != 200 ||
		res.Header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("got %d, Access-Control-Allow-Origin %q, want 200, none", res.StatusCode,
			res.Header.Get("Access-Control-Allow-Origin"))
	}
}

func TestConditionalCallsAreAskedWhole(t *testing.T) {
	b := newBench(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("If-None-Match")+r.Header.Get("Range") != "" {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		answerJSON(200, `{"result":[],"success":true}`)(w, r)
	}))
	if res, body := b.do("GET", "/ai/models/search", "", "If-None-Match", `"x"`, "Range",
		"bytes=0-1"); res.StatusCode != 200 {
		t.Errorf("got %d %s, want 200", res.StatusCode, body)
	}
}

func TestNoContentPasses(t *testing.T) {
	b := newBench(t, http.HandlerFunc(func(w http.ResponseWriter,
		_ *http.Request,
	) {
		w.WriteHeader(http.StatusNoContent)
	}))
	if res, body := b.do("POST", "/run/"+testModel, `{"prompt":"x"}`); res.StatusCode != 204 || len(body) > 0 {
		t.Errorf("got %d %q, want 204 and no body", res.StatusCode, body)
	}
}

func TestCompressedFailureInsideASuccess(t *testing.T) {
	pack := func(s string) []byte {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		_, _ = io.WriteString(w, s)
		_ = w.Close()
		return b.Bytes()
	}
	for body, status := range map[string]int{
		`{"success":false,"errors":[{"code":5007,"message":"No such model x or task"}]}`: 400,
		chatAnswer: 200,
	} {
		b := newBench(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write(pack(body))
		}))
		res, got := b.do("POST", chatPath, chat, "Accept-Encoding", "gzip")
		if res.StatusCode != status || status == 200 && !bytes.Equal(got, pack(body)) {
			t.Errorf("got %d %q, want %d, and %q if that is 200", res.StatusCode, got, status, pack(body))
		}
	}
}

func TestLargestBodyFitsWhenAllThatMayBeHeldIsOne(t *testing.T) {
	b := newBench(t, answerJSON(200, chatAnswer), func(c *Config) { c.MaxBody, c.MaxHeld = 64<<10, 64<<10 })
	body := `{"prompt":"` + strings.Repeat("x", 64<<10-13) + `"}`
	for range 3 { // and what is held is given back
		if res, answer := b.do("POST", "/run/"+testModel, body); res.StatusCode != 200 {
			t.Errorf("got %d %s, want 200", res.StatusCode, answer)
		}
	}
	b = newBench(t, answerJSON(200, chatAnswer), func(c *Config) { c.MaxBody, c.MaxHeld = 1<<10, 1<<10 })
	if res, answer := b.do("POST", "/run/"+testModel, `{"prompt":"x"}`); res.StatusCode != 200 {
		t.Errorf("limits below a pooled buffer: got %d %s, want 200", res.StatusCode, answer)
	}
}

func TestBrokenUploadIsTheCallers(t *testing.T) {
	b := newBench(t, answerJSON(200, chatAnswer))
	res, body := b.raw("POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n" +
		"zz\r\n")
	e := b.envelope(body).Error
	wantEqual(t, "status", res.StatusCode, 400)
	wantEqual(t, "name", e.Name, "incomplete_request")
	wantEqual(t, "origin", e.Origin, "guard")
}

// silent is a transport whose answers have a body that never ends.
type silent struct {
	status int
	kind   string
	body   string
}

func (s silent) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{
		StatusCode: s.status, Header: http.Header{"Content-Type": {s.kind}}, ContentLength: -1, Request: r,
		Body: io.NopCloser(io.MultiReader(strings.NewReader(s.body), waiting{r.Context()})),
	}, nil
}

type waiting struct{ ctx context.Context }

func (w waiting) Read([]byte) (int, error) {
	<-w.ctx.Done()
	return 0, context.Cause(w.ctx)
}

// In virtual time: each kind of silence ends when its own limit is over, not
// before and not later.
func TestSilences(t *testing.T) {
	for _, c := range []struct {
		name   string
		answer silent
		after  time.Duration
		status int
		slug   string
	}{
		{
			"a failure that never ends is judged by what came",
			silent{
				429, "application/json",
				`{"errors":[{"code":3040,"message":"x"}],"success":false}`,
			},
			failureLimit, 429, "out_of_capacity",
		},
		{"JSON that never ends", silent{200, "application/json", `{"result":`}, 6 * time.Minute, 408, "timeout"},
		{"a stream without an event", silent{200, "text/event-stream", ": ping\n\n"}, 6 * time.Minute, 408, "timeout"},
		{
			"a stream that falls silent, and lingers",
			silent{200, "text/event-stream", ordinary},
			2*time.Minute + testConfig(io.Discard).Linger, 200, "timeout",
		},
		{"an image that falls silent", silent{200, "image/png", "\x89PNG"}, 2 * time.Minute, 200, "timeout"},
	} {
		t.Run(c.name, func(t *testing.T) {
			virtually(t, func(t *testing.T) {
				p, log := quietProxy(t, c.answer)
				w := httptest.NewRecorder()
				began := time.Now()
				p.ServeHTTP(w, httptest.NewRequest("POST", "http://localhost/run/"+testModel,
					strings.NewReader(`{"prompt":"x"}`)))
				if took := time.Since(began); took != c.after {
					t.Errorf("got an end after %v, want %v", took, c.after)
				}
				if w.Code != c.status || !strings.Contains(log.String(), `"name":"`+c.slug+`"`) {
					t.Errorf("got %d, want %d and the name %s in the log:\n%s", w.Code, c.status, c.slug, log)
				}
			})
		})
	}
}

// quietProxy is a proxy without listeners, over a transport of the test's.
func quietProxy(t *testing.T, transport http.RoundTripper) (*Proxy, *safeBuffer) {
	t.Helper()
	log := &safeBuffer{}
	c := testConfig(log)
	c.Transport, c.FirstByteTimeout, c.StreamIdleTimeout = transport, 6*time.Minute, 2*time.Minute
	p, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return p, log
}

func TestConfigIsChecked(t *testing.T) {
	for name, breakIt := range map[string]func(*Config){
		"Account":  func(c *Config) { c.Account = "" },
		"Upstream": func(c *Config) { c.Upstream = nil },
		"MaxBody":  func(c *Config) { c.MaxBody = 0 },
		"Timeout":  func(c *Config) { c.FirstByteTimeout = 0 },
		"Log":      func(c *Config) { c.Log = nil },
	} {
		c := testConfig(&safeBuffer{})
		breakIt(&c)
		if _, err := New(c); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: got the error %v, want one that names it", name, err)
		}
	}
	if _, err := New(testConfig(&safeBuffer{})); err != nil {
		t.Error(err)
	}
}

// slowly gives a text out in two halves, with a pause before each.
type slowly struct {
	text  string
	pause time.Duration
}

func (s *slowly) Read(p []byte) (int, error) {
	if s.text == "" {
		return 0, io.EOF
	}
	time.Sleep(s.pause)
	n := copy(p, s.text[:(len(s.text)+1)/2])
	s.text = s.text[n:]
	return n, nil
}

// In virtual time our own share is nothing: whatever is measured as overhead is
// somebody else's time, counted as ours.
func TestOverheadLeavesOutWhatOthersTake(t *testing.T) {
	virtually(t, func(t *testing.T) {
		answer := func(*http.Request) io.Reader { return &slowly{chatAnswer, 3 * time.Second} }
		p, _ := quietProxy(t, replies{answer})
		r := httptest.NewRequest("POST", "http://localhost"+chatPath, &slowly{chat, 5 * time.Second})
		w := httptest.NewRecorder()
		p.ServeHTTP(w, r)
		if w.Code != 200 {
			t.Fatalf("got %d %s, want 200", w.Code, w.Body)
		}
		b := &bench{t: t, metrics: p.metrics}
		if sum := b.sum("neuronward_overhead_seconds"); sum != 0 {
			t.Errorf("got %v s of overhead, want 0", sum)
		}
		if sum := b.sum("neuronward_request_duration_seconds"); sum < 10 {
			t.Errorf("got %v s for the call, want 10 or more", sum)
		}
	})
}

// replies is a transport whose answers are JSON from a reader.
type replies struct{ body func(*http.Request) io.Reader }

func (a replies) RoundTrip(r *http.Request) (*http.Response, error) {
	time.Sleep(time.Second)
	return &http.Response{
		StatusCode: 200, Header: http.Header{"Content-Type": {"application/json"}}, ContentLength: -1,
		Request: r, Body: io.NopCloser(a.body(r)),
	}, nil
}

// sum is the sum of all observations of a histogram.
func (b *bench) sum(name string) (sum float64) {
	families, err := b.metrics.Gatherer().Gather()
	if err != nil {
		b.t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			for _, m := range f.GetMetric() {
				sum += m.GetHistogram().GetSampleSum()
			}
		}
	}
	return sum
}

// A caller whose upload was cut because upstream was silent is not at fault.
func TestOurOwnTimeLimitComesBeforeTheUpload(t *testing.T) {
	p, _ := quietProxy(t, unwritten{})
	x := p.begin(httptest.NewRecorder(), requestFor("/run/"+testModel))
	defer p.end(x)
	x.upload = &upload{}
	x.upload.failed.Store(unreadable(io.ErrUnexpectedEOF))
	if f := x.broken(io.EOF); f.Code != normalize.IncompleteRequest {
		t.Errorf("an upload that was cut off: got %v, want %v", f, normalize.IncompleteRequest)
	}
	x.cancel(timelimit.ErrFirstByte)
	if f := x.broken(io.EOF); f.Code != normalize.Timeout {
		t.Errorf("an upload that a time limit cut: got %v, want %v", f, normalize.Timeout)
	}
}
