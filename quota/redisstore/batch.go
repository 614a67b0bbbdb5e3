package redisstore

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/neuronward/neuronward/quota"
)

// PutBatch implements quota.Store.
func (s *Store) PutBatch(ctx context.Context, b quota.Batch) error {
	text, err := json.Marshal(b)
	if err != nil {
		return fmt.Errorf("redisstore: %w", err)
	}
	answer, err := s.askBatch(ctx, b.Day, 1, "put", b.ID, string(text), quota.MaxBatches, batchLife.Milliseconds())
	if err == nil && len(answer) == 1 && answer[0] == "full" {
		err = quota.ErrTooManyBatches
	}
	return err
}

// Batch implements quota.Store. It does not ask again when an answer is lost: then nobody settles the batch.
func (s *Store) Batch(
	ctx context.Context, today quota.Day, id string, settle bool,
) (b quota.Batch, ok bool, err error) {
	op := "find"
	if settle {
		op = "settle"
	}
	answer, err := s.askBatch(ctx, today, quota.BatchDays, op, id)
	if err != nil || len(answer) == 0 {
		return b, false, err
	}
	if len(answer) != 2 {
		return b, false, fmt.Errorf("redisstore: %d values came back for a batch", len(answer))
	}
	i, err := strconv.Atoi(answer[0])
	if err != nil {
		return b, false, fmt.Errorf("redisstore: %w", err)
	}
	day := today - quota.Day(i) + 1
	if b, ok = parseBatch(answer[1]); !ok {
		s.doubt(s.batchKey(day), id, answer[1])
	}
	b.ID, b.Day = id, day
	return b, ok, nil
}

func parseBatch(value string) (b quota.Batch, ok bool) {
	if value == "" || json.Unmarshal([]byte(value[1:]), &b) != nil || b.Charged < 0 || b.Charged > quota.MaxCost {
		return quota.Batch{}, false
	}
	b.Settled = value[0] != '+'
	return b, true
}

func (s *Store) batchKey(d quota.Day) string { return s.prefix + d.String() + ":batches" }

// askBatch runs batch.lua for a day and the days before it, as many as days together.
func (s *Store) askBatch(ctx context.Context, d quota.Day, days int, args ...any) ([]string, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var keys []string
	for i := range days {
		keys = append(keys, s.batchKey(d-quota.Day(i)))
	}
	return s.read(ctx, 1, func(ctx context.Context) ([]string, error) { return s.ask(ctx, s.batch, keys, args...) })
}
