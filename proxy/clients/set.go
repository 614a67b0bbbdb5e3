package clients

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"encoding/hex"
	"sync/atomic"
	"time"
)

// A Set is the clients of one reading of the file. It never changes, but for when its keys were last used, and
// is safe for concurrent use. The zero value has no client.
type Set struct {
	clients []*Client // in the file's order
	keys    []*key    // in the file's order
	byKey   map[uint64][]*key
	dummy   [1]*key // is compared where no key is found
}

// A key is one key of a client. A client has two while one replaces the other.
type key struct {
	digest  digest
	expires time.Time // zero: never
	client  *Client
	// when a call last came with it, Unix time in seconds; 0: never. Readings of the file share it
	used *atomic.Int64
}

func newSet(keys []*key, clients []*Client) *Set {
	s := &Set{clients: clients, keys: keys, byKey: make(map[uint64][]*key, len(keys)), dummy: [1]*key{{}}}
	for _, k := range keys {
		if k.used == nil {
			k.used = new(atomic.Int64)
		}
		b := k.digest.bucket()
		s.byKey[b] = append(s.byKey[b], k)
	}
	return s
}

// Clients returns the clients in the file's order. The slice must not be changed.
func (s *Set) Clients() []*Client { return s.clients }

// Lookup returns the client of a key, nil if it has none. An expired key still has one.
func (s *Set) Lookup(secret string) *Client {
	if k := s.find(secret); k != nil {
		return k.client
	}
	return nil
}

// find returns the entry of a key, nil if there is none. How long it takes does not depend on the keys that
// exist: it looks up a hash, which the caller cannot steer towards another one; it compares the whole hash in
// constant time; and it makes a comparison for a key that is not found, too.
func (s *Set) find(secret string) *key {
	var text [maxKey]byte
	if len(secret) == 0 || len(secret) > maxKey || len(s.keys) == 0 {
		return nil
	}
	sum := digest(sha256.Sum256(text[:copy(text[:], secret)]))
	candidates := s.byKey[sum.bucket()]
	if len(candidates) == 0 {
		candidates = s.dummy[:]
	}
	var found *key
	for _, k := range candidates {
		if subtle.ConstantTimeCompare(sum[:], k.digest[:]) == 1 {
			found = k
		}
	}
	return found
}

// expired reports whether the key is no longer valid at now.
func (k *key) expired(now time.Time) bool { return !k.expires.IsZero() && !now.Before(k.expires) }

// note remembers that a call came with the key. Seconds are enough, so that a busy key is seldom written.
func (k *key) note(now time.Time) {
	if at := now.Unix(); k.used.Load() < at {
		k.used.Store(at)
	}
}

// A KeyStatus is what the metrics show of a key. ID is the first eight digits of its hash.
type KeyStatus struct {
	Client, ID string
	Expires    time.Time // zero: never
	LastUsed   time.Time // zero: not since the process started
}

// Keys returns the status of each key, in the file's order.
func (s *Set) Keys() []KeyStatus {
	list := make([]KeyStatus, len(s.keys))
	for i, k := range s.keys {
		list[i] = KeyStatus{Client: k.client.Name, ID: hex.EncodeToString(k.digest[:4]), Expires: k.expires}
		if at := k.used.Load(); at != 0 {
			list[i].LastUsed = time.Unix(at, 0).UTC()
		}
	}
	return list
}

// A KeyHash is the hash of a key of a client, in hexadecimal, and when the key expires: never if it is zero.
type KeyHash struct {
	SHA256  string
	Expires time.Time
}

// Hashes returns the hashes of a client's keys, in the file's order.
func (s *Set) Hashes(client string) []KeyHash {
	var hashes []KeyHash
	for _, k := range s.keys {
		if k.client.Name == client {
			hashes = append(hashes, KeyHash{hex.EncodeToString(k.digest[:]), k.expires})
		}
	}
	return hashes
}

// Inherit takes over from an earlier reading of the file when its keys were last used. Call it before the set
// is in use.
func (s *Set) Inherit(earlier *Set) {
	if earlier == nil {
		return
	}
	for _, k := range s.keys {
		for _, old := range earlier.byKey[k.digest.bucket()] {
			if old.digest == k.digest {
				k.used = old.used
			}
		}
	}
}

// bucket returns the map key of keys with this digest.
func (d *digest) bucket() uint64 { return binary.LittleEndian.Uint64(d[:8]) }
