package clients

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
)

// A Set is the clients of one reading of the file. It never changes and is safe for concurrent use. The zero value has
// no client.
type Set struct {
	clients []*Client // in the file's order
	byKey   map[uint64][]entry
	dummy   [1]entry // is compared where no entry is found
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

// Clients returns the clients in the file's order. The slice must not be changed.
func (s *Set) Clients() []*Client { return s.clients }

// Lookup returns the client of a key, nil if it has none. How long it takes does not depend on the keys that exist: it
// looks up a hash, which the caller cannot steer towards another one; it compares the whole hash in constant time; and
// it makes a comparison for a key that is not found, too.
func (s *Set) Lookup(key string) *Client {
	var text [maxKey]byte
	if len(key) == 0 || len(key) > maxKey {
		return nil
	}
	sum := digest(sha256.Sum256(text[:copy(text[:], key)]))
	candidates := s.byKey[sum.bucket()]
	if len(candidates) == 0 {
		candidates = s.dummy[:]
	}
	var found *Client
	for i := range candidates {
		if subtle.ConstantTimeCompare(sum[:], candidates[i].key[:]) == 1 {
			found = candidates[i].client
		}
	}
	return found
}

// bucket returns the map key of entries with this digest.
func (d *digest) bucket() uint64 { return binary.LittleEndian.Uint64(d[:8]) }
