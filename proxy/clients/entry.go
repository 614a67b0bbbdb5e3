package clients

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/neuronward/neuronward/proxy/modelname"
	"github.com/neuronward/neuronward/quota"
)

const (
	maxNeurons  = 1e9 // far more than an account can spend in a day
	maxRequests = 1_000_000
	maxModels   = 200 // patterns of one client: each call is compared with them
)

// An entry is what is read of one client.
type entry struct {
	client *Client
	keys   []*key
}

// A field is a key of an entry.
type field struct {
	name     string
	required bool
	read     func(r *reader, e *entry, n *yaml.Node) error
}

// fields are the keys of an entry, in the order in which neuronward client new writes them.
var fields = []field{
	{"name", true, (*reader).name},
	{"key_sha256", true, (*reader).keyHashes},
	{"daily_neurons", false, (*reader).dailyNeurons},
	{"monthly_neurons", false, (*reader).monthlyNeurons},
	{"requests_per_minute", false, (*reader).requestsPerMinute},
	{"priority", false, (*reader).priority},
	{"finetunes", false, (*reader).finetunes},
	{"models", false, (*reader).models},
	{"gateway_headers", false, (*reader).gatewayHeaders},
}

// client reads one entry of the list.
func (r *reader) client(n *yaml.Node) entry {
	e := entry{client: new(Client)}
	n = resolve(n)
	if n.Kind != yaml.MappingNode || n.ShortTag() != "!!map" {
		r.mistake(n.Line, "is no entry of a client; write - name: and below it key_sha256:")
		return e
	}
	seen := make(map[string]int)
	for key, value := range pairs(n) {
		i := slices.IndexFunc(fields, func(f field) bool { return key.Kind == yaml.ScalarNode && f.name == key.Value })
		if i < 0 {
			r.mistake(key.Line, "there is no %s; %s", keyShown(key), advice(key.Value))
			continue
		}
		f := fields[i]
		if line, twice := seen[f.name]; twice {
			r.mistake(key.Line, "%s stands in line %d already; keep one of them", f.name, line)
			continue
		}
		seen[f.name] = key.Line
		if err := f.read(r, &e, value); err != nil {
			r.mistake(value.Line, "%s: %v", f.name, err)
		}
	}
	for _, f := range fields {
		if f.required && seen[f.name] == 0 {
			r.mistake(n.Line, "the entry has no %s; add it, or make an entry with neuronward client new", f.name)
		}
	}
	return e
}

// advice returns what to write instead of a key that does not exist.
func advice(key string) string {
	if key == "key" || key == "api_key" {
		return "keys themselves are not kept here: write key_sha256 and the key's SHA-256"
	}
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.name
	}
	return "an entry has " + strings.Join(names, ", ")
}

// scalar returns a single value as it is written. Its type does not matter: a name may look like a number, and a hash
// such as 5e88… does.
func scalar(n *yaml.Node) (string, error) {
	if n.Kind != yaml.ScalarNode {
		return "", errors.New("is not a single value; write one, or remove the line")
	}
	switch n.ShortTag() {
	case "!!str", "!!int", "!!float", "!!bool", "!!timestamp":
		return n.Value, nil
	case "!!null":
		return "", errors.New("is empty; write a value, or remove the line")
	}
	return "", fmt.Errorf("has the tag %s, which nothing here reads; write the value alone", shown(n.Tag))
}

func (r *reader) name(e *entry, n *yaml.Node) error {
	name, err := scalar(n)
	if err != nil {
		return err
	}
	if err := CheckName(name); err != nil {
		return err
	}
	if line, taken := r.names[name]; taken {
		return fmt.Errorf("%s is the name of the client in line %d already; give each its own", shown(name), line)
	}
	r.names[name] = n.Line
	e.client.Name = name
	return nil
}

func (r *reader) dailyNeurons(e *entry, n *yaml.Node) (err error) {
	e.client.DailyNeurons, err = neurons(n, "2000")
	return err
}

func (r *reader) monthlyNeurons(e *entry, n *yaml.Node) (err error) {
	e.client.MonthlyNeurons, err = neurons(n, "40000")
	return err
}

