package clients

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// A reader reads one clients file and collects its mistakes.
type reader struct {
	file     string
	mistakes Mistakes
	names    map[string]int // line of each
	keys     map[digest]int
}

// Parse reads the text of a clients file; file is its name for messages. The error is Mistakes, with all that there
// are. An empty list is valid, so that the last client can be removed; a file without a list is not.
func Parse(file string, text []byte) (*Set, error) {
	r := &reader{file: file, names: make(map[string]int), keys: make(map[digest]int)}
	var keys []*key
	var all []*Client
	if list := r.list(text); list != nil {
		for _, n := range list.Content {
			e := r.client(n)
			all, keys = append(all, e.client), append(keys, e.keys...)
		}
	}
	if len(r.mistakes) > 0 {
		slices.SortStableFunc(r.mistakes, func(a, b Mistake) int { return a.Line - b.Line })
		return nil, r.mistakes
	}
	return newSet(keys, all), nil
}

func (r *reader) mistake(line int, format string, args ...any) {
	r.mistakes = append(r.mistakes, Mistake{r.file, line, fmt.Sprintf(format, args...)})
}

// list returns the list of clients, nil where there is none.
func (r *reader) list(text []byte) *yaml.Node {
	const want = "write clients: and below it an entry for each, as neuronward client new prints it"
	root := r.document(text)
	if root == nil {
		return nil
	}
	switch {
	case root.Kind == yaml.SequenceNode:
		r.mistake(root.Line, "is a list; write clients: above it")
		return nil
	case root.Kind != yaml.MappingNode:
		r.mistake(0, "holds no list of clients; %s", want)
		return nil
	}
	var list *yaml.Node
	first := 0
	for key, value := range pairs(root) {
		switch {
		case key.Value != "clients" || key.Kind != yaml.ScalarNode:
			r.mistake(key.Line, "there is no %s at the top; the one key there is clients", keyShown(key))
		case first > 0:
			r.mistake(key.Line, "clients stands in line %d already; make one list of them", first)
		default:
			list, first = value, key.Line
		}
	}
	switch {
	case list == nil:
		r.mistake(0, "holds no list of clients; %s", want)
	case list.Kind != yaml.SequenceNode || list.ShortTag() != "!!seq":
		r.mistake(list.Line, "clients: is not a list; begin each entry with a dash, or write clients: [] for none")
		return nil
	}
	return list
}

// document returns the root of the one document in text, nil where there is none.
func (r *reader) document(text []byte) *yaml.Node {
	var doc, second yaml.Node
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	if err := decoder.Decode(&doc); errors.Is(err, io.EOF) {
		r.mistake(0, "is empty; write clients: and an entry for each, or clients: [] for none")
		return nil
	} else if err != nil {
		r.syntax(err)
		return nil
	}
	if err := decoder.Decode(&second); err == nil {
		r.mistake(second.Line, "begins a second document; remove the line --- and keep one list")
	} else if !errors.Is(err, io.EOF) {
		r.syntax(err)
		return nil
	}
	return resolve(doc.Content[0])
}

// syntax notes an error of the YAML parser.
func (r *reader) syntax(err error) {
	text, line := strings.TrimPrefix(err.Error(), "yaml: "), 0
	if at, found := strings.CutPrefix(text, "line "); found {
		number, rest, _ := strings.Cut(at, ": ")
		if n, err := strconv.Atoi(number); err == nil {
			line, text = n, rest
		}
	}
	if strings.Contains(text, KeyPrefix) {
		text = "a key stands where none belongs"
	}
	r.mistake(line, "is not YAML: %s; indent with spaces, and quote what begins with a sign such as @ or *", text)
}

// pairs yields the keys of a mapping and their values.
func pairs(mapping *yaml.Node) func(func(key, value *yaml.Node) bool) {
	return func(yield func(key, value *yaml.Node) bool) {
		for i := 0; i+1 < len(mapping.Content); i += 2 {
			if !yield(mapping.Content[i], resolve(mapping.Content[i+1])) {
				return
			}
		}
	}
}

// resolve returns the node that an alias refers to, with the line of the alias.
func resolve(n *yaml.Node) *yaml.Node {
	if n.Kind != yaml.AliasNode {
		return n
	}
	at := *n.Alias
	at.Line = n.Line
	return &at
}

func keyShown(key *yaml.Node) string {
	if key.Kind != yaml.ScalarNode {
		return "such key"
	}
	return "key " + shown(key.Value)
}
