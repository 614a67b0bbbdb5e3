package proxy

import (
	"cmp"
	"net/http"
	"strings"

	"github.com/neuronward/neuronward/proxy/routing"
)

// maxPathText bounds a path in messages and logs. Callers may write anything there.
const maxPathText = 200

// explainNotProxied says of a call that no route takes what came, what was probably meant, and which base URL to set.
func (c *call) explainNotProxied(path string) string {
	r := c.inbound
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	base := scheme + "://" + clip(r.Host, maxPathText)
	text := "This proxy does not pass " + clip(r.Method, 32) + " " + c.pathText() + "."
	if r.Method == http.MethodConnect {
		return text + " It is no forward proxy: set its address with /v1 as your client's base URL, not as HTTPS_PROXY."
	}
	if meant := routing.Suggest(r.Method, path); meant != "" {
		text += " Did you mean " + meant + "?"
	}
	if strings.Contains(path, "/websearch") {
		text += " Web Search is no inference and is billed in dollars, which this proxy does not count."
	}
	return c.redact(text + " The base URL is " + base + "/v1 for OpenAI clients, " + base + " for Anthropic's and " +
		base + "/client/v4 for Cloudflare's.")
}

// pathText is the path of the call in maxPathText bytes, without secrets, also where that cuts one. CONNECT has a host.
func (c *call) pathText() string {
	return clip(c.redact(cmp.Or(c.inbound.URL.EscapedPath(), c.inbound.URL.Host)), maxPathText-len("…"))
}
