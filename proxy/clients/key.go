package clients

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
)

// KeyPrefix begins every key that NewKey makes, so that people and scanners of
// source code know one when they see it.
const KeyPrefix = "nwk_"

// maxKey bounds what is looked up, in bytes. NewKey's are 56.
const maxKey = 512

// A digest is the SHA-256 of a key. Keys have 256 random bits, so neither salt
// nor a slow hash would add to it.
type digest [sha256.Size]byte

// A Key is a new key and what the clients file says of it.
type Key struct {
	Secret string // to be shown once
	SHA256 string // of Secret, in hexadecimal
}

// NewKey returns a key of 256 random bits in letters and digits that a double
// click selects whole.
func NewKey() Key {
	var random [32]byte
	rand.Read(random[:]) // never fails: the process ends before
	letters := base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)
	secret := KeyPrefix + letters.EncodeToString(random[:])
	sum := sha256.Sum256([]byte(secret))
	return Key{Secret: secret, SHA256: hex.EncodeToString(sum[:])}
}