// neurons reads a budget.
func neurons(n *yaml.Node, example string) (quota.Neurons, error) {
	text, err := scalar(n)
	if err != nil {
		return 0, err
	}
	f, err := strconv.ParseFloat(text, 64)
	switch {
	case err != nil || !(f >= 0) || f > maxNeurons:
		return 0, fmt.Errorf("%s is not a number of neurons above 0; write one such as %s, "+
			"or remove the line for no budget of its own", shown(text), example)
	case f == 0:
		return 0, errors.New("0 would allow nothing; remove the line for no budget of its own, " +
			"or the entry to keep the client out")
	}
	return quota.FromFloat(f), nil
}

func (r *reader) requestsPerMinute(e *entry, n *yaml.Node) error {
	text, err := scalar(n)
	if err != nil {
		return err
	}
	i, err := strconv.Atoi(text)
	switch {
	case err != nil || i < 0 || i > maxRequests:
		return fmt.Errorf("%s is not a whole number from 1 to %d; write one such as 60, "+
			"or remove the line for no limit of its own", shown(text), maxRequests)
	case i == 0:
		return errors.New("0 would allow nothing; remove the line for no limit of its own, " +
			"or the entry to keep the client out")
	}
	e.client.RequestsPerMinute = i
	return nil
}

func (r *reader) priority(e *entry, n *yaml.Node) error {
	text, err := scalar(n)
	if err != nil {
		return err
	}
	for p, name := range [...]string{quota.High: "high", quota.Normal: "normal", quota.Low: "low"} {
		if text == name {
			e.client.Priority = quota.Priority(p)
			return nil
		}
	}
	return fmt.Errorf("%s is no priority; write high, normal or low", shown(text))
}

func (r *reader) finetunes(e *entry, n *yaml.Node) error {
	text, err := scalar(n)
	if err != nil {
		return err
	}
	switch text {
	case "true", "false":
		e.client.Finetunes = text == "true"
		return nil
	}
	return fmt.Errorf("%s is neither true nor false; write one of them", shown(text))
}

// models notes each mistake in the list with its own line.
func (r *reader) models(e *entry, n *yaml.Node) error {
	switch {
	case n.Kind != yaml.SequenceNode || n.ShortTag() != "!!seq":
		return errors.New(`is not a list; write one such as ["@cf/meta/*"], or remove the line for every model`)
	case len(n.Content) == 0:
		return errors.New(`is empty; write a list such as ["@cf/meta/*"], or remove the line for every model`)
	case len(n.Content) > maxModels:
		return fmt.Errorf("has %d entries; write at most %d, with * for many models at once", len(n.Content), maxModels)
	}
	for _, item := range n.Content {
		item = resolve(item)
		text, err := scalar(item)
		if err != nil {
			r.mistake(item.Line, "models: %v", err)
			continue
		}
		p, err := modelname.ParsePattern(text, shown)
		if err != nil {
			r.mistake(item.Line, "models: %v", err)
			continue
		}
		if slices.Contains(e.client.models, p) {
			r.mistake(item.Line, "models: %s stands in the list already; keep one of them", shown(text))
			continue
		}
		e.client.models = append(e.client.models, p)
	}
	return nil
}

// gatewayHeaders notes each mistake in the list with its own line.
func (r *reader) gatewayHeaders(e *entry, n *yaml.Node) error {
	const want = `write a list of names such as ["cf-aig-cache-key"], or remove the line for the usual ones`
	if n.Kind != yaml.SequenceNode || len(n.Content) == 0 || len(n.Content) > maxModels {
		return errors.New("is not a list of 1 to " + strconv.Itoa(maxModels) + " names; " + want)
	}
	for _, item := range n.Content {
		item = resolve(item)
		name, err := scalar(item)
		if err != nil {
			r.mistake(item.Line, "gateway_headers: %v", err)
			continue
		}
		canonical := http.CanonicalHeaderKey(name)
		if !strings.HasPrefix(canonical, "Cf-Aig-") || canonical == "Cf-Aig-Authorization" ||
			len(canonical) == len("Cf-Aig-") {
			r.mistake(item.Line, "gateway_headers: %s is no header of AI Gateway that a client may send; %s",
				shown(name), want)
			continue
		}
		e.client.gatewayHeaders = append(e.client.gatewayHeaders, canonical)
	}
	return nil
}
