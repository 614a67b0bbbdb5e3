package config

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
)

// maxSecret is how large a file of a secret, a certificate or a key may be, in bytes.
const maxSecret = 64 << 10

// A Secret is given in the environment or in a file. The zero value is none. Its value may be read while its file is
// followed. However it is printed, its value is not shown.
type Secret struct {
	literal string
	file    *secretFile
}

// parseSecret takes the value as it stands in the environment.
func parseSecret(text string) (any, error) {
	value, err := secretText([]byte(text))
	return Secret{literal: value}, err
}

// IsSet reports whether there is a secret.
func (s *Secret) IsSet() bool { return s.literal != "" || s.file != nil }

// Value returns the secret as it is now, "" for none. It is cheap and safe for concurrent use.
func (s *Secret) Value() string {
	if s.file != nil {
		return *s.file.value.Load()
	}
	return s.literal
}

// String says whether the secret is set, and how long it is.
func (s Secret) String() string {
	switch {
	case s.file != nil:
		return fmt.Sprintf("set, %d characters, from file %s", len(s.Value()), s.file.files[0].path)
	case s.literal != "":
		return fmt.Sprintf("set, %d characters", len(s.literal))
	}
	return "none"
}

// GoString is String, for %#v.
func (s Secret) GoString() string { return s.String() }

// secretText cuts the newline that editors and echo leave at the end and refuses what no header can carry.
func secretText(text []byte) (string, error) {
	text = bytes.TrimRight(text, "\r\n")
	switch {
	case len(text) == 0:
		return "", errors.New("is empty; put the secret there")
	case bytes.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r >= 0x7f }):
		return "", errors.New("holds a space, a line break or a character that is not ASCII; " +
			"put the secret alone there")
	}
	return string(text), nil
}

// A secretFile is a file whose content is a secret.
type secretFile struct {
	watcher
	value atomic.Pointer[string]
}

// newSecretFile returns the file at path, which variable names. Each of its values becomes known to red.
func newSecretFile(variable, path string, red *Redactor) *secretFile {
	f := new(secretFile)
	f.files = []*smallFile{{variable: variable, path: path, content: "the secret", maxSize: maxSecret, secret: true}}
	f.use = func(contents [][]byte) error {
		value, err := secretText(contents[0])
		if err != nil {
			return fmt.Errorf("%s %w", path, err)
		}
		red.Add(value)
		f.value.Store(&value)
		return nil
	}
	f.report = func(log *slog.Logger, changed, recovered bool) {
		if recovered {
			log.Info("the secret file is usable again", "variable", variable)
		}
		if changed {
			log.Info("the secret file has changed; the new value is in use", "variable", variable)
		}
	}
	f.refuse = func(log *slog.Logger, err error) {
		log.Warn("the secret file is unusable; the last good value stays in use",
			"variable", variable, "reason", err.Error())
	}
	return f
}
