package proxy

import (
	"github.com/neuronward/neuronward/metrics"
	"github.com/neuronward/neuronward/normalize"
	"github.com/neuronward/neuronward/proxy/headers"
	"github.com/neuronward/neuronward/proxy/modelname"
	"github.com/neuronward/neuronward/proxy/routing"
)

// allowedModels decides which models may be called with the operator's credentials. Cloudflare's paths of inference
// also take models of other providers, which are billed in dollars from the account: an inference token is enough.
type allowedModels struct {
	list        modelname.List
	gateway     bool // calls go to an AI Gateway
	credentials *headers.Credentials
	metrics     *metrics.Metrics
}

// check refuses a model that may not be called. This is access and no quota: it holds in every mode of the guard.
// Callers who spend on their own credentials may call what they like.
func (a *allowedModels) check(c *call) error {
	if c.Model == "" {
		return nil
	}
	run := c.Route.Gateway == routing.GatewayRun // the model is, or may become, a part of upstream's path
	if run && modelname.APIPath(c.Model) {
		return refuse(normalize.InvalidModelID, "", "model")
	}
	switch {
	case !a.ours():
		if run && a.gateway && c.thirdParty {
			return refuse(normalize.InvalidModelID, "", "model")
		}
		return nil
	case a.gateway && c.thirdParty:
		return a.refusal(c, "Through an AI Gateway this proxy calls models of Workers AI alone, whatever {MODELS} "+
			"says; point {UPSTREAM} at "+routing.DefaultAPI+" to call others.")
	case !a.allows(c.Model):
		return a.refusal(c, "Ask whoever runs the proxy to add it to {MODELS}.")
	}
	return nil
}

// allows reports whether the operator's list has a model.
func (a *allowedModels) allows(model string) bool { return a.list.AllowsAll() || a.list.Allows(model) }

// ours reports whether calls are made with the operator's credentials.
func (a *allowedModels) ours() bool {
	return a.credentials.Token() != "" || a.gateway && a.credentials.GatewayToken() != ""
}

func (a *allowedModels) refusal(c *call, todo string) *normalize.Failure {
	c.preempted(a.metrics, "model")
	return refuse(normalize.ModelNotAllowed,
		"This proxy does not allow the model "+c.modelText+". Models outside Workers AI are "+
			"billed in dollars that this proxy does not count. "+todo, "model")
}
