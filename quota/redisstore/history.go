package redisstore

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/neuronward/neuronward/quota"
)

// History implements quota.Store. Each day is one step with a deadline of its
// own, so that the answer is whole by the day.
func (s *Store) History(ctx context.Context, from, to quota.Day) ([]quota.Record, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	days, err := s.read(ctx, func(ctx context.Context) ([]string, error) {
		return s.ask(ctx, s.days, []string{s.prefix + "days"}, int64(from), int64(to))
	})
	if err != nil {
		return nil, err
	}
	var all []quota.Record
	for _, text := range days {
		n, err := strconv.ParseInt(text, 10, 32)
		if err != nil {
			return nil, fmt.Errorf("redisstore: %w", err)
		}
		day := quota.Day(n)
		pairs, err := s.read(ctx, func(ctx context.Context) ([]string, error) {
			return s.ask(ctx, s.history, []string{s.prefix + day.String() + ":history"})
		})
		if err != nil {
			return nil, err
		}
		for pair := range slices.Chunk(pairs, 2) {
			record, err := parseRecord(day, pair)
			if err != nil {
				return nil, fmt.Errorf("redisstore: %w", err)
			}
			all = append(all, record)
		}
	}
	slices.SortFunc(all, func(a, b quota.Record) int {
		return cmp.Or(cmp.Compare(a.Day, b.Day), cmp.Compare(a.Model, b.Model), cmp.Compare(a.Client, b.Client))
	})
	return all, nil
}

// Hours implements quota.Store.
func (s *Store) Hours(ctx context.Context, day quota.Day) (hours quota.Hours, err error) {
	if err := ctx.Err(); err != nil {
		return hours, err
	}
	pairs, err := s.read(ctx, func(ctx context.Context) ([]string, error) {
		return s.ask(ctx, s.history, []string{s.prefix + day.String() + ":hours"})
	})
	if err != nil {
		return hours, err
	}
	for pair := range slices.Chunk(pairs, 2) {
		spent, err := figures(strings.Join(pair, " "), 2)
		if err != nil || spent[0] < 0 || int(spent[0]) >= len(hours) {
			return quota.Hours{}, fmt.Errorf("redisstore: %q is no hour of %v", pair, day)
		}
		hours[spent[0]] = spent[1]
	}
	return hours, nil
}

func (s *Store) read(ctx context.Context, step func(context.Context) ([]string, error)) ([]string, error) {
	ctx, cancel := s.within(ctx)
	defer cancel()
	answer, err := step(ctx)
	return answer, explain(err, s.o.Timeout)
}

// parseRecord reads a field of a day's hash and its value.
func parseRecord(day quota.Day, pair []string) (quota.Record, error) {
	if len(pair) != 2 {
		return quota.Record{}, fmt.Errorf("half a record of %v", day)
	}
	model, client, _ := strings.Cut(pair[0], separator)
	text := pair[1]
	for strings.Count(text, " ") < 8 { // of a version that kept less
		text += " 0"
	}
	n, err := figures(text, 9)
	if err != nil {
		return quota.Record{}, err
	}
	return quota.Record{
		Day: day, Model: model, Client: client, Calls: int64(n[0]), Reported: n[1], Priced: n[2], Estimated: n[3],
		Silent: int64(n[6]), Table: n[7], Calibration: quota.Calibration{Peak: quota.Ratio(n[4]), Usual: quota.Ratio(n[5]), Paid: quota.Ratio(n[8])},
	}, nil
}
