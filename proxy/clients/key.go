package clients

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"regexp"
	"strings"
)

// KeyPrefix begins every key that NewKey makes, so that people and scanners of source code recognize one.
const KeyPrefix = "nwk_"

// HasKey reports whether a text may hold a key that NewKey made.
func HasKey(text string) bool { return strings.Contains(text, KeyPrefix) }

// RedactKeys replaces every key that NewKey could have made in a text.
func RedactKeys(text string) string {
	if !HasKey(text) {
		return text
	}
	return keyInText.ReplaceAllString(text, KeyPrefix+"[removed]")
}

var keyInText = regexp.MustCompile(KeyPrefix + "[A-Za-z0-9]+")

// maxKey bounds a key, in bytes. Those of NewKey have 56.
const maxKey = 512

// A digest is the SHA-256 of a key. Keys have 256 random bits, so neither a salt nor a slow hash would make it safer.
type digest [sha256.Size]byte

// A Key is a new key and its hash for the clients file.
type Key struct {
	Secret string // to be shown once
	SHA256 string // of Secret, in hexadecimal
}

// NewKey returns a key of 256 random bits, in letters and digits that a double click selects as a whole.
func NewKey() Key {
	var random [32]byte
	rand.Read(random[:]) // never fails: the process ends before
	letters := base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)
	secret := KeyPrefix + letters.EncodeToString(random[:])
	sum := sha256.Sum256([]byte(secret))
	return Key{Secret: secret, SHA256: hex.EncodeToString(sum[:])}
}
