package redisstore

import (
	"context"
	_ "embed" // the script
	"slices"
	"strings"
	"time"

	"github.com/neuronward/neuronward/quota"
)

//go:embed prices.lua
var pricesScript string

// Prices implements quota.Store.
func (s *Store) Prices(ctx context.Context, day quota.Day, p quota.DayPrice) (map[quota.Day]quota.DayPrice, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	since := int64(0)
	if !p.Since.IsZero() {
		since = p.Since.UnixMilli()
	}
	key := s.prefix + "prices"
	pairs, err := s.read(ctx, 1, func(ctx context.Context) ([]string, error) {
		return s.ask(ctx, s.prices, []string{key}, int64(day), p.Nanodollars, since, int64(day)-quota.KeepDays,
			epochLife.Milliseconds())
	})
	if err != nil {
		return nil, err
	}
	all := map[quota.Day]quota.DayPrice{}
	for pair := range slices.Chunk(pairs, 2) {
		n, err := figures(strings.Join(pair, " "), 3)
		if err != nil || n[1] < 0 {
			s.doubt(key, pair[0], strings.Join(pair[1:], ""))
			continue
		}
		all[quota.Day(n[0])] = quota.DayPrice{
			Nanodollars: int64(n[1]), Since: time.UnixMilli(int64(n[2])).UTC(),
		}
	}
	return all, nil
}
