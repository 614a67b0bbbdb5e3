package clients

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// maxKeys is how many keys one client may have: two while one replaces the other, and some to spare.
const maxKeys = 10

// keyHashes reads the value of key_sha256: a hash, or a list of hashes and of {sha256: …, expires: …}.
func (r *reader) keyHashes(e *entry, n *yaml.Node) error {
	switch {
	case n.Kind == yaml.MappingNode:
		return r.keyWithExpiry(e, n)
	case n.Kind != yaml.SequenceNode:
		return r.key(e, n, time.Time{})
	case len(n.Content) == 0:
		return errors.New("is an empty list; write a hash, or remove the entry to keep the client out")
	case len(n.Content) > maxKeys:
		return fmt.Errorf("has %d keys; write at most %d", len(n.Content), maxKeys)
	}
	for _, item := range n.Content {
		item = resolve(item)
		read := func() error { return r.key(e, item, time.Time{}) }
		if item.Kind == yaml.MappingNode {
			read = func() error { return r.keyWithExpiry(e, item) }
		}
		if err := read(); err != nil {
			r.mistake(item.Line, "key_sha256: %v", err)
		}
	}
	return nil
}

// keyWithExpiry reads {sha256: …, expires: …}.
func (r *reader) keyWithExpiry(e *entry, n *yaml.Node) error {
	const want = "write {sha256: the hash, expires: a time such as 2026-12-31T00:00:00Z}"
	var hash, expires *yaml.Node
	for key, value := range pairs(n) {
		switch {
		case key.Value == "sha256" && hash == nil:
			hash = value
		case key.Value == "expires" && expires == nil:
			expires = value
		default:
			return fmt.Errorf("there is no %s here, or it stands here twice; %s", keyShown(key), want)
		}
	}
	if hash == nil {
		return errors.New("has no sha256; " + want)
	}
	var at time.Time
	if expires != nil {
		text, err := scalar(expires)
		if err != nil {
			return fmt.Errorf("expires %w", err)
		}
		if at, err = time.Parse(time.RFC3339, text); err != nil {
			return fmt.Errorf("expires: %s is no time; %s", shown(text), want)
		}
	}
	return r.key(e, hash, at)
}

// key reads one hash.
func (r *reader) key(e *entry, n *yaml.Node, expires time.Time) error {
	const want = "write the 64 hexadecimal digits that neuronward client new prints"
	text, err := scalar(n)
	if err != nil {
		return err
	}
	if strings.HasPrefix(text, KeyPrefix) {
		return errors.New("is a key itself, not its hash; make a new key, since this one has been in a file, and " +
			want)
	}
	// The value may be a key of another service, so it is not repeated.
	if len(text) != hex.EncodedLen(sha256.Size) {
		return fmt.Errorf("has %d characters; %s", len(text), want)
	}
	sum, err := hex.DecodeString(text)
	if err != nil {
		return errors.New("is not hexadecimal; " + want)
	}
	d := digest(sum)
	if d == sha256.Sum256(nil) {
		return errors.New("is the hash of nothing; " + want)
	}
	if line, taken := r.keys[d]; taken {
		return fmt.Errorf("is the key in line %d already; give each client its own", line)
	}
	r.keys[d] = n.Line
	e.keys = append(e.keys, &key{digest: d, expires: expires, client: e.client})
	return nil
}
