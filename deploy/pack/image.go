package main

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// A blob is how a manifest names something.
type blob struct {
	MediaType string    `json:"mediaType"`
	Size      int       `json:"size"`
	Digest    string    `json:"digest"`
	Platform  *platform `json:"platform,omitempty"`
}

type platform struct {
	OS           string `json:"os"`
	Architecture string `json:"architecture"`
}

// A manifest is that of one platform, or the list of them.
type manifest struct {
	SchemaVersion int    `json:"schemaVersion"`
	MediaType     string `json:"mediaType"`
	Config        *blob  `json:"config,omitempty"`
	Layers        []blob `json:"layers,omitempty"`
	Manifests     []blob `json:"manifests,omitempty"`
}

// image copies an image for several platforms from a folder of buildah's transport dir: to another one. It compresses
// the layers, as registries keep them, and leaves out what buildah says of its own container, whose names are random.
// So the digests are the same wherever it is built, and those under which it is published.
func image(from, to string) error {
	if err := os.MkdirAll(to, 0o755); err != nil { //nolint:gosec // an image is for everybody
		return err
	}
	var list manifest
	if err := readJSON(filepath.Join(from, "manifest.json"), &list); err != nil {
		return err
	}
	if len(list.Manifests) == 0 {
		return fmt.Errorf("%s holds no image for several platforms", from)
	}
	for i := range list.Manifests {
		of := &list.Manifests[i]
		var m manifest
		if err := readJSON(filepath.Join(from, hexOf(*of)+".manifest.json"), &m); err != nil {
			return err
		}
		if err := moveConfig(from, to, m.Config); err != nil {
			return err
		}
		for l := range m.Layers {
			if err := compress(from, to, &m.Layers[l]); err != nil {
				return err
			}
		}
		if err := writeJSON(to, ".manifest.json", m, of); err != nil {
			return err
		}
	}
	text, err := json.Marshal(list)
	if err != nil {
		return err
	}
	if err := put(to, "manifest.json", text); err != nil {
		return err
	}
	return put(to, "version", []byte("Directory Transport Version: 1.1\n"))
}

// moveConfig copies a configuration without the names of the container that it was made in.
func moveConfig(from, to string, b *blob) error {
	var config map[string]any
	if err := readJSON(filepath.Join(from, hexOf(*b)), &config); err != nil {
		return err
	}
	delete(config, "container")
	delete(config, "container_config") // the same as config
	if c, ok := config["config"].(map[string]any); ok {
		delete(c, "Hostname")
	}
	return writeJSON(to, "", config, b)
}

// compress copies a layer, which buildah has not compressed.
func compress(from, to string, b *blob) error {
	content, err := os.ReadFile(filepath.Join(from, hexOf(*b)))
	if err != nil {
		return err
	}
	var z bytes.Buffer
	w, err := gzip.NewWriterLevel(&z, gzip.BestCompression)
	if err != nil {
		return err
	}
	if _, err := w.Write(content); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	b.MediaType += ".gzip"
	return keep(to, "", z.Bytes(), b)
}

// writeJSON writes v under the name of its digest, and lets b name it.
func writeJSON(to, suffix string, v any, b *blob) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return keep(to, suffix, text, b)
}

func keep(to, suffix string, content []byte, b *blob) error {
	sum := sha256.Sum256(content)
	b.Digest, b.Size = "sha256:"+hex.EncodeToString(sum[:]), len(content)
	return put(to, hexOf(*b)+suffix, content)
}

func put(to, name string, content []byte) error {
	return os.WriteFile(filepath.Join(to, name), content, 0o644) //nolint:gosec // an image is for everybody
}

func readJSON(path string, v any) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, v); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

func hexOf(b blob) string { return strings.TrimPrefix(b.Digest, "sha256:") }
