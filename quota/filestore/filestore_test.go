package filestore_test

import (
	"path/filepath"
	"testing"

	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/filestore"
	"github.com/neuronward/neuronward/quota/storetest"
)

func TestConformance(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Place {
		path := filepath.Join(memoryDir(t), "state", "quota")
		var last *filestore.Store
		t.Cleanup(func() { last.Close() })
		return func(t *testing.T) quota.Store {
			if last != nil {
				if err := last.Close(); err != nil {
					t.Fatal(err)
				}
			}
			s, err := filestore.Open(t.Context(), path, filestore.Options{})
			if err != nil {
				t.Fatal(err)
			}
			last = s
			return s
		}
	})
}
