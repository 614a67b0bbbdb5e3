package proxy

import (
	"github.com/neuronward/neuronward/normalize"
	"github.com/neuronward/neuronward/normalize/reference"
)

// answerReference answers from the error reference.
func answerReference(c *call) error {
	page, ok, err := reference.Render(reference.Request{
		Topic: c.Rest, Filter: c.inbound.URL.Query().Get("q"), Accept: c.inbound.Header.Get("Accept"),
		UserAgent: c.inbound.UserAgent(), Setting: c.setting,
	})
	switch {
	case err != nil:
		return err
	case !ok:
		return refuse(normalize.RouteNotProxied,
			"The error reference has no such entry. All are listed under /errors.", "")
	}
	h := c.writer.Header()
	h.Set("Content-Type", page.ContentType)
	h.Set("Content-Security-Policy", reference.Policy())
	h.Set("Vary", reference.Vary)
	h.Set("Referrer-Policy", "no-referrer") // a filter may hold a line of a log
	h["X-Request-Id"], h["Request-Id"] = []string{c.requestID}, []string{c.requestID}
	_, err = c.writer.Write(page.Body)
	return err
}
