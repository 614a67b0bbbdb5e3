package clients

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"regexp"
	"strings"
	"testing"
)

func TestNewKeys(t *testing.T) {
	form := regexp.MustCompile(`^nwk_[a-z2-7]{52}$`)
	seen := make(map[string]bool)
	for range 100 {
		k := NewKey()
		if !form.MatchString(k.Secret) {
			t.Fatalf("got the key %q, want the form %v", k.Secret, form)
		}
		if want := hashOf(k.Secret); k.SHA256 != want {
			t.Fatalf("got the hash %s, want %s", k.SHA256, want)
		}
		if seen[k.Secret] {
			t.Fatalf("got the key %q twice, want another one", k.Secret)
		}
		seen[k.Secret] = true
	}
	// 52 letters carry 260 bits, the last of them one: every other position takes every letter.
	for i := len(KeyPrefix); i < len(KeyPrefix)+51; i++ {
		letters := make(map[byte]bool)
		for k := range seen {
			letters[k[i]] = true
		}
		if len(letters) < 16 {
			t.Errorf("position %d of 100 keys: got %d different letters, want at least 16", i, len(letters))
		}
	}
}

func TestLookup(t *testing.T) {
	s := parse(t, "clients:\n  - {name: a, key_sha256: '{a}'}\n  - {name: b, key_sha256: '{b}'}\n  - {name: c, "+
		"key_sha256: "+hashOf(strings.Repeat("k", maxKey))+"}\n")
	for key, want := range map[string]string{
		"fake-key-a": "a", "fake-key-b": "b", strings.Repeat("k", maxKey): "c",
		"": "", "fake-key-c": "", "fake-key-": "", "fake-key-a ": "", "Fake-key-a": "", "fake-key-a\x00": "",
		hashOf("fake-key-a"):          "",
		strings.Repeat("k", maxKey+1): "", strings.Repeat("k", maxKey-1): "",
	} {
		got := ""
		if c := s.Lookup(key); c != nil {
			got = c.Name
		}
		if got != want {
			t.Errorf("the key %q: got client %q, want %q", key, got, want)
		}
	}
	if c := new(Set).Lookup("fake-key-a"); c != nil {
		t.Errorf("a set without a client: got %+v, want none", c)
	}
}

// The whole of a hash is compared, whichever part of it the table is keyed by.
func TestLookupComparesTheWholeHash(t *testing.T) {
	const secret = "fake-key-a"
	sum := digest(sha256.Sum256([]byte(secret)))
	for i := range sum {
		near := sum
		near[i] ^= 1
		s := newSet([]*key{{digest: near, client: &Client{Name: "near"}}}, nil)
		if c := s.Lookup(secret); c != nil {
			t.Errorf("a hash that differs in byte %d: got %+v, want no client", i, c)
		}
		s = newSet([]*key{{digest: near, client: &Client{Name: "near"}}, {digest: sum, client: &Client{Name: "a"}}},
			nil)
		if c := s.Lookup(secret); c == nil || c.Name != "a" {
			t.Errorf("beside a hash that differs in byte %d: got %+v, want client a", i, c)
		}
	}
	// An entry with the digest of the one that is compared where nothing is found.
	if c := new(Set).Lookup("x"); c != nil {
		t.Errorf("got %+v, want no client", c)
	}
}

// The comparison never ends early: Lookup hashes, compares every candidate with crypto/subtle and nothing else, and
// returns in one place after the check of the length.
func TestLookupIsBuiltForConstantTime(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "set.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	compared, loops, returns, dummy := 0, 0, 0, false
	for _, d := range file.Decls {
		f, ok := d.(*ast.FuncDecl)
		if !ok || f.Name.Name != "find" {
			continue
		}
		ast.Inspect(f.Body, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.ReturnStmt:
				returns++
			case *ast.IfStmt:
				if len(n.Body.List) == 1 && types.ExprString(n.Cond) == "len(candidates) == 0" {
					assign, ok := n.Body.List[0].(*ast.AssignStmt)
					dummy = ok && types.ExprString(assign.Rhs[0]) == "s.dummy[:]"
				}
			case *ast.RangeStmt:
				loops++
				ast.Inspect(n.Body, func(n ast.Node) bool {
					switch n := n.(type) {
					case *ast.BranchStmt, *ast.ReturnStmt:
						t.Errorf("got %T in the loop, want a comparison that never ends early", n)
					case *ast.SelectorExpr:
						if fmt.Sprint(n.X) == "subtle" && n.Sel.Name == "ConstantTimeCompare" {
							compared++
						} else if fmt.Sprint(n.X) == "bytes" {
							t.Errorf("got bytes.%s in the loop, want crypto/subtle alone", n.Sel.Name)
						}
					}
					return true
				})
			}
			return true
		})
	}
	if !dummy {
		t.Error("got no comparison where no entry is found, want one")
	}
	if compared != 1 {
		t.Errorf("got %d comparisons in constant time, want 1", compared)
	}
	if loops != 1 {
		t.Errorf("got %d loops, want 1", loops)
	}
	if returns != 2 {
		t.Errorf("got %d returns, want 2", returns)
	}
}

func manyClients(n int) (*Set, []string) {
	var text bytes.Buffer
	var keys []string
	text.WriteString("clients:\n")
	for i := range n {
		k := NewKey()
		keys = append(keys, k.Secret)
		fmt.Fprintf(&text, "  - name: client-%d\n    key_sha256: %s\n", i, k.SHA256)
	}
	s, err := Parse("f", text.Bytes())
	if err != nil {
		panic(err)
	}
	return s, keys
}

func TestLookupAllocatesNothing(t *testing.T) {
	s, keys := manyClients(100)
	unknown := NewKey().Secret
	if n := testing.AllocsPerRun(100, func() { s.Lookup(keys[7]); s.Lookup(unknown) }); n != 0 {
		t.Errorf("got %v allocations, want none", n)
	}
}

func BenchmarkLookup(b *testing.B) {
	for _, n := range []int{1, 1000} {
		s, keys := manyClients(n)
		for name, key := range map[string]string{"known": keys[n/2], "unknown": NewKey().Secret} {
			b.Run(fmt.Sprintf("clients=%d/key=%s", n, name), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					s.Lookup(key)
				}
			})
		}
	}
}

func BenchmarkParse(b *testing.B) {
	var text bytes.Buffer
	text.WriteString("clients:\n")
	for i := range 1000 {
		fmt.Fprintf(&text, "  - name: client-%d\n    key_sha256: %s\n", i, hashOf(fmt.Sprint(i)))
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse("f", text.Bytes()); err != nil {
			b.Fatal(err)
		}
	}
}
