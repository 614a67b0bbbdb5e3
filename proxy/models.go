package proxy

import (
	"encoding/json"
	"io"
	"net/http"

	"github.com/neuronward/neuronward/normalize"
	"github.com/neuronward/neuronward/proxy/guard"
	"github.com/neuronward/neuronward/proxy/modellist"
	"github.com/neuronward/neuronward/quota/price"
)

// maxModelsBytes bounds one page of models/search.
const maxModelsBytes = 8 << 20

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
	request := modellist.Request{
		ID: c.Listed, Task: c.inbound.URL.Query().Get("task"), Price: l.estimator.Resolve,
		MayCall: func(model string, paidOnly bool) bool { return l.mayCall(c, model, paidOnly) },
	}
	text, err := request.Answer(func(page int) (modellist.Page, error) { return l.search(c, page) })
	if err != nil {
		return err
	}
	if text == nil {
		model := c.redact(clip(c.Listed, maxModelText))
		f := refuse(normalize.InvalidModelID, "The list of models has no "+model+
			": it does not exist, or this caller may not call it.", "model")
		f.Model = model
		return f
	}
	h := c.writer.Header()
	h["Content-Type"] = []string{"application/json"}
	h["X-Request-Id"], h["Request-Id"] = []string{c.requestID}, []string{c.requestID}
	_, err = c.writer.Write(text)
	return err
}

// mayCall reports whether the caller may call a model: by the operator's list, its own, and the account's plan.
func (l *modelLister) mayCall(c *call, model string, paidOnly bool) bool {
	if l.allowed.ours() && !l.allowed.allows(model) || c.entry != nil && !c.entry.Allows(model) {
		return false
	}
	return !paidOnly || !l.guard.RefusesPaid()
}

// search asks for one page of the catalog.
func (l *modelLister) search(c *call, number int) (page modellist.Page, err error) {
	u := l.forward.upstream.API
	u.Path += "/accounts/" + c.Account + "/ai/models/search"
	u.RawQuery = modellist.PageQuery(number)
	r, err := http.NewRequestWithContext(c.ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return page, err
	}
	if authorization := l.forward.credentials.Authorization(c.inbound.Header); authorization != nil {
		r.Header["Authorization"] = authorization
	}
	r.Header["Accept-Encoding"] = identity
	res, err := l.forward.send(c, r)
	c.attempts = 1 // however many pages
	if err != nil {
		return page, err
	}
	defer res.Body.Close()
	c.attempt.upstream = upstreamIDs{request: res.Header.Get("Cf-Ai-Req-Id"), ray: res.Header.Get("Cf-Ray")}
	c.own.stop()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxModelsBytes))
	c.own.start()
	if err != nil {
		return page, err
	}
	if res.StatusCode != http.StatusOK || normalize.IsFailure(body) || json.Unmarshal(body, &page) != nil {
		return page, l.failures.ofAnswer(c, res, body[:min(len(body), normalize.MaxErrorBody)])
	}
	return page, nil
}
