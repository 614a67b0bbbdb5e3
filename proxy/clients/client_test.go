package clients

import (
	"strings"
	"testing"

	"github.com/neuronward/neuronward/proxy/modelname"
)

func TestNames(t *testing.T) {
	for _, name := range []string{"a", "7", "search-team", "eu.search_2", strings.Repeat("x", 63)} {
		if err := CheckName(name); err != nil {
			t.Errorf("%q: got %v, want a name", name, err)
		}
	}
	for _, name := range []string{
		"", "A", "-a", "a-", ".a", "a_", "a b", "a/b", "a\n", "ä", `a"b`, "{a}", strings.Repeat("x", 64),
		"account", "anonymous", "none", "other", "nwk_a",
	} {
		if CheckName(name) == nil {
			t.Errorf("%q: got no error, want one", name)
		}
	}
}

func TestModelsThatAClientMayCall(t *testing.T) {
	const llama = "@cf/meta/llama-3.1-8b-instruct-fp8"
	cases := []struct {
		list, model string
		want        bool
	}{
		{"@cf/meta/*", llama, true},
		{"@cf/meta/*", "@cf/meta-llama/llama-2-7b-chat-hf-lora", false},
		{"@cf/meta/*", "@cf/baai/bge-m3", false},
		{"@cf/meta/*", "x@cf/meta/llama", false},
		{"@cf/meta/*", "@CF/META/llama", false},
		{"@cf/meta/*", "@cf/meta", false},
		{"@cf/meta/*", "@cf/meta/a/b", true},
		{"@cf/meta/*", "@cf/meta/../openai/gpt-oss-120b", false},
		{"@cf/meta/*", "@cf/meta/./x", false},
		{"@cf/meta/*", "@cf/meta//x", false},
		{"@cf/meta/*", "@cf/meta/", false},
		{"@cf/meta/*", "@cf/meta/x?y=@cf/openai/gpt-oss-120b", false},
		{"@cf/meta/*", "@cf/meta/x%2f..%2fy", false},
		{"@cf/meta/*", "@cf/meta/x\x00", false},
		{"@cf/meta/*", "@cf/meta/" + strings.Repeat("x", 300), false},
		{"@cf/*", llama, true},
		{"@cf/*", "@hf/thebloke/x", false},
		{"@cf/**", llama, true},
		{"*", llama, true},
		{"*", "", false},
		{"*/llama-*", llama, true},
		{"*/llama-*-fp8", llama, true},
		{"*/llama-*-awq", llama, false},
		{"*-instruct*-fp8", llama, true},
		{"*8*8*8*", llama, false},
		{"*8*8*", llama, true},
		{llama, llama, true},
		{llama, llama + "-fast", false},
		{llama, llama[:len(llama)-1], false},
		{"@cf/baai/*,@cf/meta/*", llama, true},
		{"@cf/baai/*,@hf/*", llama, false},
		{"", llama, true},
		{"", "", true},
		{"", "@cf/meta/../x", true},
	}
	for _, c := range cases {
		client := Client{}
		for text := range strings.SplitSeq(c.list, ",") {
			if c.list == "" {
				break
			}
			p, err := modelname.ParsePattern(text, shown)
			if err != nil {
				t.Fatal(err)
			}
			client.models = append(client.models, p)
		}
		if got := client.Allows(c.model); got != c.want {
			t.Errorf("[%s] allows %q: got %v, want %v", c.list, c.model, got, c.want)
		}
	}
}
