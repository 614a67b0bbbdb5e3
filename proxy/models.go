package proxy

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/neuronward/neuronward/normalize"
)

// Bounds of one models/search: the catalog has about a hundred models.
const (
	modelsPerPage  = 100
	maxModelPages  = 20
	maxModelsBytes = 8 << 20 // of one page
)

// A foundModel is what models/search says of a model, as far as OpenAI's list has a field for it.
type foundModel struct {
	Name      string `json:"name"`
	CreatedAt string `json:"created_at"`
}

// A modelLister answers with the list of models.
type modelLister struct {
	forward  *forwarder
	failures *failures
}

// answer answers GET /v1/models with OpenAI's list, made from models/search: Workers AI has none and answers 405.
func (l *modelLister) answer(c *call) error {
	var models []foundModel
	seen, size := map[string]bool{}, 0
	for page := 1; page <= maxModelPages; page++ {
		found, total, err := l.search(c, page)
		if err != nil {
			return err
		}
		before := len(models)
		size = max(size, len(found))
		for _, m := range found {
			if !seen[m.Name] {
				seen[m.Name] = true
				models = append(models, m)
			}
		}
		// A server may cap the page, or ignore which one is asked for.
		if len(models) == before || len(found) < size || total > 0 && len(models) >= total {
			break
		}
	}
	if e := c.entry; e != nil {
		models = slices.DeleteFunc(models, func(m foundModel) bool { return !e.Allows(m.Name) })
	}
	h := c.writer.Header()
	h["Content-Type"] = []string{"application/json"}
	h["X-Request-Id"], h["Request-Id"] = []string{c.requestID}, []string{c.requestID}
	_, err := c.writer.Write(openAIList(models))
	return err
}

// search asks for one page of the catalog. total is how many models there are, 0 if the answer does not say.
func (l *modelLister) search(c *call, page int) (found []foundModel, total int, err error) {
	u := l.forward.upstream.api
	u.Path += "/accounts/" + c.account + "/ai/models/search"
	u.RawQuery = url.Values{"per_page": {strconv.Itoa(modelsPerPage)}, "page": {strconv.Itoa(page)}}.Encode()
	r, err := http.NewRequestWithContext(c.ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, 0, err
	}
	if authorization := l.forward.credentials.authorization(c.inbound.Header); authorization != nil {
		r.Header["Authorization"] = authorization
	}
	r.Header["Accept-Encoding"] = identity
	res, err := l.forward.send(c, r)
	c.attempts = 1 // however many pages
	if err != nil {
		return nil, 0, err
	}
	defer res.Body.Close()
	c.attempt.upstream = upstreamIDs{request: res.Header.Get("Cf-Ai-Req-Id"), ray: res.Header.Get("Cf-Ray")}
	c.own.stop()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxModelsBytes))
	c.own.start()
	if err != nil {
		return nil, 0, err
	}
	var answer struct {
		Result []foundModel `json:"result"`
		Info   struct {
			Total int `json:"total_count"`
		} `json:"result_info"`
	}
	if res.StatusCode != http.StatusOK || normalize.IsFailure(body) || json.Unmarshal(body, &answer) != nil {
		return nil, 0, l.failures.ofAnswer(c, res, body[:min(len(body), normalize.MaxErrorBody)])
	}
	return answer.Result, answer.Info.Total, nil
}

// openAIList is the catalog in the form of OpenAI's GET /v1/models.
func openAIList(models []foundModel) []byte {
	type entry struct {
		ID      string `json:"id"`
		Object  string `json:"object"`
		Created int64  `json:"created"` // Unix time in seconds, 0 where unknown
		OwnedBy string `json:"owned_by"`
	}
	list := struct {
		Object string  `json:"object"`
		Data   []entry `json:"data"`
	}{Object: "list", Data: make([]entry, 0, len(models))}
	for _, m := range models {
		e := entry{ID: m.Name, Object: "model", OwnedBy: owner(m.Name)}
		for _, layout := range []string{"2006-01-02 15:04:05.999999999", time.RFC3339Nano} {
			if created, err := time.Parse(layout, m.CreatedAt); err == nil {
				e.Created = created.Unix()
				break
			}
		}
		list.Data = append(list.Data, e)
	}
	out, err := json.Marshal(list)
	if err != nil {
		panic(err) // strings and integers
	}
	return out
}

// owner is the second part of a model's name: "meta" of "@cf/meta/llama-…".
func owner(model string) string {
	parts := strings.SplitN(model, "/", 3)
	if len(parts) < 3 {
		return "cloudflare"
	}
	return parts[1]
}
