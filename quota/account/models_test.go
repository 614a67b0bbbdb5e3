package account_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/neuronward/neuronward/proxy/workersai"
	"github.com/neuronward/neuronward/quota/account"
)

func TestModelsReadsAllPages(t *testing.T) {
	c := ask(t, workersai.New(workersai.Options{Account: testAccount, Token: testToken}), testToken)
	models, err := c.Models(t.Context())
	if err != nil || len(models) != 73 {
		t.Fatalf("got %d models, %v; want 73", len(models), err)
	}
	by := map[string]account.Model{}
	for _, m := range models {
		by[m.Name] = m
	}
	kimi := by["@cf/moonshotai/kimi-k2.6"]
	if kimi.Task != "Text Generation" {
		t.Errorf("got task %q, want Text Generation", kimi.Task)
	}
	if kimi.ContextWindow != 262144 {
		t.Errorf("got a context window of %d, want 262144", kimi.ContextWindow)
	}
	if !kimi.RequiresWorkersPaid {
		t.Error("got a model of the free plan, want one that requires Workers Paid")
	}
	want := account.Tag{Unit: "per M input tokens", USD: 0.950004}
	if len(kimi.Prices) != 3 || kimi.Prices[0] != want {
		t.Errorf("got prices %+v, want three, the first %+v", kimi.Prices, want)
	}
	if old := by["@cf/meta/llama-3-8b-instruct"]; old.DeprecatedOn != "2026-05-30" {
		t.Errorf("got the end %q, want 2026-05-30", old.DeprecatedOn)
	}
	beta := by["@cf/lykon/dreamshaper-8-lcm"]
	if !beta.Beta {
		t.Errorf("got %+v, want a beta", beta)
	}
	if len(beta.Prices) != 1 || beta.Prices[0].USD != 0 {
		t.Errorf("got prices %+v of a beta, want one of $0", beta.Prices)
	}
}

// catalogPage is a page of the catalog with models of these names.
func catalogPage(names ...string) string {
	var models []string
	for _, n := range names {
		models = append(models, `{"name":"`+n+`"}`)
	}
	return `{"success":true,"result":[` + strings.Join(models, ",") + `]}`
}

func TestModelsThatServersPageOtherwise(t *testing.T) {
	page := catalogPage
	cases := []struct {
		name  string
		pages map[string]string // "" is all others
		want  int               // models; below 0: an error
		asked int
	}{
		{"pages that are capped", map[string]string{"1": page("a", "b"), "2": page("c", "d"), "": page("e")}, 5, 3},
		{"a page parameter that is ignored", map[string]string{"": page("a", "b")}, 2, 2},
		{"an empty page at the end", map[string]string{"1": page("a", "b"), "": page()}, 2, 2},
		{"nothing", map[string]string{"": page()}, -1, 1},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			asked := 0
			client := ask(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				asked++
				body, ok := c.pages[r.URL.Query().Get("page")]
				if !ok {
					body = c.pages[""]
				}
				_, _ = io.WriteString(w, body)
			}), testToken)
			models, err := client.Models(t.Context())
			if c.want < 0 != (err != nil) {
				t.Errorf("got error %v, want one: %v", err, c.want < 0)
			}
			if err == nil && len(models) != c.want {
				t.Errorf("got %d models, want %d", len(models), c.want)
			}
			if asked != c.asked {
				t.Errorf("got %d requests, want %d", asked, c.asked)
			}
		})
	}
}

func TestACatalogWithoutAnEnd(t *testing.T) {
	asked := 0
	endless := ask(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked++
		_, _ = io.WriteString(w, catalogPage("p"+r.URL.Query().Get("page")))
	}), testToken)
	if _, err := endless.Models(t.Context()); account.KindOf(err) != account.Garbled {
		t.Errorf("got %v, want an error of kind %q", err, account.Garbled)
	}
	if asked != 20 {
		t.Errorf("got %d requests, want 20", asked)
	}
}
