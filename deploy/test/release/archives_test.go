package releasetest

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"helm.sh/helm/v3/pkg/chart"
)

type chartFile = chart.File

// unpacked are the files of a platform's archive.
func unpacked(t *testing.T, files map[string][]byte, platform string) map[string][]byte {
	t.Helper()
	if content, ok := files[platform+".zip"]; ok {
		return unzipped(t, content)
	}
	zr, err := gzip.NewReader(bytes.NewReader(files[platform+".tar.gz"]))
	if err != nil {
		t.Fatalf("%s.tar.gz: %v", platform, err)
	}
	return untarred(t, zr)
}

func unzipped(t *testing.T, content []byte) map[string][]byte {
	t.Helper()
	zr, err := zip.NewReader(bytes.NewReader(content), int64(len(content)))
	if err != nil {
		t.Fatal(err)
	}
	inside := make(map[string][]byte)
	for _, f := range zr.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		if inside[f.Name], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
	}
	return inside
}

func untarred(t *testing.T, r io.Reader) map[string][]byte {
	t.Helper()
	inside := make(map[string][]byte)
	for tr := tar.NewReader(r); ; {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return inside
		}
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(h.Name, "neuronward") && h.Typeflag == tar.TypeReg && h.Mode&0o777 != 0o755 {
			t.Errorf("%s has mode %o, want 755: anybody may run it", h.Name, h.Mode)
		}
		if inside[h.Name], err = io.ReadAll(tr); err != nil {
			t.Fatal(err)
		}
	}
}

// A described blob is named by a manifest.
type described struct {
	Digest string
	Size   int
}

// testImage: the image of each Linux platform holds the program of its archive, and says what it was made from.
func testImage(t *testing.T, files map[string][]byte, commit string) {
	var list struct {
		Manifests []struct {
			described
			Platform struct{ OS, Architecture string }
		}
	}
	decode(t, files["image/manifest.json"], &list)
	if want := strings.Count(string(files["SHA256SUMS"]), "_linux_") / 2; len(list.Manifests) != want {
		t.Fatalf("the image is for %d platforms, want %d", len(list.Manifests), want)
	}
	blob := func(b described, suffix string) []byte {
		content := files["image/"+strings.TrimPrefix(b.Digest, "sha256:")+suffix]
		if got := fmt.Sprintf("sha256:%x", sha256.Sum256(content)); got != b.Digest || len(content) != b.Size {
			t.Errorf("%s is %s of %d bytes, want %d", b.Digest, got, len(content), b.Size)
		}
		return content
	}
	for _, m := range list.Manifests {
		platform := m.Platform.OS + "_" + m.Platform.Architecture
		var manifest struct {
			Config described
			Layers []described
		}
		decode(t, blob(m.described, ".manifest.json"), &manifest)
		var config struct {
			OS, Architecture string
			Config           struct {
				User        string
				Labels      map[string]string
				Healthcheck struct{ Test []string }
			}
		}
		decode(t, blob(manifest.Config, ""), &config)
		if got := config.OS + "_" + config.Architecture; got != platform {
			t.Errorf("the image of %s is one of %s", platform, got)
		}
		for label, want := range map[string]string{"version": version, "revision": commit} {
			if got := config.Config.Labels["org.opencontainers.image."+label]; got != want {
				t.Errorf("%s: label %s is %q, want %q", platform, label, got, want)
			}
		}
		if c := config.Config; c.User != "65532:65532" || len(c.Healthcheck.Test) == 0 {
			t.Errorf("%s: user %q, health check %q, want nobody and a check", platform, c.User, c.Healthcheck.Test)
		}
		if len(manifest.Layers) != 1 {
			t.Fatalf("%s has %d layers, want one", platform, len(manifest.Layers))
		}
		layer, err := gzip.NewReader(bytes.NewReader(blob(manifest.Layers[0], "")))
		if err != nil {
			t.Fatal(err)
		}
		inside := untarred(t, layer)
		if want := unpacked(t, files, "neuronward_"+platform)["neuronward"]; !bytes.Equal(inside["neuronward"], want) {
			t.Errorf("the program in the image of %s is another one than in its archive", platform)
		}
		if !bytes.Contains(inside["etc/ssl/certs/ca-certificates.crt"], []byte("BEGIN CERTIFICATE")) {
			t.Errorf("the image of %s has no certificates", platform)
		}
	}
}

func decode(t *testing.T, text []byte, v any) {
	t.Helper()
	if err := json.Unmarshal(text, v); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
}
