package proxy

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strconv"

	"github.com/neuronward/neuronward/normalize"
	"github.com/neuronward/neuronward/proxy/guard"
	"github.com/neuronward/neuronward/quota/price"
)

// Bounds of one models/search: the catalog has about a hundred models.
const (
	modelsPerPage  = 100
	maxModelPages  = 20
	maxModelsBytes = 8 << 20 // of one page
)

// A modelLister answers with the list of models.
type modelLister struct {
	forward   *forwarder
	failures  *failures
	allowed   *allowedModels
	guard     *guard.Guard
	estimator *price.Estimator
}

// answer answers GET /v1/models with OpenAI's list, made from models/search: Workers AI has none and answers 405. Below
// it, each model of the list answers by itself.
func (l *modelLister) answer(c *call) error {
	found, err := l.searchAll(c)
	if err != nil {
		return err
	}
	models := make([]listedModel, 0, len(found))
	task := taskText(c.inbound.URL.Query().Get("task"))
	for i := range found {
		m := l.listed(&found[i])
		switch {
		case !l.mayCall(c, &m):
		case c.listed != "" && c.listed != m.ID, c.listed == "" && task != "" && task != m.Task:
		default:
			models = append(models, m)
		}
	}
	var answer any = modelList{Object: "list", Data: models}
	if c.listed != "" {
		if len(models) == 0 {
			f := refuse(normalize.InvalidModelID, "", "model")
			f.Model = c.redact(clip(c.listed, maxModelText))
			return f
		}
		answer = models[0]
	}
	text, err := json.Marshal(answer)
	if err != nil {
		return err
	}
	h := c.writer.Header()
	h["Content-Type"] = []string{"application/json"}
	h["X-Request-Id"], h["Request-Id"] = []string{c.requestID}, []string{c.requestID}
	_, err = c.writer.Write(text)
	return err
}

// mayCall reports whether the caller may call a model: by the operator's list, its own, and the account's plan.
func (l *modelLister) mayCall(c *call, m *listedModel) bool {
	if l.allowed.ours() && !l.allowed.allows(m.ID) || c.entry != nil && !c.entry.Allows(m.ID) {
		return false
	}
	return !m.paidOnly || !l.guard.RefusesPaid()
}

// searchAll asks for the whole catalog.
func (l *modelLister) searchAll(c *call) ([]foundModel, error) {
	var models []foundModel
	seen, size := map[string]bool{}, 0
	for page := 1; page <= maxModelPages; page++ {
		found, total, err := l.search(c, page)
		if err != nil {
			return nil, err
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
	return models, nil
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
	if authorization := l.forward.credentials.Authorization(c.inbound.Header); authorization != nil {
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
