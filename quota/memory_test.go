package quota_test

import (
	"testing"

	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/storetest"
)

func TestMemory(t *testing.T) {
	storetest.Run(t, func(*testing.T) storetest.Place {
		m := quota.NewMemory(nil)
		return func(*testing.T) quota.Store { return m }
	})
}
