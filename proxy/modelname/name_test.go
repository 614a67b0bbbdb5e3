package modelname

import "testing"

const llama = "@cf/meta/llama-3.1-8b-instruct-fp8"

func TestForms(t *testing.T) {
	for _, c := range []struct {
		name, canonical             string
		workersAI, routed, isAnAPIs bool
	}{
		{name: llama, canonical: llama, workersAI: true},
		{name: "@hf/thebloke/x", canonical: "@hf/thebloke/x", workersAI: true},
		{name: "workers-ai/" + llama, canonical: llama, workersAI: true},
		{name: "workers-ai/workers-ai/" + llama, canonical: "workers-ai/workers-ai/" + llama, isAnAPIs: true},
		{name: "workers-ai/gpt", canonical: "workers-ai/gpt", isAnAPIs: true},
		{name: "Workers-AI/" + llama, canonical: "Workers-AI/" + llama, isAnAPIs: true},
		{name: "@CF/meta/x", canonical: "@CF/meta/x"},
		{name: "@cf", canonical: "@cf"},
		{name: " " + llama, canonical: " " + llama},
		{name: "openai/gpt-4.1", canonical: "openai/gpt-4.1"},
		{name: "gpt-4.1", canonical: "gpt-4.1"},
		{name: "dynamic/support", canonical: "dynamic/support", routed: true},
		{name: "custom/mine", canonical: "custom/mine", routed: true},
		{name: "cloudflare/auto", canonical: "cloudflare/auto", routed: true},
		{name: "cloudflare/automatic", canonical: "cloudflare/automatic"},
		{name: "v1/chat/completions", canonical: "v1/chat/completions", isAnAPIs: true},
		{name: "run/" + llama, canonical: "run/" + llama, isAnAPIs: true},
		{name: "models/search", canonical: "models/search", isAnAPIs: true},
		{name: "universal", canonical: "universal", isAnAPIs: true},
		{name: "/v1/models", canonical: "/v1/models", isAnAPIs: true},
		{name: "V1/models", canonical: "V1/models", isAnAPIs: true},
	} {
		got := Canonical(c.name)
		if got != c.canonical {
			t.Errorf("%q: got the name %q, want %q", c.name, got, c.canonical)
		}
		if is := WorkersAI(got); is != c.workersAI {
			t.Errorf("%q: got %t for a model of Workers AI, want %t", c.name, is, c.workersAI)
		}
		if is := Routed(got); is != c.routed {
			t.Errorf("%q: got %t for a router, want %t", c.name, is, c.routed)
		}
		if is := APIPath(got); is != c.isAnAPIs {
			t.Errorf("%q: got %t for a path of the API, want %t", c.name, is, c.isAnAPIs)
		}
	}
}

func TestLists(t *testing.T) {
	for _, c := range []struct {
		list List
		name string
		want bool
	}{
		{Default(), llama, true},
		{Default(), "@hf/thebloke/x", true},
		{Default(), "@CF/meta/x", false},
		{Default(), "openai/gpt-4.1", false},
		{Default(), "@cf/../openai/gpt-4.1", false},
		{Default(), "@cf/x?y", false},
		{List{"workers-ai/@cf/meta/*"}, llama, true},
		{List{"workers-ai/*"}, llama, true},
		{List{"workers-ai/*"}, "openai/gpt-4.1", false},
		{List{"workers-ai/@cf/baai/*"}, llama, false},
		{List{"openai/*"}, "openai/gpt-4.1", true},
		{List{"openai/*"}, "OpenAI/gpt-4.1", false},
		{List{"*"}, "openai/gpt-4.1", true},
		{List{"*"}, "", false},
		{nil, llama, false},
	} {
		if got := c.list.Allows(c.name); got != c.want {
			t.Errorf("%v: got %t for %q, want %t", c.list, got, c.name, c.want)
		}
	}
}

func TestPatternsOfWorkersAIAlone(t *testing.T) {
	for p, want := range map[Pattern]bool{
		"@cf/*": true, "@hf/x/*": true, "workers-ai/@cf/*": true, "@cf/meta/x": true,
		"*": false, "@*": false, "@c*": false, "openai/*": false, "dynamic/*": false, "workers-ai/*": false,
	} {
		if got := p.workersAIOnly(); got != want {
			t.Errorf("%q: got %t, want %t", p, got, want)
		}
	}
}
