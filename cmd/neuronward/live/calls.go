package live

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/neuronward/neuronward/normalize"
	"github.com/neuronward/neuronward/proxy/jsonscan"
	"github.com/neuronward/neuronward/proxy/measure"
	"github.com/neuronward/neuronward/quota/price"
)

// A call is one call that is made.
type call struct {
	name, path, model string
	body              string
}

// The models are cheap ones, and a different one for each call that is answered, so that the account's own figure tells
// them apart. The one that streams does so in the newer form, which has more to look at.
const (
	chatModel       = "@cf/meta/llama-3.2-1b-instruct"
	streamModel     = "@cf/qwen/qwen3-30b-a3b-fp8"
	embeddingsModel = "@cf/baai/bge-base-en-v1.5"
	runModel        = "@cf/baai/bge-small-en-v1.5"
	noModel         = "@cf/neuronward/no-such-model"

	chatPath = "v1/chat/completions"
	question = `"messages":[{"role":"user","content":"Count from one to twenty, in words."}]`
	text     = `One two three four five six seven eight nine ten eleven twelve`
	limit    = `"max_tokens":16,`
)

// calls are made one after the other. The bad body has a limit as well, should it be answered after all.
var calls = []call{
	{"chat", chatPath, chatModel, `{"model":"` + chatModel + `",` + limit + question + `}`},
	{
		"stream", chatPath, streamModel,
		`{"model":"` + streamModel + `",` + limit + `"stream":true,"stream_options":{"include_usage":true},` +
			question + `}`,
	},
	{"embeddings", "v1/embeddings", embeddingsModel, `{"model":"` + embeddingsModel + `","input":"` + text + `"}`},
	{"run", "run/" + runModel, runModel, `{"text":["` + text + `"]}`},
	{"unknown_model", chatPath, noModel, `{"model":"` + noModel + `",` + limit + question + `}`},
	{"bad_body", "run/" + chatModel, chatModel, `{` + limit + `"messages":"no list"}`},
}

const (
	callTimeout = time.Minute
	maxAnswer   = 1 << 20 // bytes
)

// newAnswer returns the answer to a call that is still to be made.
func newAnswer(c *call, bound, tight *price.Estimator) (*answer, error) {
	a := &answer{call: c, price: tight.Resolve(c.model)}
	if c.model == noModel { // nothing runs
		return a, nil
	}
	protocol := normalize.ProtocolOpenAI
	if strings.HasPrefix(c.path, "run/") {
		protocol = normalize.ProtocolNative
	}
	found, err := measure.Scan(jsonscan.Pieces{[]byte(c.body)}, measure.Options{Protocol: protocol, Count: true})
	if err != nil {
		return nil, err
	}
	request := found.Request(a.price.Task)
	a.limit = request.MaxTokens
	a.bound = bound.Estimate(bound.Resolve(c.model), request).Neurons
	a.reserved = tight.Estimate(a.price, request).Neurons
	return a, nil
}

// call makes the call of a and reads its answer.
func (l *looker) call(ctx context.Context, a *answer) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	u := l.API.JoinPath("accounts", l.Account, "ai")
	u.Path += "/" + a.call.path
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), strings.NewReader(a.call.body))
	if err != nil {
		a.err = err.Error()
		return
	}
	r.Header.Set("Authorization", "Bearer "+l.Token())
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept-Encoding", "identity") // as the proxy asks: it could not inspect anything else
	began := time.Now()
	res, err := l.Transport.RoundTrip(r) // which follows no redirect: the token is for this host
	if err != nil {
		a.err = err.Error()
		return
	}
	defer res.Body.Close()
	a.status, a.header = res.StatusCode, res.Header
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		a.err = err.Error()
	}
	a.took, a.date = time.Since(began), began
	if date, err := http.ParseTime(a.header.Get("Date")); err == nil {
		a.date = date
	}
	a.read(bytes.TrimSpace(body))
}

// refuses reports whether a failure says that the token or the account is none.
func refuses(code normalize.Code) bool {
	return code.AboutCredentials() || code == normalize.NoSuchRoute
}
