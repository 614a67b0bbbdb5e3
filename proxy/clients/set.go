package clients

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
)

// A Set is the clients of one reading of the file. It never changes and is safe
// for concurrent use; the zero value has no client.
type Set struct {
	clients []*Client // in the file's order
	byKey   map[uint64][]entry
	nobody  [1]entry // compared with where nothing is found
}

// An entry is a client and the digest of its key.
type entry struct {
	key    digest
	client *Client
}

func newSet(entries []entry) *Set {
	s := &Set{byKey: make(map[uint64][]entry, len(entries))}
	for _, e := range entries {
		s.clients = append(s.clients, e.client)
		b := e.key.bucket()
		s.byKey[b] = append(s.byKey[b], e)
	}
	return s
}

// Clients returns the clients in the file's order. The slice is not to be
// changed.
func (s *Set) Clients() []*Client { return s.clients }

// Lookup returns the client whose key this is, nil if it is none's. How long it
// takes says nothing about the keys that there are: what is looked up is a hash,
// which the caller cannot steer towards another one; the whole of it is compared
// in constant time; and a key that is not found costs a comparison as well.
func (s *Set) Lookup(key string) *Client {
	var text [maxKey]byte
	if len(key) == 0 || len(key) > maxKey {
		return nil
	}
	sum := digest(sha256.Sum256(text[:copy(text[:], key)]))
	candidates := s.byKey[sum.bucket()]
	if len(candidates) == 0 {
		candidates = s.nobody[:]
	}
	var found *Client
	for i := range candidates {
		if subtle.ConstantTimeCompare(sum[:], candidates[i].key[:]) == 1 {
			found = candidates[i].client
		}
	}
	return found
}

// bucket is where an entry with this digest is kept.
func (d *digest) bucket() uint64 { return binary.LittleEndian.Uint64(d[:8]) }
