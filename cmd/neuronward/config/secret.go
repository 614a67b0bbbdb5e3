package config

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	// secretPoll is how often secret files are looked at. Polling sees every kind of change, the swap of a symbolic link
	// above the file included, which is how Kubernetes rotates a mounted Secret.
	secretPoll = 500 * time.Millisecond
	maxSecret  = 64 << 10 // bytes
)

// A Credential is a secret that is given in the environment or in a file. The zero value is none. Its value may be read
// while the file is being watched.
type Credential struct {
	literal string
	file    *secretFile
}

// UnmarshalText takes the value as it stands in the environment.
func (c *Credential) UnmarshalText(text []byte) error {
	value, err := secretText(text)
	c.literal = value
	return err
}

// open reads the secret from the file at path and returns what to warn about.
func (c *Credential) open(path string, red *Redactor) (warnings []string, err error) {
	f := &secretFile{path: path, red: red}
	change, err := f.read()
	if err != nil {
		return nil, err
	}
	c.file = f
	return change.warnings, nil
}

// IsSet reports whether there is a secret.
func (c *Credential) IsSet() bool { return c.literal != "" || c.file != nil }

// Value returns the secret as it is now, "" for none. It is cheap and safe for concurrent use.
func (c *Credential) Value() string {
	if c.file != nil {
		return *c.file.value.Load()
	}
	return c.literal
}

// String keeps the value out of whatever prints a config.
func (c Credential) String() string {
	switch {
	case c.file != nil:
		return fmt.Sprintf("set, %d characters, from file %s", len(c.Value()), c.file.path)
	case c.literal != "":
		return fmt.Sprintf("set, %d characters", len(c.literal))
	}
	return "none"
}

// GoString is String, for %#v.
func (c Credential) GoString() string { return c.String() }

// secretText cuts the newline that editors and echo leave at the end and refuses what no header can carry.
func secretText(text []byte) (string, error) {
	text = bytes.TrimRight(text, "\r\n")
	switch {
	case len(text) == 0:
		return "", errors.New("is empty; put the token there")
	case bytes.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r >= 0x7f }):
		return "", errors.New("holds a space, a line break or a character that is not ASCII; put the token alone there")
	}
	return string(text), nil
}

// A secretFile is a file whose content is a secret. Its methods but value.Load are for one goroutine.
type secretFile struct {
	path    string
	red     *Redactor
	value   atomic.Pointer[string]
	regular bool
	loose   loose
	trouble string // the trouble that was warned about
}

// A secretChange is what one look at a secret file found.
type secretChange struct {
	rotated  bool
	warnings []string
}

// read looks at the file. An error leaves the last good value.
func (f *secretFile) read() (secretChange, error) {
	var change secretChange
	text, info, err := readSmall(f.path, "the token", f.regular)
	if err != nil {
		return change, err
	}
	value, err := secretText(text)
	if err != nil {
		return change, fmt.Errorf("%s %w", f.path, err)
	}
	f.regular = info.Mode().IsRegular()
	change.warnings = f.loose.look(f.path, info, os.Geteuid())
	if old := f.value.Load(); old == nil || *old != value {
		f.red.Add(value)
		f.value.Store(&value)
		change.rotated = true
	}
	return change, nil
}

// loose are the permissions of a secret file that others have. The zero value has none.
type loose fs.FileMode

// look notes the permissions of the file at path; what it returns is worth a warning to user, once. A file of another user that its
// group may read is as it must be: only so can user read it. Kubernetes mounts a Secret so, and systemd a credential.
func (l *loose) look(path string, info fs.FileInfo, user int) (warnings []string) {
	mode := info.Mode()
	now := loose(mode.Perm() & 0o044)
	if !owns(user, info) {
		now &= 0o004
	}
	if mode.IsRegular() && now != 0 && now != *l {
		warnings = append(warnings, fmt.Sprintf("%s can be read by others (mode %04o); chmod 600 it", path, mode.Perm()))
	}
	*l = now
	return warnings
}

// readSmall returns what the file at path holds, which should be content alone, and what is known of the file. The whole file
// is read each time: it is small, and times and sizes do not show every change. A file that was regular must be so still:
// whoever opens a pipe waits for a writer.
func readSmall(path, content string, regular bool) ([]byte, fs.FileInfo, error) {
	flags := os.O_RDONLY
	if regular {
		flags |= syscall.O_NONBLOCK
	}
	file, err := os.OpenFile(path, flags, 0)
	if err != nil {
		return nil, nil, unreadable(err)
	}
	defer file.Close() //nolint:errcheck // it was only read
	info, err := file.Stat()
	if err != nil {
		return nil, nil, unreadable(err)
	}
	switch {
	case info.IsDir():
		return nil, nil, fmt.Errorf("%s is a directory; name the file in it", path)
	case regular && !info.Mode().IsRegular():
		return nil, nil, fmt.Errorf("%s is a pipe or a device now, which can be read at the start only; put a file in its place", path)
	}
	text, err := io.ReadAll(io.LimitReader(file, maxSecret+1))
	switch {
	case err != nil:
		return nil, nil, unreadable(err)
	case len(text) > maxSecret:
		return nil, nil, fmt.Errorf("%s is larger than %d KiB; name a file that holds %s alone", path, maxSecret>>10, content)
	}
	return text, info, nil
}

// unreadable words what the operating system said about a file, which names the path.
func unreadable(err error) error {
	return fmt.Errorf("cannot be read (%w); check the path and its permissions", err)
}

// WatchSecrets follows the files of creds until ctx ends. What changes is logged, never the value.
func WatchSecrets(ctx context.Context, log *slog.Logger, creds map[string]*Credential) {
	tick := time.NewTicker(secretPoll)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		for name, c := range creds {
			// A pipe can be read once only.
			if c.file != nil && c.file.regular {
				c.file.look(log.With("variable", name+FileSuffix))
			}
		}
	}
}

// look reads the file once more and logs what is new about it.
func (f *secretFile) look(log *slog.Logger) {
	change, err := f.read()
	if err != nil {
		if f.trouble != err.Error() {
			f.trouble = err.Error()
			log.Warn("the secret file is unusable; the last good value stays in use", "reason", f.trouble)
		}
		return
	}
	if f.trouble != "" {
		f.trouble = ""
		log.Info("the secret file is usable again")
	}
	for _, w := range change.warnings {
		log.Warn("the secret file is not safe", "reason", w)
	}
	if change.rotated {
		log.Info("the secret file has changed; the new value is in use")
	}
}
