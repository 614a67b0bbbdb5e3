package config

import (
	"slices"
	"strings"
	"testing"

	"github.com/neuronward/neuronward/proxy/modelname"
)

func TestModels(t *testing.T) {
	for _, c := range []struct {
		given string
		want  modelname.List
		warns string // a part of the warning
	}{
		{given: "", want: modelname.Default()},
		{given: "@cf/meta/*, @hf/x", want: modelname.List{"@cf/meta/*", "@hf/x"}},
		{given: "workers-ai/@cf/*", want: modelname.List{"workers-ai/@cf/*"}},
		{given: "@cf/*,openai/*", want: modelname.List{"@cf/*", "openai/*"}, warns: "openai/* allows models outside"},
		{given: "*", want: modelname.List{"*"}, warns: "dollars are neither counted nor limited"},
		{given: "dynamic/*,@cf*", want: modelname.List{"dynamic/*", "@cf*"}, warns: "dynamic/*,@cf* allows"},
	} {
		l, err := Load(environ("NEURONWARD_MODELS="+c.given, "CLOUDFLARE_API_TOKEN="+fakeToken), new(Redactor))
		if err != nil {
			t.Errorf("%q: got %v, want no mistake", c.given, err)
			continue
		}
		if !slices.Equal(l.Models, c.want) {
			t.Errorf("%q: got %v, want %v", c.given, l.Models, c.want)
		}
		if got := strings.Join(l.Warnings, "\n"); !strings.Contains(got, c.warns) || (c.warns == "") != (got == "") {
			t.Errorf("%q: got the warnings %q, want %q", c.given, got, c.warns)
		}
	}
	for _, given := range []string{"@cf/*,", "@cf/meta/", "@cf/../x", "@cf/llama 3", ","} {
		_, err := Load(environ("NEURONWARD_MODELS="+given), new(Redactor))
		if err == nil || !strings.Contains(err.Error(), "NEURONWARD_MODELS") {
			t.Fatalf("%q: got %v, want a mistake in NEURONWARD_MODELS", given, err)
		}
		const a, b = "@cf/meta/*", "for all models below it"
		if said := err.Error(); !strings.Contains(said, a) && !strings.Contains(said, b) {
			t.Errorf("%q: got %s, want %q or %q in it", given, said, a, b)
		}
	}
}
