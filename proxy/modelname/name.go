package modelname

import (
	"slices"
	"strings"
)

// prefix may stand before the name of a model of Workers AI: AI Gateway's name of the provider.
const prefix = "workers-ai/"

// Canonical returns the one form of a model's name that prices, limits, labels and lists know: workers-ai/@cf/… is
// the model @cf/…. Every other name stays as it is.
func Canonical(name string) string {
	if below, found := strings.CutPrefix(name, prefix); found && WorkersAI(below) {
		return below
	}
	return name
}

// WorkersAI reports whether a canonical name is that of a model of Workers AI, which is billed in neurons. Every other
// model is somebody else's and billed in dollars.
func WorkersAI(name string) bool {
	return strings.HasPrefix(name, "@cf/") || strings.HasPrefix(name, "@hf/")
}

// Routed reports whether a canonical name stands for a router of AI Gateway's, which chooses the model that runs.
func Routed(name string) bool {
	return name == "cloudflare/auto" || strings.HasPrefix(name, "dynamic/") || strings.HasPrefix(name, "custom/")
}

// apiPaths are the first parts of paths of Cloudflare's API and of AI Gateway's. A model so named would be a path.
var apiPaths = []string{
	"", ".", "..", "accounts", "ai", "ai-gateway", "authors", "client", "compat", "finetunes", "models", "run", "tasks",
	"tomarkdown",
	"universal", "v1", "websearch", "workers-ai",
}

// APIPath reports whether a canonical name would be a path of the API behind run/ or behind a gateway's provider.
func APIPath(name string) bool {
	first, _, _ := strings.Cut(name, "/")
	return slices.Contains(apiPaths, strings.ToLower(first))
}
