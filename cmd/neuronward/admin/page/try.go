package page

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/neuronward/neuronward/normalize"
)

// A try is a call that the demo makes for who reads the page.
type try struct {
	Key, Title, Why string
	path, body      string
	simulate        string
	patience        time.Duration
}

type tryGroup struct {
	Title string
	Dense bool
	Tries []try
}

// Tried is a call that was made for a reader without a script, and its answer.
type Tried struct{ Text string }

const (
	tryPatience = 30 * time.Second
	tryMost     = 64 << 10 // bytes of an answer that are shown

	tryModel = "@cf/meta/llama-3.1-8b-instruct-fp8"
	tryDear  = "@cf/deepseek-ai/deepseek-r1-distill-qwen-32b"
	tryChat  = `{"model": "` + tryModel + `", "messages": [{"role": "user", "content": "Hello"}]}`
	tryLong  = `{"model": "` + tryModel + `", "stream": true, "messages": [{"role": "user", "content": "Hello"}]}`
)

// tries are all calls that the demo makes.
func tries() []tryGroup {
	chat := func(key, title, why, simulate string) try {
		return try{Key: key, Title: title, Why: why, path: "/v1/chat/completions", body: tryChat, simulate: simulate}
	}
	stream := func(key, title, simulate string) try {
		return try{Key: key, Title: title, path: "/v1/chat/completions", body: tryLong, simulate: simulate}
	}
	hang := chat("hang", "no answer", "The caller gives up after three seconds.", "hang")
	hang.patience = 3 * time.Second
	groups := []tryGroup{
		{Title: "A call", Tries: []try{
			chat("chat", "Send a chat", "", ""),
			stream("stream", "Send a stream", ""),
			{Key: "native", Title: "Native route", path: "/run/" + tryModel, body: `{"prompt": "Hello"}`},
			{Key: "embeddings", Title: "Embeddings", path: "/v1/embeddings", body: `{"model": "@cf/baai/bge-base-en-v1.5", "input": "Hello"}`},
		}},
		{Title: "A failure that this proxy heals, or refuses before Workers AI sees it", Tries: []try{
			chat("healed", "No capacity twice, then healed", "The proxy tries again by itself.", "3040; times=2"),
			{
				Key: "dear", Title: "Too dear for the day", path: "/v1/chat/completions", Why: "It may cost more neurons than the day has.",
				body: `{"model": "` + tryDear + `", "max_tokens": 30000, "messages": [{"role": "user", "content": "Hello"}]}`,
			},
			{Key: "invalid", Title: "Broken JSON", path: "/v1/chat/completions", body: `{"model": `},
			{Key: "path", Title: "Not for inference", path: "/client/v4/accounts", body: "{}"},
		}},
		{Title: "An answer that breaks", Tries: []try{
			chat("reset", "reset", "The connection breaks before an answer.", "reset"),
			hang,
			chat("html", "an HTML page", "502 as an edge sends it.", "html-502"),
			chat("empty", "empty", "200 without a body.", "empty"),
			chat("ok-false", "200 that failed", "success: false.", "ok-false"),
			stream("midstream", "an error within a stream", "midstream=3040; after=3"),
			stream("cut", "a stream cut", "midstream=cut; after=3"),
			stream("half", "a stream cut within an event", "midstream=half; after=3"),
			stream("end", "a stream without its end", "midstream=end; after=3"),
		}},
	}
	codes := tryGroup{Title: "Each failure that Workers AI or its gateway can say", Dense: true}
	for _, e := range normalize.Catalog() {
		if e.Source != normalize.SourceOwn && slices.Contains(e.Origins, normalize.OriginUpstream) {
			t := chat("code-"+e.Slug, strconv.Itoa(e.Number)+" "+e.Slug, e.Summary, e.Slug)
			codes.Tries = append(codes.Tries, t)
		}
	}
	return append(groups, codes)
}

func findTry(key string) (try, bool) {
	for _, g := range tries() {
		for _, t := range g.Tries {
			if t.Key == key {
				return t, true
			}
		}
	}
	return try{}, false
}

// Try makes the call that key names, to the proxy at base, and writes request and
// answer to w as they come. ok reports whether there is such a call.
func Try(ctx context.Context, client *http.Client, base, key string, w io.Writer) (ok bool) {
	t, ok := findTry(key)
	if !ok {
		return false
	}
	patience := tryPatience
	if t.patience > 0 {
		patience = t.patience
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	t.write(ctx, client, base, patience, w)
	return true
}

func (t *try) write(ctx context.Context, client *http.Client, base string, patience time.Duration, w io.Writer) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, base+t.path, strings.NewReader(t.body))
	if err != nil {
		fmt.Fprintf(w, "(%v)\n", err)
		return
	}
	r.Header.Set("Content-Type", "application/json")
	header := ""
	if t.simulate != "" {
		r.Header.Set("X-Simulate", t.simulate)
		header = " -H 'x-simulate: " + t.simulate + "'"
	}
	fmt.Fprintf(w, "$ curl -siN %s%s%s \\\n    -d '%s'\n\n", base, t.path, header, t.body)
	began := time.Now()
	res, err := client.Do(r)
	if err != nil {
		t.broken(ctx, patience, err, w)
		return
	}
	defer res.Body.Close()
	fmt.Fprintf(w, "%s %s\n", res.Proto, res.Status)
	names := make([]string, 0, len(res.Header))
	for name := range res.Header {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		fmt.Fprintf(w, "%s: %s\n", strings.ToLower(name), strings.Join(res.Header[name], ", "))
	}
	fmt.Fprintln(w)
	n, err := io.Copy(w, io.LimitReader(res.Body, tryMost))
	switch {
	case err != nil:
		t.broken(ctx, patience, err, w)
	case n == tryMost:
		fmt.Fprintf(w, "\n(and more: %d KiB are shown)\n", tryMost>>10)
	default:
		fmt.Fprintf(w, "\n(after %s)\n", lasted(time.Since(began)))
	}
}

func (t *try) broken(ctx context.Context, patience time.Duration, err error, w io.Writer) {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		fmt.Fprintf(w, "\n(nothing within %s: the caller gave up)\n", span(patience))
		return
	}
	fmt.Fprintf(w, "\n(the connection was cut: %v)\n", err)
}
