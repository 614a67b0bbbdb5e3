package config

import (
	"errors"
	"fmt"
	"strings"

	"github.com/neuronward/neuronward/quota/price"
)

// Words of a priceSource; anything else is a path.
const (
	PricesLive     = "live"
	PricesEmbedded = "embedded"
)

// priceSource says where prices come from: live, embedded, or a file of the embedded table's form, which it then holds.
type priceSource struct {
	Text  string
	Table *price.Table // of a file; nil: the embedded one
}

func (s *priceSource) UnmarshalText(text []byte) error {
	s.Text = string(text)
	if s.Text == PricesLive || s.Text == PricesEmbedded {
		return nil
	}
	data, _, err := readSmall(s.Text, "a price table", false)
	if err != nil {
		return fmt.Errorf("%w; write live, embedded, or the path of a price table", err)
	}
	if s.Table, err = price.Parse(data); err != nil {
		return errors.New(s.Text + ": " + strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	return nil
}

func (s priceSource) String() string { return s.Text }

// Base is the table to begin with.
func (s priceSource) Base() *price.Table {
	if s.Table != nil {
		return s.Table
	}
	return price.Embedded()
}
