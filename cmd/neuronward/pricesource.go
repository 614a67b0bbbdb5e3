package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/neuronward/neuronward/quota"
)

// Words of a priceSource; anything else is a path.
const (
	pricesLive     = "live"
	pricesEmbedded = "embedded"
)

// priceSource says where prices come from: live, embedded, or a file of the embedded table's form, which it then holds.
type priceSource struct {
	text  string
	table *quota.Prices // of a file; nil: the embedded one
}

func (s *priceSource) UnmarshalText(text []byte) error {
	s.text = string(text)
	if s.text == pricesLive || s.text == pricesEmbedded {
		return nil
	}
	data, _, err := readSmall(s.text, "a price table", false)
	if err != nil {
		return fmt.Errorf("%w; write live, embedded, or the path of a price table", err)
	}
	if s.table, err = quota.ParsePrices(data); err != nil {
		return errors.New(s.text + ": " + strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	return nil
}

func (s priceSource) String() string { return s.text }

// base is the table to begin with.
func (s priceSource) base() *quota.Prices {
	if s.table != nil {
		return s.table
	}
	return quota.Embedded()
}
