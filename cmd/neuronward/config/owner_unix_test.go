//go:build unix

package config

import (
	"os"
	"path/filepath"
	"testing"
)

// What can be done about is warned of, and nothing else: a Secret that Kubernetes mounts is root's, and its group must
// read it.
func TestSecretFileThatOthersCanRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(path, []byte("token"), 0o600); err != nil {
		t.Fatal(err)
	}
	owner, other := os.Geteuid(), os.Geteuid()+1
	for _, tt := range []struct {
		name string
		user int
		mode os.FileMode
		warn bool
	}{
		{"only its owner", owner, 0o600, false},
		{"its owner and a group", owner, 0o640, true},
		{"everybody", owner, 0o644, true},
		{"another user's, and a group", other, 0o440, false},
		{"another user's, and everybody", other, 0o444, true},
		{"seen by root, and a group", 0, 0o440, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if err := os.Chmod(path, tt.mode); err != nil {
				t.Fatal(err)
			}
			info, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			f := &smallFile{path: path, secret: true}
			if warning := f.exposure(info, tt.user); (warning != "") != tt.warn {
				t.Errorf("warning %q, want one: %v", warning, tt.warn)
			}
		})
	}
}
